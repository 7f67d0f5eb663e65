import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { connect } from '@eitherway/client'
import { clientFrame } from '@eitherway/core/testing'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { usedBytes } from './hostile.ts'

/** What a server sends, where a character is a byte; given the request's head. */
type Answer = (asked: string) => Iterable<string>

interface Row {
  readonly what: string
  readonly answer: Answer
  readonly codes: readonly number[]
  readonly reason: RegExp
}

// So that every version of Node takes the package `ws`.
beforeAll(() => void vi.stubGlobal('WebSocket', undefined))
afterAll(() => void vi.unstubAllGlobals())

const MiB = 1024 * 1024
const maxMessageBytes = 64 * 1024

const head = (...headers: string[]) => ['HTTP/1.1 200 OK', ...headers, '', ''].join('\r\n')
const stream = head('Content-Type: text/event-stream')
const gzipped = head('Content-Type: text/event-stream', 'Content-Encoding: gzip')
const zipped = (text: string | Buffer) => gzipSync(text).toString('latin1')
function* endless(piece: string): Iterable<string> {
  for (let sent = 0; sent < 256 * MiB; sent += piece.length) yield piece
}
function* after(first: string, rest: Iterable<string>): Iterable<string> {
  yield first
  yield* rest
}

/** Made before anything is measured: what they are made of is no fault of the client's. */
const bombs = {
  line: zipped(`data: ${'x'.repeat(64 * MiB)}`),
  event: zipped('data: x\n'.repeat(2 * MiB)),
}

const streams: readonly Row[] = [
  {
    what: 'bytes of no protocol',
    answer: () => ['\x16\x03\x01\xff\xff'],
    codes: [1006],
    reason: /could not be reached/,
  },
  {
    what: 'headers without end',
    answer: () => after('HTTP/1.1 200 OK\r\n', endless('X-a: b\r\n'.repeat(500))),
    codes: [1006],
    reason: /could not be reached/,
  },
  {
    what: 'one header without end',
    answer: () => after('HTTP/1.1 200 OK\r\nX-a: ', endless('x'.repeat(4096))),
    codes: [1006],
    reason: /could not be reached/,
  },
  {
    what: 'a page',
    answer: () => [`${head('Content-Type: text/html', 'Content-Length: 6')}<html>`],
    codes: [1002],
    reason: /content type "text\/html"/,
  },
  {
    what: 'two content types',
    answer: () => [head('Content-Type: text/event-stream', 'Content-Type: text/html', 'Content-Length: 0')],
    codes: [1002, 1006],
    reason: /./,
  },
  {
    what: 'a gzip bomb in one line',
    answer: () => [gzipped + bombs.line],
    codes: [1009],
    reason: /over the limit of 65536/,
  },
  {
    what: 'a gzip bomb in one event',
    answer: () => [gzipped + bombs.event],
    codes: [1009],
    reason: /over the limit of 65536/,
  },
  {
    what: 'a gzip bomb of ids',
    answer: () => [gzipped + zipped(`id: ${'1'.repeat(50)}\n`.repeat(MiB / 2))],
    codes: [1006],
    reason: /the stream ended/,
  },
  {
    what: '300,000 tiny events',
    answer: () => [gzipped + zipped('data:\n\n'.repeat(300_000))],
    codes: [1006],
    reason: /the stream ended/,
  },
  {
    what: 'gzip that is none',
    answer: () => [`${gzipped}data: x\n\n`],
    // Node 20's fetch never tells: the client's own limit does.
    codes: [1006, 4001],
    reason: /./,
  },
  {
    what: 'a hundred codings on one another',
    answer: () => [
      `${head('Content-Type: text/event-stream', `Content-Encoding: ${Array(100).fill('gzip').join(', ')}`)}x`,
    ],
    codes: [1006],
    reason: /./,
  },
  {
    what: 'chunks of a length without end',
    answer: () => [
      `${head('Content-Type: text/event-stream', 'Transfer-Encoding: chunked')}${'f'.repeat(1000)}\r\nx`,
    ],
    codes: [1006],
    reason: /the stream broke/,
  },
  {
    what: 'a broken frame of ours',
    answer: () => [`${stream}event: ~hello\ndata: {"heartbeatMs":"__proto__"}\n\n`],
    codes: [1002],
    reason: /~hello frame holds/,
  },
  {
    what: 'a close with a code that may not be sent',
    answer: () => [`${stream}event: ~close\ndata: {"code":65536,"reason":""}\n\n`],
    codes: [1002],
    reason: /~close frame holds/,
  },
]

/** The answer to a handshake, but for what is put in its place. */
function switching(
  asked: string,
  { accept = '', more = ['Sec-WebSocket-Protocol: eitherway.v1'] } = {},
): string {
  const key = /sec-websocket-key: (.+)\r/i.exec(asked)?.[1] ?? ''
  const right = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept || right}`,
    ...more,
    '',
    '',
  ].join('\r\n')
}

const bare = { masked: false }
const frames =
  (...rest: string[]): Answer =>
  (asked) => [switching(asked), ...rest]

const sockets: readonly Row[] = [
  {
    what: 'a wrong accept key',
    answer: (asked) => [switching(asked, { accept: 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' })],
    codes: [1006],
    reason: /Sec-WebSocket-Accept/,
  },
  {
    what: 'a subprotocol that nobody offered',
    answer: (asked) => [switching(asked, { more: ['Sec-WebSocket-Protocol: __proto__'] })],
    codes: [1002],
    reason: /does not speak eitherway\.v1/,
  },
  {
    what: 'no subprotocol',
    answer: (asked) => [switching(asked, { more: [] })],
    codes: [1002],
    reason: /does not speak eitherway\.v1/,
  },
  {
    what: 'an extension that nobody offered',
    answer: (asked) => [
      switching(asked, {
        more: ['Sec-WebSocket-Protocol: eitherway.v1', 'Sec-WebSocket-Extensions: x-unheard'],
      }),
    ],
    codes: [1006],
    reason: /extension/,
  },
  {
    what: 'headers without end',
    answer: () => after('HTTP/1.1 101 Switching Protocols\r\n', endless('X-a: b\r\n'.repeat(500))),
    codes: [1006],
    reason: /could not be reached/,
  },
  {
    what: 'a page',
    answer: () => [`${head('Content-Length: 6')}<html>`],
    codes: [1002],
    reason: /answered 200 to the upgrade/,
  },
  ...[1n << 63n, (1n << 64n) - 1n, 1n << 32n].map((announced) => ({
    what: `an announced length of ${announced}`,
    answer: frames(clientFrame(1, '', { ...bare, announced })),
    codes: [1009],
    reason: /./,
  })),
  { what: 'a masked frame', answer: frames(clientFrame(1, '\n\n1')), codes: [1002], reason: /MASK/ },
  {
    what: 'a compressed frame',
    answer: frames(clientFrame(1, '\xec\xc1\x01\x01\0\0', { ...bare, rsv: 4 })),
    codes: [1002],
    reason: /RSV1/,
  },
  {
    what: 'text that is not UTF-8',
    answer: frames(clientFrame(1, '\n\n\xff', bare)),
    codes: [1007],
    reason: /UTF-8/,
  },
  {
    what: 'a close with 1005',
    answer: frames(clientFrame(8, '\x03\xed', bare)),
    codes: [1002],
    reason: /1005/,
  },
  { what: 'a close of one byte', answer: frames(clientFrame(8, '\x03', bare)), codes: [1002], reason: /./ },
  {
    what: 'a broken message',
    answer: frames(clientFrame(1, 'x', bare)),
    codes: [1002],
    reason: /line feeds/,
  },
  {
    what: 'fragments without end',
    answer: (asked) =>
      after(
        switching(asked) + clientFrame(1, 'x', { ...bare, fin: false }),
        endless(clientFrame(0, 'x'.repeat(1000), { ...bare, fin: false })),
      ),
    codes: [1009],
    reason: /./,
  },
  {
    what: 'empty fragments without end',
    answer: (asked) =>
      after(
        switching(asked) + clientFrame(1, '', { ...bare, fin: false }),
        endless(clientFrame(0, '', { ...bare, fin: false }).repeat(1000)),
      ),
    codes: [1008],
    reason: /./,
  },
]

/** Answers each connection, as far as its client listens. */
async function hostile(
  answer: Answer,
): Promise<{ url: string; at: readonly number[]; arrived(): Promise<void> }> {
  const at: number[] = []
  const all = new Set<Socket>()
  const server = createServer((socket) => {
    at.push(performance.now())
    all.add(socket)
    socket.on('error', () => {
      // It has hung up, as it should.
    })
    socket.once('data', async (bytes) => {
      for (const piece of answer(bytes.toString('latin1'))) {
        if (socket.destroyed) return
        if (!socket.write(piece, 'latin1')) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
      }
      socket.end()
    })
    server.emit('arrived')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of all) socket.destroy()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/live`,
    at,
    arrived: async () => void (await once(server, 'arrived')),
  }
}

describe.each([
  { transport: 'sse', rows: streams },
  { transport: 'ws', rows: sockets },
] as const)('a hostile server over $transport', ({ transport, rows }) => {
  test.each(rows)(
    '$what: the client lets go, says why and stays small',
    async ({ answer, codes, reason }) => {
      const { url } = await hostile(answer)
      const before = usedBytes()
      const told: unknown[] = []
      const client = connect(url, {
        transport,
        channels: ['mine'],
        reconnect: false,
        connectMs: 3000,
        maxMessageBytes,
        onError: (error) => told.push(error),
      })
      // Events that nobody asked for are not kept, and not decoded.
      client.on('mine', () => expect.unreachable())
      const close = await client.closed
      expect(codes).toContain(close.code)
      expect(close.reason).toMatch(reason)
      expect(told).toEqual([])
      expect(usedBytes() - before).toBeLessThan(64 * MiB)
    },
  )
})

test('an id that holds a NUL is none, and names like parts of an object are names', async () => {
  const { url } = await hostile(() => [
    `${stream}event: ~hello\ndata: {"heartbeatMs":0}\n\nid: 1\nevent: __proto__\ndata: 1\n\nid: 2\0\nevent: constructor\ndata: {"__proto__":{"polluted":true}}\n\n`,
  ])
  const client = connect(url, { transport: 'sse', channels: ['mine'], reconnect: false })
  const heard: unknown[] = []
  for (const event of ['__proto__', 'constructor']) client.on(event, (data) => heard.push(data))
  await client.closed
  expect(heard).toEqual([1, JSON.parse('{"__proto__":{"polluted":true}}')])
  expect(client.lastEventId).toBe('1')
  expect('polluted' in {}).toBe(false)
})

test('no wait that a server names makes a storm, or overflows a timer', async () => {
  const waits = ['0', '-1', '1', '00', '4294967297', '2147483648', '9'.repeat(400), '1e3', '']
  const all = await Promise.all(
    waits.map(async (wait) => {
      const server = await hostile(() => [
        `${stream}retry: ${wait}\nevent: ~hello\ndata: {"heartbeatMs":0}\n\n`,
      ])
      return { wait, server }
    }),
  )
  const clients = all.map(({ server }) => connect(server.url, { transport: 'sse', channels: ['mine'] }))
  // Those that come back soon are the clock of those that must not.
  const soon = all.filter(({ wait }) => Number(wait) < 1000 || wait === '1e3')
  await Promise.all(
    soon.map(async ({ server }) => {
      while (server.at.length < 3) await server.arrived()
    }),
  )
  for (const client of clients) await client.close()
  for (const { wait, server } of all) {
    const gaps = server.at.slice(1).map((at, index) => at - (server.at[index] as number))
    // Timers may be a millisecond early.
    for (const gap of gaps) expect(gap, `retry: ${wait}`).toBeGreaterThan(240)
    if (Number(wait) > 1_000_000) expect(gaps, `retry: ${wait}`).toEqual([])
  }
})
