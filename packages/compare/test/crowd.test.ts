import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { House } from '../src/contender.ts'
import { contenders } from '../src/contenders/node.ts'
import { openCrowd } from '../src/crowd.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { createTally } from '../src/tally.ts'
import { stageProgram } from './program.ts'

const sseHead =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX: é\r\n\r\n'
const wsHead = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'

const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

function frame(payload: string | Uint8Array, opcode = 1, isFinal = true): Buffer {
  const body = Buffer.from(payload as string)
  const size = body.length
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10)
  head[0] = opcode | (isFinal ? 0x80 : 0)
  head[1] = size < 126 ? size : size < 65_536 ? 126 : 127
  if (head.length === 4) head.writeUInt16BE(size, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(size), 2)
  return Buffer.concat([head, body])
}

interface Stream {
  readonly title: string
  readonly transport: 'sse' | 'ws'
  readonly house: House
  readonly head: string
  readonly body: Buffer
  readonly messages: number
  /** What the server is owed. */
  readonly answer?: string
}

const streams: readonly Stream[] = [
  {
    title: 'SSE',
    transport: 'sse',
    house: 'ours',
    head: sseHead,
    messages: 7,
    body: Buffer.from(
      [
        chunk('retry: 500\nid: a-0\nevent: ~hello\ndata: {"heartbeatMs":1000}\n\n'),
        chunk('id: a-1\nevent: prices\ndata: 1\n\n'),
        chunk(':\n\n'),
        chunk('id: a-2\nevent: prices\ndata: one\ndata: \ndata: event: ~two\n\n'),
        chunk('id: a-3\nevent: prices\ndata: \n\nid: a-4\nevent: prices\ndata: ü\n\n'),
        chunk(`id: a-5\nevent: prices\ndata: ${'data: \u{1f600} '.repeat(2000)}\n\n`),
        chunk('id: a-6\nevent: ~position\ndata: \n\n'),
        chunk('event:~gap\ndata: {}\n\n'),
        chunk('id: a-7\nevent: pri'),
        chunk('ces\ndata: split\n'),
        chunk('\nid: a-8\n\n'),
        chunk('data\n\n'),
        chunk('id: a-9\nevent: '),
        chunk('~gap\ndata: {}\n\n'),
      ].join(''),
    ),
  },
  {
    title: 'SSE with CRLF',
    transport: 'sse',
    house: 'bare',
    head: sseHead,
    messages: 3,
    body: Buffer.from(
      chunk(
        'id: 1\r\ndata: 1\r\n\r\n:\r\n\r\ndata\r\n\r\nevent: ~x\r\ndata: x\r\n\r\nid: 2\r\ndata:2\r\n\r\n',
      ),
    ),
  },
  {
    title: 'WebSocket',
    transport: 'ws',
    house: 'ours',
    head: wsHead,
    messages: 7,
    answer: '8a85000000006461746131' + '8a8000000000',
    body: Buffer.concat([
      frame('\n~retry\n500'),
      frame('a-0\n~hello\n{"heartbeatMs":1000}'),
      frame('a-1\nprices\n1'),
      frame('data1', 9),
      frame('\n~heartbeat\n'),
      frame('\n\n'),
      frame('a-2\nprices\n~no\n~no'),
      frame(`a-3\nprices\n${'x'.repeat(200)}`),
      frame(`a-4\nprices\n${'ü'.repeat(40_000)}`),
      frame(Buffer.from('a-5\nprices\n\0\xff', 'latin1'), 2),
      frame('a-6\npri', 1, false),
      frame('', 9),
      frame('ces\nin', 0, false),
      frame('parts', 0),
      frame('', 10),
      frame('a-7\n', 1, false),
      frame('~gap\n{}', 0),
    ]),
  },
  {
    title: 'WebSocket, bare',
    transport: 'ws',
    house: 'bare',
    head: wsHead,
    messages: 4,
    body: Buffer.concat([frame(''), frame('1 2'), frame('x\n~y'), frame('z'.repeat(126), 2)]),
  },
]

/** Park and Miller's numbers, so that a failure can be had again. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

describe.each(streams)('what is heard over $title is counted', ({ transport, house, head, ...stream }) => {
  const whole = Buffer.concat([Buffer.from(head), stream.body])
  const cuts: readonly [string, (left: number) => number][] = [
    ['whole', (left) => left],
    ['byte by byte', () => 1],
    ...Array.from({ length: 40 }, (_, seed): [string, (left: number) => number] => {
      const random = randomOf(seed + 1)
      return [`in pieces of seed ${seed + 1}`, () => 1 + Math.floor(random() ** 4 * 3000)]
    }),
  ]

  test.each(cuts)('%s', (_, next) => {
    const answers: Buffer[] = []
    const tally = createTally(transport, house, (bytes) => answers.push(Buffer.from(bytes)))
    // As on a socket: each piece lies in a buffer that is used again.
    const buffer = Buffer.alloc(whole.length)
    for (let at = 0; at < whole.length; ) {
      const end = Math.min(whole.length, at + next(whole.length - at))
      buffer.fill(0x0a)
      whole.copy(buffer, 0, at, end)
      tally.push(buffer, end - at)
      at = end
    }
    expect(tally.open).toBe(true)
    expect(tally.messages).toBe(stream.messages)
    expect(tally.bytes).toBe(stream.body.length)
    expect(Buffer.concat(answers).toString('hex')).toBe(stream.answer ?? '')
  })
})

test.each<[string, 'sse' | 'ws', string | Buffer, string]>([
  ['a refusal', 'sse', 'HTTP/1.1 503 Service Unavailable\r\n\r\n', 'the answer has the status 503'],
  ['an upgrade that is none', 'ws', 'HTTP/1.1 200 OK\r\n\r\n', 'the answer has the status 200'],
  ['a stream without chunks', 'sse', 'HTTP/1.1 200 OK\r\n\r\n', 'the answer is not chunked'],
  ['a head without end', 'sse', 'x'.repeat(20_000), 'the answer has no end of its head'],
  ['the end of a stream', 'sse', `${sseHead}0\r\n\r\n`, 'the stream has ended'],
  ['a chunk that goes on', 'sse', `${sseHead}1\r\nxx\r\n`, 'a chunk is longer than it says'],
  [
    'a close',
    'ws',
    Buffer.concat([Buffer.from(wsHead), frame(Buffer.from([0x0f, 0xa8]), 8)]),
    'closed with 4008',
  ],
  ['a message without a name', 'ws', Buffer.concat([Buffer.from(wsHead), frame('x')]), 'no id and no event'],
])('%s is told', (_, transport, bytes, complaint) => {
  const tally = createTally(transport, 'ours', () => undefined)
  expect(() => tally.push(Buffer.from(bytes as string))).toThrow(complaint)
})

let stage: SpawnedStage
let program: URL
beforeAll(async () => {
  program = await stageProgram()
  stage = await spawnStage({ program })
})
afterAll(async () => {
  await stage?.close()
  await rm(new URL('.', program), { recursive: true })
})

const signal = new AbortController().signal
let named = 0

async function openOn(row: (typeof contenders)[number], size: number) {
  named += 1
  const channel = `crowd-${named}`
  const crowd = await openCrowd({ origin: stage.origins.direct, row, size, channel, signal })
  await stage.ask('wait', { house: row.house, count: size })
  const publish = (count: number, bytes: number) =>
    stage.ask('publish', { house: row.house, channel, count, bytes, kind: 'text', everyMs: 0, burst: 7 })
  return { crowd, publish }
}

describe.each(contenders)('a crowd of $name', (row) => {
  test('counts each message once for each client', async () => {
    const { crowd, publish } = await openOn(row, 30)
    await using _ = crowd
    await publish(40, 100)
    await publish(3, 70_000)
    await crowd.reach(43)
    await crowd.expect(43)
    expect(crowd.messages).toEqual(new Array(30).fill(43))
    expect(crowd.bytes).toBeGreaterThan(30 * (40 * 100 + 3 * 70_000))
  })

  test('misses what is lost, and counts what comes twice', async () => {
    const { crowd, publish } = await openOn(row, 3)
    await using _ = crowd
    await stage.ask('plant', { loseEvery: 10 })
    await publish(20, 50)
    await crowd.reach(18)
    await expect(crowd.expect(20)).rejects.toThrow('3 of 3 clients heard 18 messages instead of 20')
    await stage.ask('plant', { doubleEvery: 10 })
    await publish(20, 50)
    await crowd.reach(40)
    await expect(crowd.expect(38)).rejects.toThrow('3 of 3 clients heard 40 messages instead of 38')
    await stage.ask('plant', {})
  })

  test('says so when a connection is lost, and when nothing comes', async () => {
    const { crowd } = await openOn(row, 2)
    await using _ = crowd
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const silent = expect(crowd.reach(1)).rejects.toThrow('2 of 2 clients heard 0 messages instead of 1')
      vi.advanceTimersByTime(60_000)
      await silent
    } finally {
      vi.useRealTimers()
    }
    const lost = expect(crowd.reach(1)).rejects.toThrow('connection')
    await stage.ask('cut', { client: 'crowd' })
    await lost
    await expect(crowd.expect(0)).rejects.toThrow('connection')
  })

  test('leaves the stage without a trace', async () => {
    {
      const { crowd } = await openOn(row, 50)
      await using _ = crowd
    }
    expect(await stage.ask('wait', { house: row.house, count: 0 })).toEqual({ connected: 0 })
  })
})

test('a crowd ends its wait when the run does', async () => {
  const over = new AbortController()
  const row = contenders[0] as (typeof contenders)[number]
  await using crowd = await openCrowd({
    origin: stage.origins.direct,
    row,
    size: 1,
    channel: 'x',
    signal: over.signal,
  })
  const waiting = expect(crowd.reach(1)).rejects.toThrow('enough')
  over.abort(new Error('enough'))
  await waiting
})

test.skipIf(process.platform === 'win32')(
  'more connections than this process may have are a clear error',
  async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `
        import { openCrowd } from './crowd.ts'
        const row = { transport: 'ws', house: 'bare' }
        const signal = new AbortController().signal
        openCrowd({ origin: process.argv[2], row, size: 500, channel: 'x', signal })
          .then(() => console.log('open'), (error) => console.log(error.name, error.message))`,
        resolveDir: fileURLToPath(new URL('../src/', import.meta.url)),
        loader: 'ts',
      },
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      target: 'node20',
    })
    const file = new URL('few.mjs', program)
    await writeFile(file, outputFiles[0]?.text ?? '')
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      'ulimit -n 100 && exec "$0" "$@"',
      process.execPath,
      fileURLToPath(file),
      stage.origins.direct,
    ])
    expect(stdout).toBe('CrowdLimitError so many files may not be open here (EMFILE); see `ulimit -n`\n')
  },
)
