import { expect, test } from 'vitest'
import { createReader, type Dialect, type Tally } from '../wire.mjs'

const rawGreeting = 'HTTP/1.1 200 OK\r\n\r\nwelcome\n'
const upgraded = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'
const streaming = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'

/** A frame as servers send it. */
function frame(payload: string, opcode = 1): Buffer {
  const bytes = Buffer.from(payload)
  const { length } = bytes
  const head =
    length < 126
      ? Buffer.of(0x80 | opcode, length)
      : length < 65_536
        ? Buffer.of(0x80 | opcode, 126, length >> 8, length & 255)
        : Buffer.concat([Buffer.of(0x80 | opcode, 127), Buffer.alloc(8)])
  if (length >= 65_536) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, bytes])
}

/** A chunk of HTTP/1.1. */
const chunk = (text: string) => Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)

interface Wire {
  readonly head: string
  /** What must come first, and is no unit. */
  readonly greeting: readonly Buffer[]
  readonly units: readonly Buffer[]
  /** What may come anywhere, and is no unit. */
  readonly others: readonly Buffer[]
}

const long = 'x'.repeat(200)
const wires: Record<Exclude<Dialect, 'raw'>, Wire> = {
  ws: {
    head: upgraded,
    greeting: [frame('welcome')],
    units: [frame('one'), frame(''), frame(long), frame('two', 2)],
    others: [frame('', 9), frame('beat', 9), frame('', 10)],
  },
  'eitherway.ws': {
    head: upgraded,
    greeting: [frame('\n~hello\n{"heartbeatMs":0}')],
    units: [frame('a1\nbench\n"one"'), frame('a2\nbench\n""'), frame(`a3\nbench\n"~${long}"`)],
    others: [frame('a1\n~position\n'), frame('\n~beat\n'), frame('', 9)],
  },
  'socket.io': {
    head: upgraded,
    greeting: [frame('0{"sid":"a"}'), frame('40{"sid":"b"}'), frame('42["bench","welcome"]')],
    units: [frame('42["bench","one"]'), frame(`42["bench","${long}"]`)],
    others: [frame('2'), frame('', 9)],
  },
  sse: {
    head: streaming,
    greeting: [chunk('data: welcome\n\n')],
    units: [
      chunk('data: one\n\n'),
      chunk('data\ndata: two\ndata: lines\n\n'),
      chunk(`id: 1\ndata:${long}\n\n`),
    ],
    others: [
      chunk(':\n\n'),
      chunk(': a comment, and data: too\n\n'),
      chunk('id: 1\n\n'),
      chunk('retry: 5\n\n'),
    ],
  },
  'eitherway.sse': {
    head: streaming,
    greeting: [chunk('event: ~hello\ndata: {"heartbeatMs":0}\n\n')],
    units: [
      chunk('id: a1\nevent: bench\ndata: "one"\n\n'),
      chunk(`id: a2\nevent: bench\ndata: "${long}"\n\n`),
    ],
    others: [chunk(':\n\n'), chunk('id: a3\nevent: ~position\ndata: {}\n\n')],
  },
}

/** What a connection was counted to have received, in these pieces. */
function countOf(dialect: Dialect, pieces: readonly Buffer[]): Tally & { answers: Buffer[] } {
  const tally: Tally = { greeted: 0, units: 0, bytes: 0 }
  const answers: Buffer[] = []
  const reader = createReader(dialect, tally, (bytes) => answers.push(bytes), rawGreeting.length)
  // As sockets do, always into the same memory.
  const memory = Buffer.alloc(pieces.reduce((most, { length }) => Math.max(most, length), 0))
  for (const piece of pieces) {
    piece.copy(memory)
    reader.read(memory.subarray(0, piece.length))
  }
  return { ...tally, answers }
}

/** All others stand between any two units. */
function streamOf({ head, greeting, units, others }: Wire): Buffer {
  return Buffer.concat([
    Buffer.from(head),
    ...greeting,
    ...others,
    ...units.flatMap((unit) => [unit, ...others]),
  ])
}

const dialects = Object.entries(wires) as [Exclude<Dialect, 'raw'>, Wire][]

test.each(dialects)('%s is counted alike whole, byte by byte and cut in two anywhere', (dialect, wire) => {
  const stream = streamOf(wire)
  const expected = { greeted: 1, units: wire.units.length, bytes: stream.length }
  expect(countOf(dialect, [stream])).toMatchObject(expected)
  expect(
    countOf(
      dialect,
      Array.from(stream, (byte) => Buffer.of(byte)),
    ),
  ).toMatchObject(expected)
  for (let cut = 1; cut < stream.length; cut++) {
    const counted = countOf(dialect, [stream.subarray(0, cut), stream.subarray(cut)])
    expect(counted, `cut at ${cut}`).toMatchObject(expected)
    expect(counted.failure).toBeUndefined()
  }
})

test.each(dialects)(
  'a message of %s that is lost, and one that comes twice, changes the count',
  (dialect, wire) => {
    const [first, ...rest] = wire.units
    const all = countOf(dialect, [streamOf(wire)]).units
    expect(countOf(dialect, [streamOf({ ...wire, units: rest })]).units).toBe(all - 1)
    expect(countOf(dialect, [streamOf({ ...wire, units: [first!, ...wire.units] })]).units).toBe(all + 1)
  },
)

test.each(dialects)('without a greeting nobody on %s was greeted', (dialect, wire) => {
  const { greeted, units } = countOf(dialect, [Buffer.concat([Buffer.from(wire.head), ...wire.others])])
  expect({ greeted, units }).toEqual({ greeted: 0, units: 0 })
})

test('raw bytes are counted from behind the greeting on, cut anywhere', () => {
  const stream = Buffer.from(`${rawGreeting}0123456789`)
  for (let cut = 1; cut < stream.length; cut++) {
    expect(countOf('raw', [stream.subarray(0, cut), stream.subarray(cut)]), `cut at ${cut}`).toMatchObject({
      greeted: 1,
      units: 10,
      bytes: stream.length,
    })
  }
})

test('two blocks of one chunk are two', () => {
  const both = chunk('id: a1\nevent: bench\ndata: 1\n\nid: a2\nevent: bench\ndata: 2\n\n')
  const { head, greeting } = wires['eitherway.sse']
  expect(countOf('eitherway.sse', [Buffer.concat([Buffer.from(head), ...greeting, both])]).units).toBe(2)
})

test('a message longer than 65,535 bytes is one', () => {
  const stream = Buffer.concat([
    Buffer.from(upgraded),
    frame('welcome'),
    frame('y'.repeat(70_000)),
    frame('z'),
  ])
  for (let size = 1; size < stream.length; size += 9973) {
    const pieces = []
    for (let at = 0; at < stream.length; at += size) pieces.push(stream.subarray(at, at + size))
    expect(countOf('ws', pieces).units).toBe(2)
  }
})

test('a ping is answered with its own bytes, masked', () => {
  const { answers } = countOf('ws', [Buffer.concat([Buffer.from(upgraded), frame('beat', 9)])])
  expect(answers).toEqual([Buffer.concat([Buffer.of(0x8a, 0x84, 0, 0, 0, 0), Buffer.from('beat')])])
})

test.each([
  ['ws', `HTTP/1.1 426 Upgrade Required\r\n\r\n`, 'the upgrade was answered with 426'],
  ['sse', `HTTP/1.1 503 Service Unavailable\r\n\r\n`, 'the request was answered with 503'],
] as const)('an answer to %s that is no stream is a failure', (dialect, head, failure) => {
  expect(countOf(dialect, [Buffer.from(head)]).failure).toBe(failure)
})

test('a connection that the server closes is a failure', () => {
  const stream = Buffer.concat([Buffer.from(upgraded), frame('welcome'), frame('\x03\xe8', 8)])
  expect(countOf('ws', [stream]).failure).toBe('the server closed a connection')
})
