import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { readCommand } from '../src/command.ts'
import type { Contender } from '../src/contender.ts'
import { progressLine, shareOf } from '../src/progress-bar.ts'
import type { Report } from '../src/report.ts'
import { runAll } from '../src/run.ts'
import type { Scenario } from '../src/scenario.ts'
import { latency } from '../src/scenarios/latency.ts'
import { targetLimits } from '../src/target.ts'
import { type Flood, floodingServer, frameOf } from './flood.ts'

let folder: string
beforeAll(async () => {
  folder = await builtCli()
})
afterAll(() => rm(folder, { recursive: true }))

/** The program from its sources, so that a test needs no build. It lies where its packages are found. */
async function builtCli(): Promise<string> {
  const to = await mkdtemp(join(fileURLToPath(new URL('../node_modules/', import.meta.url)), '.cli-'))
  const source = (path: string) => fileURLToPath(new URL(`../src/${path}`, import.meta.url))
  await build({
    // The stage is started by a module beside its program: as an entry, it stays there.
    entryPoints: ['cli.ts', 'stage/main.ts', 'stage/spawn.ts'].map(source),
    outdir: to,
    bundle: true,
    splitting: true,
    chunkNames: 'stage/[name]-[hash]',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['ws', 'eventsource', 'selfsigned', 'playwright-core', 'puppeteer-core'],
    conditions: ['@eitherway/source'],
    logLevel: 'error',
  })
  return to
}

function start(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } {
  const child = spawn(process.execPath, [join(folder, 'cli.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
    env: { ...process.env, npm_lifecycle_event: undefined, ...env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function run(args: readonly string[], env?: NodeJS.ProcessEnv) {
  const child = start(args, env)
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'exit') as Promise<[number]>,
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, stdout, stderr }
}

const url = ['--sse', 'http://127.0.0.1:9/']

test.each<[readonly string[], string]>([
  [['latecy'], 'there is no scenario "latecy"; did you mean latency?'],
  [['frobnicate'], 'there is no scenario "frobnicate"; --list shows them all'],
  [['--json', 'report'], 'there is no scenario "report"; --list shows them all'],
  [['--json', '--html'], 'only one report fits into standard output: name a file for --json or --html'],
  [
    ['--json', '-', '--markdown=-'],
    'only one report fits into standard output: name a file for --json or --markdown',
  ],
  [['--json', '--json'], 'only one report fits into standard output: name a file for --json or --json'],
  [['--json', 'a.txt', '--html', 'a.txt'], 'two reports cannot be one file: "a.txt"'],
  [['--html='], '--html= must name a file, or stand without the = for standard output'],
  [['--rounds', '0'], '--rounds must be a whole number from 1 to 100, got "0"'],
  [['--rounds', '2.5'], '--rounds must be a whole number from 1 to 100, got "2.5"'],
  [['--rounds=-1'], '--rounds must be a whole number from 1 to 100, got "-1"'],
  [['--rounds'], "Option '--rounds <value>' argument missing"],
  [['--browser', 'safari'], '--browser must be chromium or firefox, got "safari"'],
  [['--load', '10'], '--load is for a server of yours: name it with --sse or --ws'],
  [['--seconds', '3'], '--seconds is for a server of yours: name it with --sse or --ws'],
  [[...url, '--load', '1001'], '--load must be a whole number from 1 to 1,000, got "1001"'],
  [[...url, '--load', '0'], '--load must be a whole number from 1 to 1,000, got "0"'],
  [
    [...url, '--seconds', '21'],
    '--seconds must be a whole number from 1 to 20, got "21"; with --load up to 300',
  ],
  [[...url, 'latency'], 'latency runs on a server of its own: leave it or --sse out'],
  [
    [...url, '--browser', 'firefox'],
    '--browser and --sse do not go together: your server is measured from Node',
  ],
  [['--sse', 'ws://host/'], '--sse must be a URL that starts with http:// or https://, got "ws://host/"'],
  [['--sse', 'host:80'], '--sse must be a URL that starts with http:// or https://, got "host:80"'],
  [['--ws', 'http://host/'], '--ws must be a URL that starts with ws:// or wss://, got "http://host/"'],
  [['--ws', 'ws://me:secret@host/'], '--ws must not hold a user name or password: URLs end up in logs'],
  [['--roundz', '3'], "Unknown option '--roundz'"],
])('%j is refused', (args, complaint) => {
  expect(readCommand(args, ['latency', 'wire'])).toEqual({ do: 'refuse', complaint })
})

test.each<[readonly string[], object]>([
  [[], { scenarios: [], quick: false, outputs: [], target: undefined }],
  [['wire', 'latency', 'wire', '--quick'], { scenarios: ['wire', 'latency'], quick: true }],
  [['--json', 'latency'], { scenarios: ['latency'], outputs: [{ form: 'json', file: undefined }] }],
  [
    ['--json=out', '--html', 'a/b', '--markdown', '-'],
    {
      outputs: [
        { form: 'json', file: 'out' },
        { form: 'markdown', file: undefined },
        { form: 'html', file: 'a/b' },
      ],
    },
  ],
  [['--browser', 'firefox', '--browser', 'chromium'], { browsers: ['firefox', 'chromium'] }],
  [
    [...url, '--load', '50', '--seconds', '120'],
    { load: 50, seconds: 120, target: { sse: new URL('http://127.0.0.1:9/') } },
  ],
])('%j is understood', (args, run) => {
  expect(readCommand(args, ['latency', 'wire'])).toMatchObject({ do: 'run', run })
})

test.each<[readonly string[], string, NodeJS.ProcessEnv]>([
  [['latecy'], 'there is no scenario "latecy"; did you mean latency?', {}],
  [['--html', '.'], '. is a folder; name a file in it', {}],
  [['--html', 'no/such/folder.html'], 'no/such/folder.html cannot be written; name another file', {}],
  [['tabs'], 'tabs: in a browser only: add --browser chromium', {}],
  [
    ['recommend'],
    'npm kept --binary for itself: put a -- before it, as in npm run compare -- recommend --binary …',
    { npm_lifecycle_event: 'compare', npm_config_binary: 'true' },
  ],
  [
    ['recommend', '7'],
    'npm kept --fan-out for itself: put a -- before it, as in npm run compare -- recommend --fan-out …',
    { npm_lifecycle_event: 'compare', npm_config_fan_out: 'true' },
  ],
  [
    ['recommend', 'report.json'],
    'npm kept --report for itself: put a -- before it, as in npm run compare -- recommend --report …',
    { npm_lifecycle_event: 'compare', npm_config_report: 'true' },
  ],
  [
    ['recommend', '10'],
    '"10" has lost its option, which npm keeps unless a -- stands before it: npm run compare -- recommend --up 10',
    { npm_lifecycle_event: 'compare' },
  ],
  [
    ['lab', '3000'],
    'npm kept --port for itself: put a -- before it, as in npm run compare -- lab --port …',
    { npm_lifecycle_event: 'compare', npm_config_port: 'true' },
  ],
  [
    [],
    'npm kept --quick for itself: put a -- before it, as in npm run compare -- --quick …',
    { npm_lifecycle_event: 'compare', npm_config_quick: 'true' },
  ],
])('%j ends with one line and code 2', async (args, complaint, env) => {
  expect(await run(args, env)).toEqual({
    code: 2,
    stdout: '',
    stderr: `${complaint}; --help says what there is\n`,
  })
})

test('lab is the page: its own words answer', async () => {
  const { code, stderr } = await run(['lab', '--port', 'eighty'])
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: '--port must be a number from 0 to 65535, got "eighty"; --help says what there is\n',
  })
})

test.each(['-h', '--help'])(
  '%s is answered after each command, and names how it was called',
  async (flag) => {
    const [advice, lab, labOfNpm] = await Promise.all([
      run(['recommend', flag]),
      run(['lab', flag]),
      run(['lab', flag], { npm_lifecycle_event: 'compare' }),
    ])
    expect([advice.code, lab.code, labOfNpm.code]).toEqual([0, 0, 0])
    expect(advice.stdout).toContain('--fan-out <n>')
    expect(lab.stdout).toContain('  eitherway-compare lab [--port')
    expect(labOfNpm.stdout).toContain('  npm run compare -- lab [--port')
  },
)

test('--help and --list say what there is', async () => {
  const [help, list] = await Promise.all([run(['--help']), run(['--list'])])
  expect([help.code, help.stderr, list.code, list.stderr]).toEqual([0, '', 0, ''])
  for (const option of ['--json', '--sse', '--load', 'lab', 'at most 10 minutes'])
    expect(help.stdout).toContain(option)
  expect(list.stdout).toContain(`latency  `)
})

test('a quick run of latency holds every row, as JSON and as a page that needs nothing', async () => {
  const { code, stdout, stderr } = await run(['latency', '--quick', '--json', '--html', 'report.html'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: `wrote ${join(folder, 'report.html')}\n` })
  const report = JSON.parse(stdout) as Report
  expect(report).toMatchObject({ version: 1, machine: { node: process.versions.node } })
  const [result] = report.results
  expect(report.results).toHaveLength(1)
  expect(result?.rows.map(({ name }) => name)).toEqual(['sse', 'ws', 'sse-bare', 'ws-bare'])
  const measured = new Set(result?.cells.map(({ row, figure }) => `${row} ${figure}`))
  // The messages of a quick run are too few for p99.9.
  expect(measured.size).toBe(4 * (latency.figures.length - 1))
  const html = await readFile(join(folder, 'report.html'), 'utf8')
  expect(html).not.toMatch(/<(script|link|img|iframe)|\b(src|href)="(?!#)|url\(|@import|https?:\/\//i)
})

test('without a form, it is shown as tables', async () => {
  const { code, stdout, stderr } = await run(['latency', '--quick', '--rounds', '1'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(`\n${stdout}`).toContain(`\nLatency (Node ${process.versions.node}`)
  expect(stdout).toMatch(/^ {2}EventSource, bare http +\d/m)
})

test('Ctrl-C ends it cleanly, with what was measured so far', async () => {
  // It says nothing and answers nobody, so that the run is surely not over yet.
  let asked = 0
  const server = createServer((_request, response) => {
    asked += 1
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    // The second round of the first row has begun.
    if (asked === 5) child.kill('SIGINT')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close().closeAllConnections())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const child = start(['--sse', `http://127.0.0.1:${port}/live?token=secret`, '--json'])
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ])
  expect(code).toBe(130)
  expect(stderr).toBe('ending, with what was measured so far; once more ends at once\n')
  const report = JSON.parse(stdout) as Report
  expect(report.target).toEqual({ sse: `http://127.0.0.1:${port}/live?token` })
  expect(report.results[0]?.cells.map(({ row, figure }) => `${row} ${figure}`)).toContain('sse open')
  expect(report.results[0]?.notes).toContainEqual({ what: 'the rest', why: 'the run was ended' })
})

test('a server that is not there is a failure, in one line', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const { code, stderr } = await run(['--ws', `ws://127.0.0.1:${port}/`, '--quick'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^server failed: .*ECONNREFUSED.*\n$/)
})

test('a WebSocket server that hangs up at once is reported', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => server.close())
  server.on('connection', (socket) => socket.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { code, stdout, stderr } = await run(['--ws', `ws://127.0.0.1:${port}/`, '--quick', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const report = JSON.parse(stdout) as Report
  expect(report.results[0]?.cells.map(({ row, figure }) => `${row} ${figure}`)).toContain('ws open')
  expect(report.results[0]?.notes).toContainEqual({
    what: 'WebSocket, messages',
    why: 'the link had ended before they were counted',
  })
})

test('what a server says cannot steer the terminal', async () => {
  const server = createServer((_request, response) =>
    response.writeHead(200, { 'Content-Type': 'text/\u009b31m' }).end(),
  ).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close().closeAllConnections())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { code, stdout, stderr } = await run(['--sse', `http://127.0.0.1:${port}/`, '--quick', '--json'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^server failed: .*text\/\ufffd31m.*\n$/)
  expect(stdout).not.toContain('\u009b')
  expect(JSON.stringify(JSON.parse(stdout))).toContain('\ufffd31m')
})

test.each<[string, Flood]>([
  [
    'messages',
    {
      event: Buffer.from('data: hi\n\n'.repeat(6000)),
      frame: Buffer.from('\x81\x02hi'.repeat(9000), 'latin1'),
    },
  ],
  [
    'a message that never ends',
    { event: Buffer.alloc(65_536, 'data:xxx'), firstFrame: frameOf(0x01), frame: frameOf(0x00) },
  ],
  [
    'lines of a message that never ends, or pings',
    {
      event: Buffer.from('data: xxxxxxx\n'.repeat(4000)),
      frame: Buffer.from('\x89\x00'.repeat(9000), 'latin1'),
    },
  ],
])(
  'a server that floods with %s fills no memory, and costs no more than its time',
  async (_, what) => {
    const host = `127.0.0.1:${await floodingServer(what)}`
    const tellMemory = `process.on('exit', () => console.error('maxRSS ' + process.resourceUsage().maxRSS))`
    const startedAt = performance.now()
    const { stdout, stderr } = await run(
      ['--sse', `http://${host}/`, '--ws', `ws://${host}/`, '--rounds', '1', '--seconds', '1', '--json'],
      { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(tellMemory)}` },
    )
    const [, kibibytes] = /^maxRSS (\d+)$/m.exec(stderr) ?? []
    // Of which the program itself takes a quarter.
    expect(Number(kibibytes)).toBeLessThan(400 * 1024)
    expect(performance.now() - startedAt).toBeLessThan(1000 * (targetLimits.seconds + 5))
    expect((JSON.parse(stdout) as Report).results).toHaveLength(1)
  },
  1000 * (targetLimits.seconds + 10),
)

test('a scenario that fails or takes too long costs no other, and what it had is kept', async () => {
  const row: Contender = {
    name: 'sse',
    title: 'SSE',
    transport: 'sse',
    control: false,
    house: 'ours',
    open: () => Promise.reject(new Error('not asked for')),
  }
  const scenarioOf = (name: string, after: (signal: AbortSignal) => Promise<void>): Scenario => ({
    ...latency,
    name,
    async run(bench) {
      await bench.measure({ cases: [{ title: '', value: 1 }], rows: [row], rounds: 1 }, async () => ({
        p50: 1,
      }))
      await after(bench.signal)
    },
    explain: () => name,
  })
  const failures: string[] = []
  const report = await runAll({
    scenarios: [
      scenarioOf('broken', () => Promise.reject(new Error('it broke'))),
      scenarioOf('endless', async (signal) => {
        await once(signal, 'abort')
        signal.throwIfAborted()
      }),
      scenarioOf('fine', async () => undefined),
    ],
    // Without a stage: these ask for none.
    target: {},
    limitMs: 2000,
    onFailure: ({ name }, reason) => failures.push(`${name}: ${reason}`),
  })
  expect(failures).toEqual(['broken: it broke', 'endless: it took longer than 2 s, and was ended'])
  expect(report.results.map(({ scenario, cells, notes }) => [scenario, cells.length, notes[0]?.why])).toEqual(
    [
      ['broken', 1, 'failed: it broke'],
      ['endless', 1, 'it took longer than 2 s, and was ended'],
      ['fine', 1, undefined],
    ],
  )
})

test('the line of progress is as long as the terminal is wide, and says what is left', () => {
  const share = shareOf({ scenario: '', title: '', done: 5, of: 10, now: '' }, { index: 1, of: 4 })
  const line = progressLine({ title: 'Latency', now: 'SSE, 100 B', share, elapsedMs: 30_000 }, 200)
  expect(line).toBe('████████░░░░░░░░░░░░  38 % · 50 s left · Latency · SSE, 100 B')
  expect(progressLine({ title: 'Latency', now: 'SSE, 100 B', share, elapsedMs: 0 }, 40)).toHaveLength(39)
})
