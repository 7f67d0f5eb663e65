import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { createMessage, type Frame, type ServerConnection } from '@eitherway/core'
import { codecSuite } from '@eitherway/core/testing'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { ws } from '../src/client.ts'
import { codec } from '../src/codec.ts'
import { createDeflate, offersDeflate } from '../src/compression.ts'
import { createListener, type ListenerOptions } from '../src/server.ts'
import { clientFrame, listen, type RawClient, raw, start } from './bench.ts'

const message = (data: string | Uint8Array): Frame => ({
  type: 'message',
  message: createMessage('e', data, '1'),
})
/** Of a size that is worth it. */
const large = JSON.stringify(Array.from({ length: 40 }, (_, id) => ({ id, symbol: 'EURUSD', bid: 1.08 })))
const extensions = 'permessage-deflate; client_max_window_bits'
const answer = /^Sec-WebSocket-Extensions: (.*)\r$/m

const deflate = (data: string | Uint8Array) =>
  deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
const inflate = (payload: Uint8Array) =>
  inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 255, 255])]), {
    finishFlush: constants.Z_SYNC_FLUSH,
  })

/** A server's frame, its payload inflated where it was deflated. */
function parse(frame: Uint8Array) {
  const [first = 0, length = 0] = frame
  const head = length < 126 ? 2 : length === 126 ? 4 : 10
  const isDeflated = (first & 0x40) !== 0
  const payload = isDeflated ? inflate(frame.subarray(head)) : frame.subarray(head)
  return {
    isDeflated,
    payload: (first & 0x0f) === 1 ? Buffer.from(payload).toString() : Buffer.from(payload),
  }
}

async function read(client: RawClient) {
  const head = await client.read(2)
  const extended = head[1] === 126 ? await client.read(2) : Buffer.alloc(0)
  const size = extended.length === 0 ? (head[1] as number) : extended.readUInt16BE()
  return parse(Buffer.concat([head, extended, await client.read(size)]))
}

describe('an offer', () => {
  test.each([
    ['permessage-deflate', true],
    ['permessage-deflate; client_max_window_bits', true],
    ['permessage-deflate; client_max_window_bits=10; server_no_context_takeover', true],
    // Python's `websockets`.
    ['permessage-deflate; server_max_window_bits=12; client_max_window_bits=12', true],
    ['x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=15', true],
    ['other; a; b=c, permessage-deflate', true],
    ['permessage-deflate; server_max_window_bits=11', false],
    ['permessage-deflate; server_max_window_bits', false],
    ['permessage-deflate; server_max_window_bits=16', false],
    ['permessage-deflate; client_max_window_bits=7', false],
    ['permessage-deflate; client_no_context_takeover=1', false],
    ['permessage-deflate; client_no_context_takeover; client_no_context_takeover', false],
    ['permessage-deflate; client_max_window_bits; client_max_window_bits=10', false],
    ['permessage-deflate; unknown', false],
    ['permessage-deflate, permessage-deflate; unknown', false],
    ['permessage-deflate;', false],
    ['permessage-deflate, a b', false],
    ['permessage-deflate, "', false],
    ['other', false],
    ['', false],
  ])('%j: %s, and either way there is a link', async (header, isTaken) => {
    expect(offersDeflate({ 'sec-websocket-extensions': header })).toBe(isTaken)
    const { port } = await start({ compression: true })
    const { head } = await raw(port, { extensions: header })
    expect(head).toMatch(/^HTTP\/1.1 101 /)
    expect(answer.test(head)).toBe(isTaken)
  })

  test('is answered without a context, on either side', async () => {
    const { port } = await start({ compression: true })
    const { head } = await raw(port, { extensions })
    expect(answer.exec(head)?.[1]).toBe(
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    )
  })

  test('of none gets none, and neither does any where it is off', async () => {
    const { port } = await start({ compression: true })
    expect((await raw(port)).head).not.toMatch(answer)
    const { port: plain } = await start()
    expect((await raw(plain, { extensions })).head).not.toMatch(answer)
  })
})

async function open(
  compression: ListenerOptions['compression'],
  offer = extensions,
  subprotocol = 'eitherway.v1',
) {
  const { port, accepted } = await start({ compression: compression ?? false })
  const client = await raw(port, { extensions: offer, subprotocol })
  return { client, server: await accepted() }
}
const say = (server: ServerConnection, data: string | Uint8Array) =>
  server.write(server.encoder.encode(message(data)))

describe('the codec within deflate', () => {
  let server: ServerConnection
  beforeAll(async () => {
    server = (await open({ thresholdBytes: 0 })).server
  })
  const compressing: typeof codec = {
    encode: (frame) => server.encoder.encode(frame),
    decoder(limits) {
      const decoder = codec.decoder(limits)
      return { push: (chunk) => decoder.push(parse(chunk as Uint8Array).payload) }
    },
  }
  codecSuite({ test, codec: compressing, cuts: 'between frames' })
})

describe('what is sent', () => {
  test.each([
    ['text', large],
    ['bytes', Buffer.from(large)],
  ])('as %s, is deflated from the threshold on', async (_, data) => {
    const { client, server } = await open(true, extensions, '')
    say(server, data.slice(0, 255))
    say(server, data.slice(0, 256))
    expect(await read(client)).toEqual({ isDeflated: false, payload: data.slice(0, 255) })
    expect(await read(client)).toEqual({ isDeflated: true, payload: data.slice(0, 256) })
  })

  test('and would not shrink, goes as it is', async () => {
    const { client, server } = await open({ thresholdBytes: 0 }, extensions, '')
    const noise = Uint8Array.from({ length: 500 }, (_, at) => (at * at * 2_654_435_761) >>> 13)
    for (const data of [noise, '', 'x']) say(server, data)
    expect(await read(client)).toEqual({ isDeflated: false, payload: Buffer.from(noise) })
    expect(await read(client)).toEqual({ isDeflated: false, payload: '' })
    expect(await read(client)).toEqual({ isDeflated: false, payload: 'x' })
  })

  test('to a client that did not offer it, goes as it is', async () => {
    const { client, server } = await open({ thresholdBytes: 0 }, '')
    say(server, large)
    expect(await read(client)).toEqual({ isDeflated: false, payload: `1\ne\n${large}` })
  })

  test('in one chunk, is several messages that lean on none before', async () => {
    const { client, server } = await open(true)
    const chunks = [large, 'small', large].map((data) => server.encoder.encode(message(data)))
    server.write(server.encoder.join?.(chunks) ?? '')
    expect(await read(client)).toEqual({ isDeflated: true, payload: `1\ne\n${large}` })
    expect(await read(client)).toEqual({ isDeflated: false, payload: '1\ne\nsmall' })
    expect(await read(client)).toEqual({ isDeflated: true, payload: `1\ne\n${large}` })
  })

  test('keeps to a window that every client can hold', () => {
    const far = `${'0123456789abcdefghijklmnopqrstuvwxyz'}${'x'.repeat(5_000)}0123456789abcdefghijklmnopqrstuvwxyz`
    const payload = createDeflate(0)(far) as Uint8Array
    const end = Buffer.from([0, 0, 255, 255])
    const settings = { windowBits: 12, finishFlush: constants.Z_SYNC_FLUSH }
    expect(inflateRawSync(Buffer.concat([payload, end]), settings).toString()).toBe(far)
  })

  test('of a heartbeat and a close, is never deflated', async () => {
    const { client, server } = await open({ thresholdBytes: 0 }, extensions, '')
    server.write(server.encoder.encode({ type: 'heartbeat' }))
    server.close({ code: 4000, reason: 'x'.repeat(100) })
    expect([...(await client.read(6))]).toEqual([0x89, 0, 0x88, 102, 4000 >> 8, 4000 & 255])
  })

  test('links of one kind share an encoder, and links of the other have another', async () => {
    const { port, accepted } = await start({ compression: true })
    const encoders = []
    for (const offer of [extensions, extensions, '', '']) {
      await raw(port, { extensions: offer, subprotocol: 'eitherway.v1' })
      encoders.push((await accepted()).encoder)
    }
    expect(encoders[0]).toBe(encoders[1])
    expect(encoders[2]).toBe(encoders[3])
    expect(encoders[0]).not.toBe(encoders[2])
  })
})

describe('what a client sends', () => {
  test('may be deflated, each message by itself', async () => {
    const { client, server } = await open(true, extensions, '')
    if (server.direction !== 'two-way') throw new Error('one-way')
    const messages = server.messages[Symbol.asyncIterator]()
    for (const data of [large, 'x', large]) {
      client.socket.write(clientFrame(1, deflate(data), { rsv: 4 }))
      expect((await messages.next()).value).toMatchObject({ data })
    }
    client.socket.write(clientFrame(1, 'plain'))
    expect((await messages.next()).value).toMatchObject({ data: 'plain' })
  })

  test('and is no deflate: 1007', async () => {
    const { client, server } = await open(true, extensions, '')
    client.socket.write(clientFrame(1, Uint8Array.of(255, 255, 255, 255), { rsv: 4 }))
    expect((await server.closed).code).toBe(1007)
  })

  test('many bombs in one packet that nobody has read yet are not all kept', async () => {
    const { client, server } = await open(true, extensions, '')
    const bomb = clientFrame(1, deflate('x'.repeat(1024 * 1024)), { rsv: 4 })
    client.socket.write(Buffer.concat(Array.from({ length: 40 }, () => bomb)))
    expect((await server.closed).code).toBe(1009)
  })

  test('some large messages in one packet all come through', async () => {
    const { client, server } = await open(true, extensions, '')
    // Some sixty times what came.
    const text = randomBytes(8_000).toString('hex') + 'x'.repeat(1_000_000)
    const sent = clientFrame(1, deflate(text), { rsv: 4 })
    client.socket.write(Buffer.concat(Array.from({ length: 6 }, () => sent)))
    client.socket.end(clientFrame(8, ''))
    await server.closed
    let count = 0
    if (server.direction === 'two-way') for await (const _ of server.messages) count += 1
    expect(count).toBe(6)
  })

  test('a peer whose messages are a thousand times what it sent is let go, one that sends text is not', async () => {
    const honest = await open(true, extensions, '')
    if (honest.server.direction !== 'two-way') throw new Error('one-way')
    const heard = honest.server.messages[Symbol.asyncIterator]()
    const words = JSON.stringify(Array.from({ length: 2000 }, (_, at) => ({ at, word: `word ${at * 7919}` })))
    for (let count = 0; count < 60; count += 1) {
      honest.client.socket.write(clientFrame(1, deflate(words), { rsv: 4 }))
      expect((await heard.next()).value).toMatchObject({ data: words })
    }

    const greedy = await open(true, extensions, '')
    if (greedy.server.direction !== 'two-way') throw new Error('one-way')
    const handled = greedy.server.messages[Symbol.asyncIterator]()
    const bomb = clientFrame(1, deflate('x'.repeat(1024 * 1024)), { rsv: 4 })
    let count = 0
    do {
      greedy.client.socket.write(bomb)
      count += 1
    } while (count < 10 && !(await handled.next()).done)
    expect(count).toBe(3)
    expect((await greedy.server.closed).code).toBe(1009)
  })

  test('is bounded by what comes out of it: bombs end with 1009, and their memory is let go', async () => {
    const { port, accepted } = await start({ compression: true, maxMessageBytes: 100_000 })
    // A thousandth of what comes out of it.
    const bomb = clientFrame(2, deflate(new Uint8Array(64 * 1024 * 1024)), { rsv: 4 })
    expect(bomb.length).toBeLessThan(100_000)
    let highest = 0
    const before = process.memoryUsage.rss()
    for (let count = 0; count < 20; count += 1) {
      const client = await raw(port, { extensions })
      const server = await accepted()
      client.socket.write(bomb)
      expect((await server.closed).code).toBe(1009)
      client.socket.destroy()
      highest = Math.max(highest, process.memoryUsage.rss())
    }
    // Inflated, one alone would be 64 MiB, and all of them 1.25 GiB.
    expect(highest - before).toBeLessThan(48 * 1024 * 1024)
  })
})

describe('our client on the package `ws`', () => {
  const own = globalThis.WebSocket
  beforeAll(() => {
    vi.stubGlobal('WebSocket', undefined)
    return () => vi.stubGlobal('WebSocket', own)
  })
  const request = () => ({ lastEventId: '', channels: [], signal: new AbortController().signal })

  test('offers it, reads what is deflated and what is not, and deflates nothing itself', async () => {
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: { threshold: 0 } })
    const server = createServer()
    const port = await listen(server)
    const firstBytes: number[] = []
    const arrived = new Promise<WebSocket>((resolve) => {
      server.on('upgrade', (upgrade, socket, head) => {
        sockets.handleUpgrade(upgrade, socket, head, (webSocket) => {
          socket.on('data', (bytes: Buffer) => firstBytes.push(bytes[0] as number))
          resolve(webSocket)
        })
      })
    })
    const client = await ws({ plain: true }).connect(new URL(`http://127.0.0.1:${port}`), request())
    const peer = await arrived
    expect(peer.extensions).toBe('permessage-deflate')
    const frames = client[Symbol.asyncIterator]()
    for (const data of [large, 'x']) {
      peer.send(data)
      expect((await frames.next()).value).toMatchObject({ message: { data } })
    }
    const [[received]] = await Promise.all([
      once(peer, 'message'),
      client.send(createMessage('message', large)),
    ])
    expect(String(received)).toBe(large)
    expect(firstBytes).toEqual([0x81])
    client.close()
  })

  test('is bounded by what comes out of it', async () => {
    const { url, accepted } = await start({ compression: true })
    const limits = { maxMessageBytes: 100_000 }
    const client = await ws().connect(url, { ...request(), limits })
    const server = await accepted()
    say(server, 'x'.repeat(1_000_000))
    for await (const _ of client) throw new Error('it came through')
    expect((await client.closed).code).toBe(1009)
  })
})

test.each([-1, 0.5, Number.NaN, '1' as never])('a threshold of %s is a TypeError', (thresholdBytes) => {
  expect(() => createListener(() => () => {}, { compression: { thresholdBytes } })).toThrow(TypeError)
})
