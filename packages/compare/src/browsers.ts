import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Browser, LaunchOptions } from 'puppeteer-core'
import type { Progress } from './bench.ts'
import type { Findings, Result } from './report.ts'
import { type FromRunner, type Orders, type Run, runnerUrl } from './runner.ts'
import { tabs } from './scenarios/tabs.ts'
import type { Access } from './stage/ask.ts'

/** A browser that can be driven from here. */
export type BrowserName = 'chromium' | 'firefox'

/**
 * Runs scenarios in an installed browser, without a window.
 *
 * @param access - of the stage. Where that listens by HTTP/2 as well, the scenario `tabs` runs over both.
 * @throws Error (by rejection) when there is no such browser or nothing to drive it, with how to install it; the signal's
 *   reason when that aborts.
 */
export async function runInBrowser(
  name: BrowserName,
  access: Access,
  run: Run,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<readonly Result[]> {
  signal.throwIfAborted()
  const { relay, secure } = access.origins
  await using browser = await openBrowser(name)
  // Whatever waits for the browser fails with it.
  const onAbort = () => {
    browser[Symbol.asyncDispose]().catch(() => {
      // The end of this function waits for the same, and tells of it.
    })
  }
  signal.addEventListener('abort', onAbort)
  try {
    signal.throwIfAborted()
    const runAt = (origin: string, mine: Run) =>
      follow(browser, runnerUrl(origin, { access, run: mine } satisfies Orders), onProgress)
    const results = await runAt(relay, run)
    if (secure === undefined || !run.scenarios.includes(tabs.name)) return results
    const [bySecure] = await runAt(secure, { ...run, scenarios: [tabs.name] })
    return results.map((result) =>
      bySecure !== undefined && result.scenario === tabs.name ? joinResults(result, bySecure) : result,
    )
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Two runs of one scenario in one browser, each with its own cases. */
function joinResults(one: Result, other: Result): Result {
  const joined: Findings = {
    ...one,
    cases: [...one.cases, ...other.cases],
    cells: [...one.cells, ...other.cells],
    notes: [...one.notes, ...other.notes],
    ms: one.ms + other.ms,
  }
  return { ...joined, explanation: tabs.explain(joined) }
}

/** How long a page may take to be there. */
const startMs = 30_000

/** How long one question to a page may take: it answers within 10 s, if only to say that there is no news. */
const answerMs = 60_000

/** Opens the page, and hears what it tells until it is done. */
async function follow(
  browser: Driven,
  url: string,
  onProgress: (progress: Progress) => void,
): Promise<readonly Result[]> {
  const page = await browser.open(url)
  const results: Result[] = []
  for (let heard = 0; ; ) {
    const news = await page.evaluate<readonly FromRunner[] | null>(
      `globalThis.messagesFrom ? messagesFrom(${heard}) : null`,
    )
    if (news === null) throw new Error('the page of the runner is not built; run `npm run build` first')
    heard += news.length
    for (const message of news) {
      if (message.type === 'progress') onProgress(message.progress)
      if (message.type === 'result') results.push(message.result)
      if (message.type === 'failed') throw new Error(message.message)
      if (message.type === 'done') {
        await page.close()
        return results
      }
    }
  }
}

interface Driven {
  open(url: string): Promise<DrivenPage>
  [Symbol.asyncDispose](): Promise<void>
}

interface DrivenPage {
  /** What the expression comes to, once it has. It must be JSON. */
  evaluate<T>(expression: string): Promise<T>
  close(): Promise<void>
}

async function openBrowser(name: BrowserName): Promise<Driven> {
  const executablePath = findBrowser(name)
  const { launch } = await import('puppeteer-core').catch((cause: unknown) => {
    throw new Error('a browser is driven by puppeteer-core, which is not here: npm install puppeteer-core', {
      cause,
    })
  })
  // Both write to the home folder, which need not be writable, and which a measurement has no business in.
  const home = await mkdtemp(join(tmpdir(), 'eitherway-browser-'))
  const removeHome = () => rm(home, { recursive: true, force: true, maxRetries: 5 })
  const options: LaunchOptions = {
    browser: name === 'firefox' ? 'firefox' : 'chrome',
    executablePath,
    // A signal is for the run, which ends the browser and then writes its report.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    env: { ...process.env, HOME: home },
    // The stage's certificate for HTTP/2 is its own.
    acceptInsecureCerts: true,
    protocolTimeout: answerMs,
    args: name === 'chromium' ? chromiumArgs() : [],
  }
  const browser = await launch(options).catch(async (error: unknown) => {
    await removeHome()
    throw error
  })
  let closed: Promise<void> | undefined
  return {
    open: name === 'chromium' ? (url) => openUnwatched(browser, url) : (url) => openPage(browser, url),
    [Symbol.asyncDispose]() {
      closed ??= browser.close().then(removeHome)
      return closed
    },
  }
}

function chromiumArgs(): string[] {
  // Its sandbox does not work for root, and seldom in a container. The page is our own.
  const isBare = process.getuid?.() === 0 || process.env['CI'] === 'true'
  return ['--disable-gpu', '--disable-quic', ...(isBare ? ['--no-sandbox'] : [])]
}

async function openPage(browser: Browser, url: string): Promise<DrivenPage> {
  const page = await browser.newPage()
  await page.goto(url, { timeout: startMs })
  return {
    evaluate: (expression) => page.evaluate(expression) as Promise<never>,
    close: () => page.close(),
  }
}

/**
 * Not by `newPage`: whoever holds a page of Chromium's that way is told of every event and frame that reaches it, and that
 * is work which no user's browser does.
 */
async function openUnwatched(browser: Browser, url: string): Promise<DrivenPage> {
  const whole = await browser.target().createCDPSession()
  const { targetId } = await whole.send('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await whole.send('Target.attachToTarget', { targetId, flatten: true })
  const session = whole.connection()?.session(sessionId)
  if (session === null || session === undefined) throw new Error('the page ended before it began')
  await session.send('Page.enable')
  const loaded = new Promise((resolve) => session.once('Page.loadEventFired', resolve))
  const { errorText } = await session.send('Page.navigate', { url })
  if (errorText !== undefined) throw new Error(`the runner's page does not open: ${errorText}`)
  await within(loaded, startMs)
  await session.send('Page.disable')
  return {
    async evaluate(expression) {
      const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
        expression,
        awaitPromise: true,
        returnByValue: true,
      })
      if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text)
      return result.value
    },
    async close() {
      await whole.send('Target.closeTarget', { targetId })
      await whole.detach()
    },
  }
}

async function within(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the runner's page did not load within ${ms} ms`)), ms)
  })
  try {
    await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

const places = {
  chromium: {
    title: 'Chromium',
    variable: 'CHROME_PATH',
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'],
    files: [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
      'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
    ],
  },
  firefox: {
    title: 'Firefox',
    variable: 'FIREFOX_PATH',
    commands: ['firefox', 'firefox-esr'],
    files: [
      '/Applications/Firefox.app/Contents/MacOS/firefox',
      join(homedir(), 'Applications/Firefox.app/Contents/MacOS/firefox'),
      'C:\\Program Files\\Mozilla Firefox\\firefox.exe',
    ],
  },
} as const

/** @throws Error when there is none. */
function findBrowser(name: BrowserName): string {
  const { title, variable, commands, files } = places[name]
  const given = process.env[variable]
  if (given !== undefined && given !== '') {
    if (!isExecutable(given)) throw new Error(`${variable} names ${given}, which is no program`)
    return given
  }
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/snap/bin']
  const candidates = [
    ...commands.flatMap((command) => folders.map((folder) => join(folder, command))),
    ...files,
  ]
  const found = candidates.find(isExecutable)
  if (found === undefined) {
    throw new Error(`there is no ${title} here: install it, or name its program in ${variable}`)
  }
  return found
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // not here
  }
}
