import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Http2Server } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { createHub, type Hub, type HubOptions, type Peer, type ServeOptions, serve } from '@eitherway/server'
import { afterAll } from 'vitest'

const parts = new Set(process.env['EITHERWAY_PARTS']?.split(','))

/** Whether this part of the system is not here, so that the tests that need it cannot run. */
export const lacks = (part: 'chromium' | 'firefox' | 'curl' | 'python' | 'nginx' | 'haproxy'): boolean =>
  !parts.has(part)

/** A hub behind a real server, and a cable that can be cut. */
export interface TestHub extends AsyncDisposable {
  readonly hub: Hub
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** Ends every socket, with a TCP FIN or with a RST. Clients may come back at once. */
  cut(how?: Cut): void
  /** Serves a page that runs this script, from the hub's own origin. */
  page(script: string): string
}

/** How a link ends under the application. */
export type Cut = 'closed' | 'reset'

/** Starts a hub at `/live`. Its clients come back as soon as they may. */
export async function startHub(
  options: HubOptions = {},
  server: Server | Http2Server = createServer(),
  mount: Omit<ServeOptions, 'path'> = {},
): Promise<TestHub> {
  const hub = createHub({ retryMs: 0, ...options })
  const sockets = new Set<Socket>()
  const files = new Map<string, { type: string; text: string }>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  if ('setTimeout' in server) {
    ;(server as Server).on('request', ({ url = '' }, response) => {
      const file = files.get(url)
      if (file === undefined) response.writeHead(204).end()
      else response.writeHead(200, { 'Content-Type': file.type }).end(file.text)
    })
  }
  serve(hub, server, { path: '/live', ...mount })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  function cut(how: Cut = 'closed'): void {
    for (const socket of sockets) {
      if (how === 'reset') socket.resetAndDestroy()
      else socket.destroy()
    }
  }
  return {
    hub,
    origin,
    cut,
    page(script) {
      const path = `/page-${files.size / 2 + 1}`
      files.set(`${path}.js`, { type: 'text/javascript', text: script })
      files.set(path, {
        type: 'text/html',
        text: `<!doctype html><meta charset="utf-8"><script type="module" src="${path}.js"></script>`,
      })
      return origin + path
    },
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
      await once(server, 'close')
      await hub.close()
    },
  }
}

/** The next peer that connects. Ask before the client starts. */
export function nextPeer(hub: Hub): Promise<Peer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no peer connected within ${maxWaitMs} ms`)), maxWaitMs)
    const off = hub.onConnect((peer) => {
      clearTimeout(timer)
      off()
      resolve(peer)
    })
  })
}

/** Longest wait for one thing: below a test's own limit, so that the failure says what was waited for. */
const maxWaitMs = 20_000

/** What a program tells, in order. */
export interface Told {
  /** The next so many records. Fails, with all that came, when the program tells no more. */
  take(count: number): Promise<unknown[]>
}

/** A line of records from one program to one test. */
export interface Records extends Told {
  push(record: unknown): void
  /** One record as JSON. */
  read(text: string): void
  /** The program tells no more, because of this. */
  end(reason: string): void
}

/** Makes an empty line. */
export function createRecords(): Records {
  const all: unknown[] = []
  let taken = 0
  let ended: string | undefined
  let wake = () => {}
  const records: Records = {
    push(record) {
      all.push(record)
      wake()
    },
    read(text) {
      try {
        records.push(JSON.parse(text))
      } catch {
        records.end(`"${text}" is no record`)
      }
    },
    end(reason) {
      ended ??= reason
      wake()
    },
    async take(count) {
      let late = false
      const timer = setTimeout(() => {
        late = true
        wake()
      }, maxWaitMs)
      try {
        while (all.length - taken < count) {
          if (late || ended !== undefined) {
            const came = all.slice(taken).map((record) => `\n  ${JSON.stringify(record)}`)
            throw new Error(
              `${count} records were to come and ${came.length} came (${ended ?? `${maxWaitMs} ms passed`}):${came.join('')}`,
            )
          }
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      } finally {
        clearTimeout(timer)
      }
      taken += count
      return all.slice(taken - count, taken)
    },
  }
  return records
}

/** A process of our own. */
export interface Child extends AsyncDisposable, Told {
  readonly pid: number
  /** The lines of its standard error, in order. */
  readonly errors: Told
  /** All that it wrote so far to its standard output. */
  readonly output: () => string
  /** Fulfils with its exit code, `null` when it was killed. */
  readonly exited: Promise<number | null>
}

/** Settings of {@link run}. */
export interface RunOptions {
  /** What it reads from its standard input. */
  readonly input?: string
  readonly env?: Record<string, string>
  /** Whether each line of its standard output is a record as it stands. @defaultValue false: it is JSON */
  readonly plain?: boolean
}

/** Those that run. A test that ran into its time limit disposes of nothing. */
const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** Runs a program that writes a record on each line. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Child {
  const { input = '', env = {}, plain = false } = options
  const child = spawn(command, args, { env: { ...process.env, ...env } })
  const records = createRecords()
  const errors = createRecords()
  const stderr: string[] = []
  let output = ''
  children.add(child)
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  child.once('error', (error) => records.end(error.message))
  child.stdout.on('data', (text: string) => {
    output += text
  })
  onLine(child.stdout, plain ? records.push : records.read)
  onLine(child.stderr, (line) => {
    stderr.push(line)
    errors.push(line)
  })
  void exited.then((code) => {
    children.delete(child)
    const reason = `${command} ended with ${code}${stderr.map((line) => `\n  ${line}`).join('')}\n`
    records.end(reason)
    errors.end(reason)
  })
  child.stdin.on('error', () => {
    // It ended before it read all: `exited` tells.
  })
  child.stdin.end(input)
  return {
    pid: child.pid ?? 0,
    take: records.take,
    errors,
    output: () => output,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Not `readline`, to which U+2028 ends a line as well. */
function onLine(stream: Readable, tell: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) tell(line)
  })
}
