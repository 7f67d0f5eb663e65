import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Direction, ServerConnection } from '@eitherway/core'
import { type TransportSetup, transportSuite } from '@eitherway/core/testing'
import { serve } from '@eitherway/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundle } from './bundle.ts'
import { run, startHub, type TestHub, type Told } from './harness.ts'
import { createTests, type Outcome } from './programs/outcomes.ts'
import { createRemote, type Remote } from './remote.ts'
import type { TransportName } from './remote-words.ts'
import {
  bunCommand,
  type Command,
  denoCommand,
  inChromium,
  inFirefox,
  inWebKit,
  nodeAt,
  nodeCommand,
  type OpenRuntime,
  onBun,
  onDeno,
  type Runtime,
} from './runtimes.ts'

/** Where a run of everything writes what it found, a line of JSON for each; without it only the strangest runs, over one transport. */
const report = process.env['EITHERWAY_RUNTIMES_REPORT']

const transports = [
  { name: 'sse', direction: 'one-way' },
  { name: 'ws', direction: 'two-way' },
  { name: 'sse+post', direction: 'two-way' },
] as const satisfies { name: TransportName; direction: Direction }[]

/** A runtime, and its own server where it has one. */
interface Place {
  readonly runtime: Runtime
  /** Whether its clients have six connections to an origin over HTTP/1.1. */
  readonly browser: boolean
  /** Whether its `fetch` waits for a byte of the body before it shows the head. A hub greets at once, so nobody else notices. */
  readonly awaitsBody?: boolean
  /** Whether a WebSocket client can be paused: Bun's has a word for it, and so has the package's, where the runtime has none. */
  readonly pauses?: boolean
  /** Whether it encodes a header's letters beyond ASCII, which are bytes of UTF-8 already, once more. */
  readonly encodesTwice?: boolean
  readonly server?: {
    readonly program: string
    readonly platform: 'node' | 'module'
    readonly command: Command
  }
}

const browsers: readonly Place[] = [
  { runtime: inChromium, browser: true },
  { runtime: inFirefox, browser: true, awaitsBody: true },
  { runtime: inWebKit, browser: true, encodesTwice: true },
]

function places(): Place[] {
  const found: Place[] = []
  for (const major of ['20', '22', '24', '26']) {
    const file = nodeOf(major)
    if (file === undefined) continue
    found.push({
      runtime: nodeAt(`Node ${major}`, file),
      browser: false,
      pauses: major === '20',
      server: { program: 'node-suites', platform: 'node', command: nodeCommand(file) },
    })
  }
  const own = { program: 'suites', platform: 'module' } as const
  return [
    ...found,
    { runtime: onBun, browser: false, pauses: true, server: { ...own, command: bunCommand() } },
    { runtime: onDeno, browser: false, server: { ...own, command: denoCommand() } },
    ...browsers,
  ]
}

/** The executable of a version of Node, which npm brings. @returns `undefined` where npm cannot */
function nodeOf(major: string): string | undefined {
  const { status, stdout } = spawnSync(
    'npx',
    ['--yes', '-p', `node@${major}`, 'node', '-p', 'process.execPath'],
    { encoding: 'utf8', timeout: 120_000 },
  )
  return status === 0 ? stdout.trim() : undefined
}

const suiteMs = 120_000

describe.each(report === undefined ? browsers.slice(1, 2) : places())(
  '$runtime.name',
  ({ runtime, browser, awaitsBody = false, pauses = false, encodesTwice = false, server }) => {
    describe.skipIf(runtime.missing)('conforms', () => {
      let opened: OpenRuntime
      let host: TestHub
      let remote: Remote
      let program: AsyncDisposable
      beforeAll(async () => {
        opened = await runtime.open()
        host = await startHub()
        remote = await createRemote()
        program = await opened.start('remote', { path: '/live', control: remote.control }, host)
        const told = await remote.version()
        const version = opened.version?.() ?? told
        note({ runtime: runtime.name, version, host: process.versions.node })
      })
      afterAll(async () => {
        await program?.[Symbol.asyncDispose]()
        await remote?.[Symbol.asyncDispose]()
        await host?.[Symbol.asyncDispose]()
        await opened?.[Symbol.asyncDispose]()
      })

      /** Writes down what became of a suite, and fails where any of it did. */
      function judge(suite: string, outcomes: readonly Outcome[], least: number): void {
        const failed = outcomes.filter(([, outcome]) => outcome !== 'fine')
        note({ runtime: runtime.name, suite, passed: outcomes.length - failed.length, failed })
        expect(failed).toEqual([])
        expect(outcomes.length).toBeGreaterThanOrEqual(least)
      }

      test.each(report === undefined ? transports.slice(0, 1) : transports)(
        'its client of $name, against `serve` on Node',
        { timeout: suiteMs },
        async ({ name, direction }) => {
          const tests = createTests()
          transportSuite({
            test: tests.test,
            direction,
            network: true,
            pauses: pauses || name !== 'ws',
            // A WebSocket has no headers in a browser: there it is in the URL.
            anyPosition: !encodesTwice || name === 'ws',
            ...(browser && { maxLinks: 6 }),
            setup: () =>
              setUp(remote, name, direction, { page: host.origin, greets: awaitsBody && name !== 'ws' }),
          })
          const outcomes: Outcome[] = []
          await tests.run((outcome) => outcomes.push(outcome))
          judge(`client ${name}`, outcomes, 30)
        },
      )

      if (report === undefined) return

      test.each([
        { suite: 'codecs', least: 60 },
        { suite: 'broker', least: 15 },
      ])('the suite of the $suite', { timeout: suiteMs }, async ({ suite, least }) => {
        await using running = await opened.start('pure', { path: '/live', suite }, host)
        judge(suite, await outcomesOf(running), least)
      })

      if (server === undefined) return

      test.each(transports)('its own server of $name', { timeout: suiteMs }, async ({ name }) => {
        const { file, args, env = {} } = server.command
        const input = await bundle(server.program, { transport: name }, server.platform)
        await using running = run(file, args, { input, env })
        judge(`server ${name}`, await outcomesOf(running), 30)
      })
    })
  },
)

function note(found: object): void {
  if (report !== undefined) appendFileSync(report, `${JSON.stringify(found)}\n`)
}

async function outcomesOf(program: Told): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (;;) {
    const [outcome] = await program.take(1)
    if (outcome === 'end') return outcomes
    outcomes.push(outcome as Outcome)
  }
}

/** A server here, for the client over there. */
async function setUp<D extends Direction>(
  remote: Remote,
  name: TransportName,
  direction: D,
  { page, greets }: { page: string; greets: boolean },
): Promise<TransportSetup<D>> {
  const waiting: ((connection: ServerConnection) => void)[] = []
  const sockets = new Set<Socket>()
  const server = createServer()
  server.on('connection', (socket) => sockets.add(socket))
  const hub = {
    admit: () => (connection: ServerConnection) => {
      if (greets) connection.write(connection.encoder.encode({ type: 'heartbeat' }))
      waiting.shift()?.(connection)
    },
    refused: () => undefined,
  }
  // A page is of another origin than this server.
  serve(hub, server, { path: '/live', origins: [page] })
  const nowhere = createServer().listen(0, '127.0.0.1')
  server.listen(0, '127.0.0.1')
  await Promise.all([once(server, 'listening'), once(nowhere, 'listening')])
  const liveAt = (port: number) => new URL(`http://127.0.0.1:${port}/live`)
  const { port: unused } = nowhere.address() as AddressInfo
  nowhere.close()
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    transport: remote.transport(name, direction),
    url: liveAt((server.address() as AddressInfo).port),
    accepted: () => new Promise((resolve) => waiting.push(resolve)),
    network: { cut, nowhere: liveAt(unused) },
    async close() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
