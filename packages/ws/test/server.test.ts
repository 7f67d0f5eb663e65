import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { createMessage, type Frame } from '@eitherway/core'
import { describe, expect, test } from 'vitest'
import { clientFrame, raw, start } from './bench.ts'

const messageFrame = (data: string | Uint8Array): Frame => ({
  type: 'message',
  message: createMessage('e', data, '1'),
})

describe('the handshake', () => {
  test('a client that offers ours gets ours', async () => {
    const { port } = await start()
    expect((await raw(port, { subprotocol: 'other, eitherway.v1' })).head).toContain(
      'Sec-WebSocket-Protocol: eitherway.v1\r\n',
    )
  })
  test.each(['', 'other', 'eitherway.v2'])(
    'a client that offers %j gets a plain link',
    async (subprotocol) => {
      const { port, accepted } = await start()
      const client = await raw(port, { subprotocol })
      expect(client.head).toMatch(/^HTTP\/1.1 101 /)
      expect(client.head).not.toContain('Sec-WebSocket-Protocol')
      const server = await accepted()
      expect(server.encoder.encode({ type: 'hello', id: '1', heartbeatMs: 1 })).toHaveLength(0)
    },
  )
  test('a token is never echoed, wherever it is offered, and alone gets a plain link', async () => {
    const { port, accepted } = await start()
    for (const subprotocol of ['eitherway.v1, bearer.dG9rZW4', 'bearer.dG9rZW4, eitherway.v1']) {
      const { head } = await raw(port, { subprotocol })
      expect(head).toContain('Sec-WebSocket-Protocol: eitherway.v1\r\n')
      expect(head).not.toContain('bearer')
      expect((await accepted()).token).toBe('token')
    }
    const { head } = await raw(port, { subprotocol: 'bearer.dG9rZW4' })
    expect(head).toMatch(/^HTTP\/1.1 101 /)
    expect(head).not.toMatch(/sec-websocket-protocol|bearer/i)
    const server = await accepted()
    expect([server.token, server.headers.has('sec-websocket-protocol')]).toEqual(['token', false])
  })
  test('compression is not offered: frames are written beside `ws`', async () => {
    const { port } = await start()
    expect((await raw(port)).head).not.toContain('Sec-WebSocket-Extensions')
  })
})

test.each([
  ['two Hosts', 400, 'Host: a\r\nHost: b', ''],
  ['a body', 400, 'Host: a\r\nContent-Length: 5', 'hello'],
  ['another version', 426, 'Host: a', ''],
])(
  'a handshake with %s is answered %i and never 101, also with our subprotocol',
  async (_, status, lines, body) => {
    const { port } = await start({ admit: () => expect.unreachable() })
    const version = status === 426 ? 8 : 13
    const socket = connect(port, '127.0.0.1')
    socket.write(
      `GET /live HTTP/1.1\r\n${lines}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ${version}\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: eitherway.v1\r\n\r\n${body}`,
    )
    const answer = (await buffer(socket)).toString()
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer.includes('\r\nSec-WebSocket-Version: 13\r\n')).toBe(status === 426)
  },
)

test('a refused upgrade lets go of its socket, also where the client goes on writing', async () => {
  const { port, server } = await start({ admit: () => ({ status: 403, reason: 'no' }) })
  const [[socket]] = (await Promise.all([once(server, 'connection'), raw(port)])) as [[Socket], unknown]
  if (!socket.destroyed) await once(socket, 'close')
})

describe('frames on the wire', () => {
  test.each([
    ['text of 0 bytes', '', [0x81, 0]],
    ['text of 125 bytes', 'x'.repeat(125), [0x81, 125]],
    ['text of 126 bytes', 'x'.repeat(126), [0x81, 126, 0, 126]],
    ['text of 65,535 bytes', 'x'.repeat(65_535), [0x81, 126, 255, 255]],
    ['text of 65,536 bytes', 'x'.repeat(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
    ['two-byte characters, counted in bytes', 'ü'.repeat(63), [0x81, 126, 0, 126]],
    ['bytes', new Uint8Array(3), [0x82, 3]],
  ])('%s', async (_, data, head) => {
    const { port, accepted } = await start()
    const client = await raw(port)
    const server = await accepted()
    server.write(server.encoder.encode(messageFrame(data)))
    expect([...(await client.read(head.length))]).toEqual(head)
    expect(await client.read(Buffer.byteLength(data))).toEqual(Buffer.from(data))
  })

  test('a heartbeat is an empty ping on a plain link, and a message on ours', async () => {
    const { port, accepted } = await start()
    const client = await raw(port)
    const server = await accepted()
    server.write(server.encoder.encode({ type: 'heartbeat' }))
    expect([...(await client.read(2))]).toEqual([0x89, 0])
    const own = await raw(port, { subprotocol: 'eitherway.v1' })
    const owner = await accepted()
    owner.write(owner.encoder.encode({ type: 'heartbeat' }))
    expect((await own.read(14)).subarray(2).toString()).toBe('\n~heartbeat\n')
  })

  test('the bytes that left are counted to the byte, the handshake included', async () => {
    const { port, accepted } = await start()
    const client = await raw(port)
    const server = await accepted()
    server.write(server.encoder.encode(messageFrame('x'.repeat(1_000))))
    await client.read(1_004)
    expect(server.bytesWritten).toBe(client.head.length + 1_004)
  })
})

describe('what a hostile client sends ends its link and nothing else', () => {
  const hello = clientFrame(1, 'hello')
  const attacks: readonly (readonly [string, number, Buffer])[] = [
    ['an unmasked frame', 1002, clientFrame(1, 'x', { masked: false })],
    ['a reserved bit', 1002, clientFrame(1, 'x', { rsv: 4 })],
    ['a reserved opcode', 1002, clientFrame(3, 'x')],
    ['a fragmented ping', 1002, clientFrame(9, 'x', { fin: false })],
    ['a ping of 126 bytes', 1002, clientFrame(9, 'x'.repeat(126))],
    ['a continuation of nothing', 1002, clientFrame(0, 'x')],
    ['text that is not UTF-8', 1007, clientFrame(1, Uint8Array.of(0xc3, 0x28))],
    ['a message over the limit', 1009, clientFrame(2, new Uint8Array(10_000))],
    [
      'a length of 2^63',
      1009,
      Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
    ],
    [
      'fragments that are over the limit together',
      1009,
      Buffer.concat([
        clientFrame(2, new Uint8Array(4_000), { fin: false }),
        clientFrame(0, new Uint8Array(4_000), { fin: false }),
        clientFrame(0, new Uint8Array(4_000)),
      ]),
    ],
    ['a close with a code that may not be sent', 1002, clientFrame(8, Uint8Array.of(3, 237))],
    ['a close whose reason is not UTF-8', 1007, clientFrame(8, Uint8Array.of(3, 232, 0xff))],
  ]
  test.each(attacks)('%s: %i', async (_, code, bytes) => {
    const { port, accepted } = await start({ maxMessageBytes: 1_000 })
    const bystander = await raw(port)
    const other = await accepted()
    const client = await raw(port)
    const server = await accepted()
    client.socket.write(bytes)
    expect((await server.closed).code).toBe(code)
    const [first, length, high = 0, low = 0] = await client.read(4)
    expect([first, length === undefined ? 0 : length >= 2, (high << 8) | low]).toEqual([0x88, true, code])
    bystander.socket.write(hello)
    if (other.direction !== 'two-way') throw new Error('one-way')
    expect((await other.messages[Symbol.asyncIterator]().next()).value).toMatchObject({ data: 'hello' })
  })

  test('a malformed message of our subprotocol: 1002, with the reason', async () => {
    const { port, accepted } = await start()
    const client = await raw(port, { subprotocol: 'eitherway.v1' })
    client.socket.write(clientFrame(1, 'no line feeds'))
    const { code, reason } = await (await accepted()).closed
    expect([code, reason]).toEqual([
      1002,
      'a message of eitherway.v1 is id, event and data, split by line feeds; got 13 bytes without',
    ])
    expect((await client.read(4)).subarray(2)).toEqual(Buffer.from([1002 >> 8, 1002 & 0xff]))
  })

  test.each([
    ['an event', `\n${'e'.repeat(256)}\nx`],
    ['an id', `${'1'.repeat(129)}\ne\nx`],
  ])('%s that is too long: 1002', async (_, wire) => {
    const { port, accepted } = await start()
    const client = await raw(port, { subprotocol: 'eitherway.v1' })
    client.socket.write(clientFrame(1, wire))
    expect((await (await accepted()).closed).code).toBe(1002)
  })

  test('a flood of empty messages that nobody reads is held back', async () => {
    const { port, accepted } = await start()
    const client = await raw(port)
    await accepted()
    const flood = Buffer.concat(Array.from({ length: 10_000 }, () => clientFrame(1, '')))
    let sent = 0
    // The sockets in between take a few megabytes; what they do not take waits at the client.
    while (sent < 5_000 && client.socket.write(flood)) sent += 1
    for (; sent < 300; sent += 1) client.socket.write(flood)
    await new Promise((resolve) => setImmediate(resolve))
    expect(client.socket.writableLength).toBeGreaterThan(1_000_000)
  })

  test("a client that plays the server's frames is not heard", async () => {
    const { port, accepted } = await start()
    const client = await raw(port, { subprotocol: 'eitherway.v1' })
    const server = await accepted()
    for (const wire of [
      '1\n~hello\n{"heartbeatMs":1}',
      '\n~retry\n1',
      '\n~close\n{"code":4000,"reason":""}',
      '\ne\nx',
    ]) {
      client.socket.write(clientFrame(1, wire))
    }
    if (server.direction !== 'two-way') throw new Error('one-way')
    const heard = server.messages[Symbol.asyncIterator]()
    // They count as messages do, and say nothing.
    for (let word = 0; word < 3; word += 1)
      expect((await heard.next()).value).toEqual({ id: '', event: '~', data: '' })
    expect((await heard.next()).value).toEqual({ id: '', event: 'e', data: 'x' })
  })

  test('a message in a thousand fragments, cut anywhere, is one message', async () => {
    const { port, accepted } = await start()
    const client = await raw(port)
    const server = await accepted()
    const parts = Array.from({ length: 1_000 }, (_, at) =>
      clientFrame(at === 0 ? 1 : 0, 'ab', { fin: at === 999 }),
    )
    const bytes = Buffer.concat(parts)
    for (let at = 0; at < bytes.byteLength; at += 7) client.socket.write(bytes.subarray(at, at + 7))
    if (server.direction !== 'two-way') throw new Error('one-way')
    expect((await server.messages[Symbol.asyncIterator]().next()).value).toMatchObject({
      data: 'ab'.repeat(1_000),
    })
  })

  test('a hundred links that are reset at once leave the server whole', async () => {
    const { port, accepted } = await start()
    const clients = await Promise.all(Array.from({ length: 100 }, () => raw(port)))
    const servers = await Promise.all(clients.map(() => accepted()))
    for (const { socket } of clients) socket.resetAndDestroy()
    for (const server of servers) server.write(server.encoder.encode(messageFrame('x')))
    for (const server of servers) expect((await server.closed).code).toBe(1006)
    expect((await raw(port)).head).toMatch(/^HTTP\/1.1 101 /)
  })
})

test('a client that never answers the close is destroyed in time', async () => {
  const { port, accepted } = await start({ closeMs: 50 })
  const client = await raw(port)
  const server = await accepted()
  server.close({ code: 4000, reason: 'go' })
  expect([...(await client.read(6))]).toEqual([0x88, 4, 0x0f, 0xa0, 0x67, 0x6f])
  await client.closed
})

test('a limit of 4 GiB is none of 4 KiB', async () => {
  const { port, accepted } = await start({ maxMessageBytes: 2 ** 32 })
  const client = await raw(port)
  const server = await accepted()
  client.socket.write(clientFrame(2, new Uint8Array(10_000)))
  if (server.direction !== 'two-way') throw new Error('a WebSocket is two-way')
  const { value } = await server.messages[Symbol.asyncIterator]().next()
  expect(value?.data).toHaveLength(10_000)
})
