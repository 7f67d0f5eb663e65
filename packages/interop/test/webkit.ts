import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'

const driverFile = '/usr/bin/WebKitWebDriver'
const displayFile = '/usr/bin/Xvfb'

/** Whether WebKitGTK's driver, or the screen that it wants, is not here. Nothing installs them unasked. */
export const lacksWebKit = !existsSync(driverFile) || !existsSync(displayFile)

/** Goes before a page's program: WebDriver has no word for what a page says on its console, so the page keeps it. */
export const prelude = `globalThis.said = []
console.log = (line) => {
  said.push(line)
  globalThis.heard?.()
}
`

/** Hands over what was said since the last time; waits until there is something. */
const listen = `const done = arguments[0]
const tell = () => {
  globalThis.heard = undefined
  done(said.splice(0))
}
if (said.length > 0) tell()
else globalThis.heard = tell`

/** WebKit by WebDriver, on a screen that nobody sees. */
export async function openWebKit() {
  const home = await mkdtemp(join(tmpdir(), 'eitherway-webkit-'))
  const screen = spawn(displayFile, ['-displayfd', '3', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const [number] = (await once(screen.stdio[3] as Readable, 'data')) as [Buffer]
  const env = { ...process.env, HOME: home, DISPLAY: `:${number.toString().trim()}` }
  let version = 'unknown'
  return {
    async newPage() {
      const page = await openPage(env)
      version = page.version
      return page
    },
    /** Once there is a page. What a page itself knows, its user agent, names a Safari of the future. */
    version: () => version,
    async close() {
      await end(screen)
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** A page in a browser of its own: a driver has one session, and a session one page that it speaks to. */
async function openPage(env: NodeJS.ProcessEnv) {
  const port = await freePort()
  const driver = spawn(driverFile, [`--port=${port}`, '--host=127.0.0.1'], { env, stdio: 'ignore' })
  const address = `http://127.0.0.1:${port}/session`
  const closing = new AbortController()
  try {
    await answers(`http://127.0.0.1:${port}/status`, driver)
    const { sessionId, capabilities } = await command<Session>('POST', address, {
      capabilities: { alwaysMatch: { timeouts: { script: null } } },
    })
    const session = `${address}/${sessionId}`
    let tell: (line: string) => void = () => undefined
    const listening = async () => {
      const question = { script: listen, args: [] }
      while (!closing.signal.aborted) {
        const lines = await command<string[]>('POST', `${session}/execute/async`, question, closing.signal)
        for (const line of lines) tell(line)
      }
    }
    let heard: Promise<void> | undefined
    return {
      version: `GTK ${capabilities.browserVersion}`,
      onLog(hear: (line: string) => void) {
        tell = hear
      },
      async goto(url: string) {
        await command('POST', `${session}/url`, { url })
        // It fails when the page is closed, or dies; whoever waits for a record then waits in vain, and says so.
        heard = listening().catch(() => undefined)
      },
      async close() {
        closing.abort()
        await heard
        // A session that still waits for its page ends with no answer: its socket is closed.
        await command('DELETE', session).catch(() => undefined)
        await end(driver)
      },
    }
  } catch (error) {
    await end(driver)
    throw error
  }
}

interface Session {
  readonly sessionId: string
  readonly capabilities: { readonly browserVersion: string }
}

/** @see https://www.w3.org/TR/webdriver2/#endpoints */
async function command<Value>(
  method: string,
  url: string,
  body?: object,
  signal?: AbortSignal,
): Promise<Value> {
  const response = await fetch(url, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    ...(signal && { signal }),
  })
  const { value } = (await response.json()) as { value: Value }
  if (!response.ok) throw new Error(`WebKit's driver refuses ${method} ${url}: ${JSON.stringify(value)}`)
  return value
}

/** Fulfils when the driver listens, of which it says nothing. */
async function answers(url: string, driver: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200 && driver.exitCode === null; tries += 1) {
    const response = await fetch(url).catch(() => undefined)
    if (response?.ok) return
    await wait(50)
  }
  throw new Error(`${driverFile} does not answer at ${url}; it ended with ${driver.exitCode}`)
}

/** The driver takes no 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill()
  await once(child, 'exit')
}
