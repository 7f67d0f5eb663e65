import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http, { createServer, type IncomingMessage, type Server } from 'node:http'
import http2 from 'node:http2'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { createGunzip, gunzipSync, inflateRawSync } from 'node:zlib'
import { createMessage, createQueue, type Frame, type ServerConnection } from '@eitherway/core'
import { codecSuite } from '@eitherway/core/testing'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sse } from '../src/client.ts'
import { codec } from '../src/codec.ts'
import { acceptsGzip, createSections, Gzip } from '../src/compression.ts'
import { createListener, type ListenerOptions } from '../src/server.ts'
import { listen, nextMessage, turn } from './fixtures.ts'

const message = (data: string | Uint8Array): Frame => ({ type: 'message', message: createMessage('e', data) })
const block = (data: string) => `event: e\ndata: ${data}\n\n`
const goodbye = 'event: ~close\ndata: {"code":1000,"reason":""}\n\n'
/** Of a size that is worth it. */
const large = JSON.stringify(Array.from({ length: 40 }, (_, id) => ({ id, symbol: 'EURUSD', bid: 1.08 })))

describe('Accept-Encoding', () => {
  test.each([
    ['gzip', true],
    ['gzip, deflate, br, zstd', true],
    ['br;q=1.0, GZIP;q=0.001', true],
    ['x-gzip', true],
    ['*', true],
    ['gzip ; q=0.5', true],
    ['deflate, *;q=0.1', true],
    ['identity;q=0.5, gzip;q=0.5', true],
    ['*;q=0, gzip', true],
    ['gzip;q=0', false],
    ['gzip;q=0.000', false],
    ['*;q=0', false],
    ['gzip;q=0, *', false],
    ['identity', false],
    ['identity, gzip;q=0.5', false],
    ['br, deflate', false],
    ['gzip;q=1.5', false],
    ['gzip;q=x', false],
    ['', false],
    [undefined, false],
  ])('%j: %s', (header, isAccepted) => {
    expect(acceptsGzip(header)).toBe(isAccepted)
  })
})

describe('the codec within gzip', () => {
  const sections = createSections(0)
  const compressing: typeof codec = {
    encode(frame) {
      const gzip = new Gzip(false)
      gzip.next('')
      return gzip.next(sections.encode(frame))
    },
    decoder(limits) {
      const decoder = codec.decoder(limits)
      // A section ends where a byte does, so what has come can be read at once.
      return { push: (chunk) => decoder.push(inflateRawSync(chunk, { finishFlush: 2 })) }
    },
  }
  codecSuite({ test, codec: compressing, cuts: 'between frames' })
})

test('whatever is sent, in whatever cuts, and whenever a stream begins: each is a whole gzip file of what it was sent', () => {
  const data = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.constantFrom(large, '', 'x'.repeat(70_000)),
    fc.uint8Array({ maxLength: 400 }),
    // Nothing to compress, and more than one stored block holds.
    fc.constant(Uint8Array.from({ length: 70_000 }, (_, at) => (at * at * 2_654_435_761) >>> 13)),
  )
  const turns = fc.array(fc.array(data, { minLength: 1, maxLength: 5 }), { maxLength: 8 })
  fc.assert(
    fc.property(turns, fc.nat(600), fc.nat(8), fc.boolean(), (batches, thresholdBytes, late, isChunked) => {
      const sections = createSections(thresholdBytes)
      const chunks = batches.map((batch) => {
        const each = batch.map((item) => sections.encode(message(item)))
        return each.length === 1 ? (each[0] as Uint8Array) : (sections.join?.(each) as Uint8Array)
      })
      for (const mine of [chunks, chunks.slice(late)]) {
        const gzip = new Gzip(isChunked)
        const sent = mine.map((chunk) => gzip.next(chunk))
        sent.push(gzip.next(sections.encode({ type: 'heartbeat' }), true))
        const body = isChunked ? unchunk(Buffer.concat(sent)) : Buffer.concat(sent)
        expect(gunzipSync(body).equals(Buffer.concat([...mine, Buffer.from(':\n\n')]))).toBe(true)
      }
    }),
    { numRuns: 150 },
  )
})

/** The body in chunks of HTTP/1.1. */
function unchunk(framed: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < framed.length; ) {
    const end = framed.indexOf('\r\n', at)
    const size = Number.parseInt(framed.toString('latin1', at, end), 16)
    parts.push(framed.subarray(end + 2, end + 2 + size))
    expect(framed.toString('latin1', end + 2 + size, end + 4 + size)).toBe('\r\n')
    at = end + 4 + size
  }
  return Buffer.concat(parts)
}

interface Answer {
  readonly headers: IncomingMessage['headers']
  readonly body: Readable
}

/** One way to ask, and to be answered. */
interface Way {
  readonly name: string
  createServer(listener: ReturnType<typeof createListener>): Server
  get(url: URL, headers: Record<string, string>): Promise<Answer>
}

async function getHttp1(url: URL, headers: Record<string, string>): Promise<Answer> {
  const [response] = (await once(http.get(url, { agent: false, headers }), 'response')) as [IncomingMessage]
  return { headers: response.headers, body: response }
}

const ways: readonly Way[] = [
  { name: 'HTTP/1.1', createServer: (listener) => createServer(listener), get: getHttp1 },
  {
    name: 'HTTP/1.1 through a middleware',
    createServer: (listener) =>
      createServer((request, response) => {
        const { write } = response
        response.write = ((...args: Parameters<typeof write>) =>
          Reflect.apply(write, response, args)) as typeof write
        listener(request, response)
      }),
    get: getHttp1,
  },
  {
    name: 'HTTP/2',
    createServer: (listener) => http2.createServer(listener) as unknown as Server,
    async get(url, headers) {
      const session = http2.connect(url)
      onTestFinished(() => session.destroy())
      const stream = session.request({ ':path': url.pathname, ...headers })
      const [head] = (await once(stream, 'response')) as [IncomingMessage['headers']]
      return { headers: head, body: stream }
    },
  },
]

async function serve({ createServer }: Way, options: ListenerOptions) {
  const accepted = createQueue<ServerConnection>()
  const arriving = accepted[Symbol.asyncIterator]()
  const server = createServer(createListener(() => (connection) => accepted.push(connection, 0), options))
  const url = new URL('/live', await listen(server))
  return { url, server, accepted: async () => (await arriving.next()).value as ServerConnection }
}

async function open(
  way: Way,
  headers: Record<string, string>,
  compression: ListenerOptions['compression'] = true,
) {
  const { url, accepted } = await serve(way, { compression })
  const [connection, answer] = await Promise.all([accepted(), way.get(url, headers)])
  return { connection, ...answer }
}

const gzip = { 'Accept-Encoding': 'gzip' }
const say = (connection: ServerConnection, data: string) =>
  connection.write(connection.encoder.encode(message(data)))

describe.each(ways)('over $name', (way) => {
  test('who takes gzip gets it, and a file that is whole at the end', async () => {
    const { connection, headers, body } = await open(way, gzip)
    expect(headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
    say(connection, 'small')
    say(connection, large)
    connection.close()
    const raw = await buffer(body)
    expect(gunzipSync(raw).toString()).toBe(block('small') + block(large) + goodbye)
    expect(raw.length).toBeLessThan(large.length / 2)
  })

  test.each([
    ['says nothing of it', {}],
    ['refuses it', { 'Accept-Encoding': 'gzip;q=0' }],
  ])('who %s gets plain bytes, and caches are told', async (_, asked) => {
    const { connection, headers, body } = await open(way, asked as Record<string, string>)
    expect(headers).toMatchObject({ vary: 'Accept-Encoding' })
    expect(headers).not.toHaveProperty('content-encoding')
    say(connection, large)
    connection.close()
    expect(await text(body)).toBe(block(large) + goodbye)
  })

  test('off, nobody gets it', async () => {
    const { connection, headers, body } = await open(way, gzip, false)
    expect(headers).not.toHaveProperty('content-encoding')
    expect(headers).not.toHaveProperty('vary')
    connection.close()
    expect(await text(body)).toBe(goodbye)
  })

  test('each event can be read as soon as it is written, large and small', async () => {
    const { connection, body } = await open(way, gzip)
    const events = body.pipe(createGunzip())
    for (const data of ['a', large, 'b', large, large]) {
      say(connection, data)
      const [chunk] = (await once(events, 'data')) as [Buffer]
      expect(chunk.toString()).toBe(block(data))
    }
    connection.write(connection.encoder.encode({ type: 'heartbeat' }))
    expect(String((await once(events, 'data'))[0])).toBe(':\n\n')
    connection.close()
    expect(await text(events)).toBe(goodbye)
  })

  test('a stream that is closed before a word was said is whole too', async () => {
    const { connection, body } = await open(way, gzip)
    connection.close({ code: 4000, reason: 'go' })
    expect(gunzipSync(await buffer(body)).toString()).toBe(
      'event: ~close\ndata: {"code":4000,"reason":"go"}\n\n',
    )
  })

  test('the bytes that wait, and that left, are those of the wire', async () => {
    const { connection, body } = await open(way, gzip)
    const before = connection.bytesWritten
    const chunk = connection.encoder.encode(message('x'.repeat(1_000_000)))
    expect(connection.write(chunk)).toBeLessThan(20_000)
    connection.close()
    const raw = await buffer(body)
    const written = connection.bytesWritten - before
    // Besides the body, the heads of its chunks.
    expect(written - raw.length).toBeGreaterThanOrEqual(0)
    expect(written - raw.length).toBeLessThan(200)
  })

  test('a reader that stands still shows in what `write` returns', async () => {
    const { connection, body } = await open(way, gzip)
    body.pause()
    const noise = randomBytes(100_000).toString('base64')
    while (say(connection, noise) < 500_000) await turn()
    const first = say(connection, noise)
    expect(say(connection, noise)).toBeGreaterThan(first)
    let hasDrained = false
    const drained = connection.drained().then(() => {
      hasDrained = true
    })
    await turn()
    expect(hasDrained).toBe(false)
    body.resume()
    await drained
  })

  test('a `Vary` of a middleware stays', async () => {
    const { url } = await serve(
      {
        ...way,
        createServer: (listener) =>
          way.createServer((request, response) => {
            response.setHeader('Vary', 'Origin')
            listener(request, response)
          }),
      },
      { compression: true },
    )
    expect((await way.get(url, gzip)).headers['vary']).toBe('Origin, Accept-Encoding')
  })

  test('a coding of a middleware stays', async () => {
    const { url } = await serve(
      {
        ...way,
        createServer: (listener) =>
          way.createServer((request, response) => {
            response.setHeader('Content-Encoding', 'br')
            listener(request, response)
          }),
      },
      { compression: true },
    )
    expect((await way.get(url, gzip)).headers['content-encoding']).toBe('br')
  })
})

test('our client reads it, each message as it comes', async () => {
  const { url, accepted } = await serve(ways[0] as Way, { compression: { thresholdBytes: 0 } })
  const { signal } = new AbortController()
  const [server, client] = await Promise.all([
    accepted(),
    sse().connect(url, { lastEventId: '', channels: [], signal }),
  ])
  const frames = client[Symbol.asyncIterator]()
  for (const data of ['a', large, 'b']) {
    say(server, data)
    expect(await nextMessage(frames)).toMatchObject({ data })
  }
  server.close({ code: 4000, reason: 'go' })
  expect(await nextMessage(frames)).toBeUndefined()
  expect(await client.closed).toEqual({ code: 4000, reason: 'go' })
})

test('two peers are given the same buffer, also one that came later', async () => {
  const { url, server, accepted } = await serve(ways[0] as Way, { compression: true })
  const written: unknown[][] = []
  server.on('connection', (socket: Socket) => {
    const mine: unknown[] = []
    written.push(mine)
    const { write } = socket
    socket.write = ((...args: Parameters<typeof write>) => {
      mine.push(args[0])
      return Reflect.apply(write, socket, args)
    }) as typeof write
  })
  const [one] = await Promise.all([accepted(), getHttp1(url, gzip)])
  say(one, 'a greeting')
  const chunk = one.encoder.encode(message(large))
  one.write(chunk)
  const [other, late] = await Promise.all([accepted(), getHttp1(url, gzip)])
  say(other, 'another, longer greeting')
  other.write(chunk)
  other.close()
  expect(written[1]?.some((bytes) => bytes === written[0]?.at(-1))).toBe(true)
  expect(gunzipSync(await buffer(late.body)).toString()).toBe(
    block('another, longer greeting') + block(large) + goodbye,
  )
})

test.each([-1, 0.5, Number.NaN, '1' as never])('a threshold of %s is a TypeError', (thresholdBytes) => {
  expect(() => createListener(() => () => {}, { compression: { thresholdBytes } })).toThrow(TypeError)
})
