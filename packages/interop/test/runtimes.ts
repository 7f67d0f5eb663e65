import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { launch } from 'puppeteer-core'
import { createRecords, lacks, run, type TestHub, type Told } from './harness.ts'
import { lacksWebKit, openWebKit, prelude } from './webkit.ts'

/** What can run one of our programs. */
export interface Runtime {
  readonly name: string
  /** Whether it is not here. */
  readonly missing: boolean
  /** Makes it ready, once for many programs. */
  open(): Promise<OpenRuntime>
}

export interface OpenRuntime extends AsyncDisposable {
  /** Its version, where a program within cannot tell. There from the first program on. */
  readonly version?: () => string
  /** Runs a program of `programs/` with these settings; it speaks to the hub at `/live`. */
  start(program: Program, settings: Settings, hub: Pick<TestHub, 'origin' | 'page'>): Promise<RunningProgram>
}

export interface RunningProgram extends AsyncDisposable, Told {}

export type Program = 'client' | 'event-source' | 'web-socket' | 'remote' | 'pure'

/** The program's own, and the hub's URL as the runtime names it. */
export type Settings = { readonly path: string; readonly scheme?: 'http' | 'ws' } & Record<string, unknown>

const require = createRequire(import.meta.url)

/** The programs, and what they need on Node, which has neither `EventSource` nor, before 22, `WebSocket`. */
const packages: Readonly<Record<Program, string>> = {
  client: '',
  remote: '',
  pure: '',
  'event-source': `import { EventSource } from 'eventsource'; globalThis.EventSource = EventSource;`,
  'web-socket': `import { WebSocket } from 'ws'; globalThis.WebSocket = WebSocket;`,
}

async function bundle(
  program: Program,
  settings: Settings,
  origin: string,
  platform: 'browser' | 'node',
): Promise<string> {
  const { path, scheme = 'http', ...rest } = settings
  const url = origin.replace('http', scheme) + path
  const { outputFiles } = await build({
    stdin: {
      contents: `${platform === 'node' ? packages[program] : ''}
        import { start } from './${program}.ts'
        void start(${JSON.stringify({ url, ...rest })})`,
      resolveDir: fileURLToPath(new URL('programs', import.meta.url)),
    },
    bundle: true,
    write: false,
    platform,
    format: platform === 'node' ? 'cjs' : 'esm',
    conditions: ['@eitherway/source'],
  })
  return outputFiles[0]!.text
}

/** A runtime of the command line, which reads its program from standard input. */
function commandLine(name: string, platform: 'browser' | 'node', command: () => Command): Runtime {
  return {
    name,
    missing: false,
    async open() {
      const { file, args, env = {} } = command()
      return {
        async start(program, settings, { origin }) {
          return run(file, args, { input: await bundle(program, settings, origin, platform), env })
        },
        async [Symbol.asyncDispose]() {},
      }
    },
  }
}

/** As much of a browser's page as both drivers have. */
interface Page {
  onLog(tell: (text: string) => void): void
  goto(url: string): Promise<unknown>
  close(): Promise<void>
}

interface OpenBrowser extends Pick<OpenRuntime, 'version'> {
  newPage(): Promise<Page>
  close(): Promise<void>
}

/**
 * One browser for many pages.
 *
 * @param before - a script that each page runs before its program
 */
function browser(open: () => Promise<OpenBrowser>, before = '') {
  return async (): Promise<OpenRuntime> => {
    const opened = await open()
    return {
      ...(opened.version && { version: opened.version }),
      async start(program, settings, hub) {
        const url = hub.page(before + (await bundle(program, settings, hub.origin, 'browser')))
        const page = await opened.newPage()
        const records = createRecords()
        page.onLog(records.read)
        await page.goto(url)
        return { take: records.take, [Symbol.asyncDispose]: () => page.close() }
      },
      [Symbol.asyncDispose]: () => opened.close(),
    }
  }
}

export const inChromium: Runtime = {
  name: 'Chromium',
  missing: lacks('chromium'),
  open: browser(async () => {
    const opened = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
    return {
      async newPage() {
        const page = await opened.newPage()
        return {
          onLog: (tell) => page.on('console', (line) => line.type() === 'log' && tell(line.text())),
          goto: (url) => page.goto(url),
          close: () => page.close(),
        }
      },
      close: () => opened.close(),
    }
  }),
}

export const inFirefox: Runtime = {
  name: 'Firefox',
  missing: lacks('firefox'),
  open: browser(async () => {
    // Firefox writes to its home, which need not be writable.
    const home = await mkdtemp(join(tmpdir(), 'eitherway-firefox-'))
    const opened = await launch({
      browser: 'firefox',
      executablePath: '/usr/bin/firefox-esr',
      env: { ...process.env, HOME: home },
    })
    return {
      async newPage() {
        const page = await opened.newPage()
        return {
          onLog: (tell) => page.on('console', (line) => line.type() === 'log' && tell(line.text())),
          goto: (url) => page.goto(url),
          close: () => page.close(),
        }
      },
      async close() {
        await opened.close()
        await rm(home, { recursive: true, force: true })
      },
    }
  }),
}

export const inWebKit: Runtime = {
  name: 'WebKit',
  missing: lacksWebKit,
  open: browser(openWebKit, prelude),
}

/** What runs a program of its standard input. */
export interface Command {
  readonly file: string
  readonly args: string[]
  readonly env?: Record<string, string>
}

export const nodeCommand = (file = process.execPath): Command => ({ file, args: ['-'] })

export const bunCommand = (): Command => ({ file: require.resolve('bun/bin/bun.exe'), args: ['run', '-'] })

export const denoCommand = (): Command => ({
  file: require.resolve('deno/deno'),
  args: ['run', '--quiet', '--allow-net=127.0.0.1', '-'],
  env: { DENO_NO_UPDATE_CHECK: '1' },
})

/** @param file - its executable. @defaultValue this process's */
export const nodeAt = (name: string, file?: string): Runtime =>
  commandLine(name, 'node', () => nodeCommand(file))

export const onNode = nodeAt('Node')

export const onBun = commandLine('Bun', 'browser', bunCommand)

export const onDeno = commandLine('Deno', 'browser', denoCommand)
