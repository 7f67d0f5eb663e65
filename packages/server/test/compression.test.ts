import { randomBytes } from 'node:crypto'
import { EventEmitter, on, once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { syncBuiltinESMExports } from 'node:module'
import type { AddressInfo, Server } from 'node:net'
import type { Readable } from 'node:stream'
import zlib, { createGunzip, gunzipSync } from 'node:zlib'
import { createHub, type Hub, type HubOptions, type Peer, type ServeOptions, serve } from '@eitherway/server'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'

/** Of a size that is worth it. */
const large = Array.from({ length: 40 }, (_, id) => ({ id, symbol: 'EURUSD', bid: 1.08 }))

/** As often as zlib was asked to deflate. */
let deflates = 0
const { deflateRawSync } = zlib
beforeEach(() => {
  deflates = 0
  zlib.deflateRawSync = (...args) => {
    deflates += 1
    return deflateRawSync(...args)
  }
  syncBuiltinESMExports()
})
afterEach(() => {
  zlib.deflateRawSync = deflateRawSync
  syncBuiltinESMExports()
})

async function start(
  options: HubOptions = {},
  compression: NonNullable<ServeOptions['compression']> = true,
  server: Server = createServer(),
) {
  const hub = createHub(options)
  serve(hub, server as ReturnType<typeof createServer>, { path: '/live', compression })
  const peers = new EventEmitter()
  hub.onConnect((peer) => void peers.emit('peer', peer))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  onTestFinished(async () => {
    await hub.close()
    server.close()
  })
  return {
    hub,
    port,
    /** Waits until this has led to a greeted peer. */
    async joined<T>(asking: Promise<T>): Promise<[T, Peer]> {
      const [asked, [peer]] = await Promise.all([asking, once(peers, 'peer') as Promise<[Peer]>])
      return [asked, peer]
    },
  }
}

/** An event stream as it comes, and what it says. */
class Stream {
  /** The chunks of the wire. */
  readonly raw: Buffer[] = []
  #text = ''
  readonly #events = new EventEmitter()
  readonly ended: Promise<unknown>
  constructor(body: Readable) {
    body.on('data', (chunk: Buffer) => this.raw.push(chunk))
    const inflated = body.pipe(createGunzip())
    inflated.on('error', () => {
      // It was cut, at the end of a test.
    })
    inflated.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString()
      this.#events.emit('text')
    })
    this.ended = new Promise((resolve) => inflated.on('close', resolve))
  }
  get text(): string {
    return this.#text
  }
  /** Waits until it has said this. */
  async says(wanted: string): Promise<void> {
    while (!this.#text.includes(wanted)) await once(this.#events, 'text')
  }
}

async function ask(port: number, path: string, headers: Record<string, string> = {}): Promise<Stream> {
  const request = get({ port, path, agent: false, headers: { 'Accept-Encoding': 'gzip', ...headers } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  onTestFinished(() => void request.destroy())
  response.on('error', () => {
    // It was cut.
  })
  expect(response.headers['content-encoding']).toBe('gzip')
  return new Stream(response)
}

/** All that is published in this turn. */
function publish(hub: Hub, channel: string, ...data: unknown[]): Promise<string[]> {
  return Promise.all(data.map((item) => hub.publish(channel, item)))
}

test('a turn is compressed once for all streams, who came early and who came late', async () => {
  const { hub, port, joined } = await start()
  const streams: Stream[] = []
  for (let count = 1; count <= 5; count += 1) {
    streams.push((await joined(ask(port, '/live?channel=a')))[0])
    await publish(hub, 'a', { count }, large, large)
    for (const stream of streams) await stream.says(`{"count":${count}}`)
  }
  expect(deflates).toBe(5)
})

test('over HTTP/2 as well', async () => {
  const { hub, port, joined } = await start({}, true, createHttp2Server() as unknown as Server)
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  onTestFinished(() => session.destroy())
  const streams: Stream[] = []
  for (let count = 0; count < 3; count += 1) {
    const request = session.request({ ':path': '/live?channel=a', 'accept-encoding': 'gzip' })
    await joined(once(request, 'response'))
    streams.push(new Stream(request))
  }
  await publish(hub, 'a', large, 'last')
  for (const stream of streams) await stream.says('"last"')
  expect(deflates).toBe(1)
})

test('a message is compressed once for all WebSockets', async () => {
  const { hub, port, joined } = await start()
  const heard: AsyncIterator<[data: Buffer]>[] = []
  for (let count = 0; count < 5; count += 1) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live?channel=a`, 'eitherway.v1')
    onTestFinished(() => socket.terminate())
    heard.push(on(socket, 'message') as AsyncIterator<[Buffer]>)
    await joined(once(socket, 'open'))
    expect(socket.extensions).toBe('permessage-deflate')
  }
  await publish(hub, 'a', large, 'last')
  for (const messages of heard) {
    const data: (string | undefined)[] = []
    while (data.at(-1) !== '"last"') {
      const [message] = (await messages.next()).value
      if (!String(message).includes('~')) data.push(String(message).split('\n')[2])
    }
    expect(data).toEqual([JSON.stringify(large), '"last"'])
  }
  expect(deflates).toBe(1)
})

test('what is below the threshold is never given to zlib: greetings, heartbeats, small messages', async () => {
  const { hub, port, joined } = await start({ heartbeatMs: 50 })
  const [stream] = await joined(ask(port, '/live?channel=a'))
  await publish(hub, 'a', 'small')
  await stream.says('"small"')
  await stream.says('\n:\n\n')
  expect(deflates).toBe(0)
})

test('history is compressed once for all who come back at the same place', async () => {
  const { hub, port, joined } = await start()
  const [from] = await publish(hub, 'a', 0)
  for (let count = 0; count < 10; count += 1) await publish(hub, 'a', large)
  await publish(hub, 'a', 'last')
  const texts: string[] = []
  for (let count = 0; count < 4; count += 1) {
    const [stream] = await joined(ask(port, '/live?channel=a', { 'Last-Event-ID': from as string }))
    await stream.says('"last"')
    texts.push(stream.text)
  }
  expect(new Set(texts).size).toBe(1)
  expect(texts[0]?.split(JSON.stringify(large))).toHaveLength(11)
  expect(deflates).toBe(1)
})

test('those who come back at different places share all but the first piece', async () => {
  const { hub, port, joined } = await start()
  const ids = [await hub.publish('a', 0)]
  for (let count = 0; count < 12; count += 1) {
    ids.push(await hub.publish('a', { count, filling: 'x'.repeat(30_000) }))
  }
  for (const [at, from] of ids.entries()) {
    const [stream] = await joined(ask(port, '/live?channel=a', { 'Last-Event-ID': from }))
    if (at < 12) await stream.says('{"count":11')
    expect(stream.text.match(/"count":\d+/g) ?? []).toEqual(
      Array.from({ length: 12 - at }, (_, count) => `"count":${count + at}`),
    )
    // Four pieces of three messages each; from then on, what lies before the next cut.
    expect(deflates).toBeLessThanOrEqual(4 + at)
  }
})

test('who comes back with other channels gets other history, though it begins and ends alike', async () => {
  const { hub, port, joined } = await start()
  const [from] = await publish(hub, 'a', 0)
  await publish(hub, 'a', 'first')
  await publish(hub, 'b', 'of b')
  await publish(hub, 'c', 'of c')
  await publish(hub, 'a', 'last')
  for (const [mine, other] of ['bc', 'cb', 'bc']) {
    const headers = { 'Last-Event-ID': from as string }
    const [stream] = await joined(ask(port, `/live?channel=a&channel=${mine}`, headers))
    await stream.says('"last"')
    expect(stream.text).toContain(`"of ${mine}"`)
    expect(stream.text).not.toContain(`"of ${other}"`)
  }
})

test('a stream that the hub closes is a whole gzip file', async () => {
  const { hub, port, joined } = await start()
  const [stream] = await joined(ask(port, '/live?channel=a'))
  await publish(hub, 'a', large, 'small')
  await publish(hub, 'a', large)
  await hub.close({ code: 1012, reason: 'restart' })
  await stream.ended
  expect(gunzipSync(Buffer.concat(stream.raw)).toString()).toBe(stream.text)
  expect(stream.text).toMatch(/event: ~close\ndata: {"code":1012,"reason":"restart"}\n\n$/)
})

test('a slow reader is measured by the bytes that wait for it, which are the compressed ones', async () => {
  const { hub, port, joined } = await start({ maxQueuedBytes: 1024 * 1024 })
  const request = get({ port, path: '/live?channel=a', agent: false, headers: { 'Accept-Encoding': 'gzip' } })
  onTestFinished(() => void request.destroy())
  const [[response], peer] = await joined(once(request, 'response') as Promise<[IncomingMessage]>)
  response.on('error', () => {})
  response.pause()
  // 20 MB, of which 20 KB are left.
  for (let count = 0; count < 20; count += 1) await hub.publish('a', 'x'.repeat(1_000_000))
  await new Promise((resolve) => setImmediate(resolve))
  expect(peer.signal.aborted).toBe(false)
  const noise = randomBytes(500_000)
  while (!peer.signal.aborted) {
    await hub.publish('a', noise)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await peer.closed).code).toBe(4008)
})

test('off, which is the default, nothing is compressed', async () => {
  const hub = createHub()
  const server = createServer()
  serve(hub, server, { path: '/live' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  onTestFinished(async () => {
    await hub.close()
    server.close()
  })
  const request = get({ port, path: '/live', agent: false, headers: { 'Accept-Encoding': 'gzip' } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  expect(response.headers).not.toHaveProperty('content-encoding')
  request.destroy()
  const socket = new WebSocket(`ws://127.0.0.1:${port}/live`)
  await once(socket, 'open')
  expect(socket.extensions).toBe('')
  socket.terminate()
  expect(deflates).toBe(0)
})

test('a threshold that is no size is a TypeError, before anybody connects', () => {
  const hub = createHub()
  expect(() => serve(hub, createServer(), { path: '/live', compression: { thresholdBytes: -1 } })).toThrow(
    '`compression.thresholdBytes` must be a whole number of 0 or more, got -1',
  )
})

test.each([
  ['gzip', '"gzip"'],
  [null, 'null'],
  [1024, '1024'],
])('a compression of %j is a TypeError: it neither switches it on nor off', (compression, given) => {
  expect(() =>
    serve(createHub(), createServer(), { path: '/live', compression: compression as never }),
  ).toThrow(new TypeError(`\`compression\` must be true, false or \`{ thresholdBytes }\`, got ${given}`))
})
