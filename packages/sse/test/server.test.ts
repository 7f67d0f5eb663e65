import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import { connect as connectSocket, type Server, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { createMessage, type Frame, type ServerConnection } from '@eitherway/core'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createListener, type ListenerOptions } from '../src/server.ts'
import { listen, turn } from './fixtures.ts'

/** An answer as a client sees it, once its head is there. */
interface Answer {
  readonly status: number
  /** In the order of the wire, with the names as they are spelled there. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Stands still until it is read. */
  readonly body: Readable
  /** Goes away as a client does that was closed. */
  leave(): void
  /** Goes away as a client does that crashed. */
  reset(): void
}

/** One version of HTTP: a server of it, and a client that is not ours. */
interface Version {
  readonly name: string
  createServer(listener: ReturnType<typeof createListener>): Server
  get(url: URL, headers?: Record<string, string>): Promise<Answer>
}

const http1: Version = {
  name: 'HTTP/1.1',
  createServer: (listener) => http.createServer(listener),
  async get(url, headers = {}) {
    const request = http.get(url, { agent: false, headers })
    request.on('error', () => {})
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.on('error', () => {})
    const raw = response.rawHeaders
    return {
      status: response.statusCode ?? 0,
      headers: raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? '']] : [])) as [
        string,
        string,
      ][],
      body: response,
      leave: () => request.destroy(),
      reset: () => response.socket.resetAndDestroy(),
    }
  },
}

const h2c: Version = {
  name: 'HTTP/2',
  createServer: (listener) => http2.createServer(listener),
  async get(url, headers = {}) {
    const socket = connectSocket(Number(url.port), url.hostname)
    const session = http2.connect(url, { createConnection: () => socket })
    session.on('error', () => {})
    onTestFinished(() => session.destroy())
    const stream = session.request({ ':path': url.pathname + url.search, ...headers })
    stream.on('error', () => {})
    const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    return {
      status: Number(head[':status']),
      headers: Object.entries(head).filter(([name]) => !name.startsWith(':')) as [string, string][],
      body: stream,
      leave: () => stream.close(http2.constants.NGHTTP2_CANCEL),
      reset: () => socket.resetAndDestroy(),
    }
  },
}

interface Bench {
  readonly url: URL
  /** Fulfils when Node has let go of the next answer. */
  released(): Promise<void>
  /** The next connection that was accepted. */
  accepted(): Promise<ServerConnection>
  /** How many were accepted so far. */
  readonly count: number
}

async function serve({ createServer }: Version, options?: ListenerOptions): Promise<Bench> {
  const connections = new EventEmitter()
  let count = 0
  const listener = createListener(
    () => (connection) => {
      count += 1
      connections.emit('accepted', connection)
    },
    options,
  )
  const server = createServer(listener)
  server.on('request', (_, response) => response.on('close', () => connections.emit('released')))
  const url = new URL('/live', await listen(server))
  return {
    url,
    released: async () => {
      await once(connections, 'released')
    },
    accepted: async () => (await once(connections, 'accepted'))[0] as ServerConnection,
    get count() {
      return count
    },
  }
}

/** One request, from both of its ends. */
async function open(
  version: Version,
  path = '/live',
  headers: Record<string, string> = {},
  options?: ListenerOptions,
) {
  const { url, accepted, released } = await serve(version, options)
  const [connection, answer] = await Promise.all([accepted(), version.get(new URL(path, url), headers)])
  return { connection, answer, released }
}

/** Writes until what the network takes is full, and so many bytes wait on top of it. */
async function fill(connection: ServerConnection, wanted = 1024 * 1024): Promise<void> {
  while (say(connection, 'x'.repeat(65_536)) < wanted) await turn()
}

/** Writes one message as this connection's wire has it. @returns the bytes that wait. */
function say(connection: ServerConnection, data: string | Uint8Array): number {
  return connection.write(connection.encoder.encode(message(data)))
}
/** The same as the reader gets it. */
const block = (data: string) => `event: message\ndata: ${data}\n\n`

/** Everything that the server answers to this text, up to the end of the connection. */
function exchange(
  url: URL,
  request: string,
): { readonly socket: Socket; readonly received: Promise<Buffer> } {
  const socket = connectSocket(Number(url.port), url.hostname, () => socket.write(request))
  return { socket, received: buffer(socket) }
}

const message = (data: string | Uint8Array, { event = 'message', id = '' } = {}): Frame => ({
  type: 'message',
  message: createMessage(event, data, id),
})

/** What Node adds on its own. */
const byNode = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding'])

/** Frames and what they are on the wire, to the byte. */
const wire: readonly (readonly [name: string, frame: Frame, bytes: string])[] = [
  ['a message', message('x', { event: 'prices', id: '1-2' }), 'id: 1-2\nevent: prices\ndata: x\n\n'],
  ['a message without an id', message('x'), 'event: message\ndata: x\n\n'],
  ['lines', message('a\nb\n\n'), 'event: message\ndata: a\ndata: b\ndata: \ndata: \n\n'],
  ['a space in front', message(' x'), 'event: message\ndata:  x\n\n'],
  ['empty data', message(''), 'event: message\ndata: \n\n'],
  ['UTF-8', message('ü€😀', { event: 'é' }), 'event: é\ndata: ü€😀\n\n'],
  ['CR', message('a\r\n'), 'event: message\ndata: data:text/plain;charset=utf-8;base64,YQ0K\n\n'],
  [
    'bytes',
    message(Uint8Array.of(0, 255)),
    'event: message\ndata: data:application/octet-stream;base64,AP8=\n\n',
  ],
  [
    'hello',
    { type: 'hello', id: '1-2', heartbeatMs: 25_000 },
    'id: 1-2\nevent: ~hello\ndata: {"heartbeatMs":25000}\n\n',
  ],
  [
    'hello without an id',
    { type: 'hello', id: '', heartbeatMs: 0 },
    'event: ~hello\ndata: {"heartbeatMs":0}\n\n',
  ],
  ['a position', { type: 'position', id: '1-2' }, 'id: 1-2\nevent: ~position\ndata: \n\n'],
  [
    'a gap',
    { type: 'gap', id: '1-2', gap: { reason: 'evicted', channels: ['a', 'b'] } },
    'id: 1-2\nevent: ~gap\ndata: {"reason":"evicted","channels":["a","b"]}\n\n',
  ],
  ['retry, which joins the block behind it', { type: 'retry', retryMs: 2000 }, 'retry: 2000\n'],
  ['a heartbeat', { type: 'heartbeat' }, ':\n\n'],
  [
    'a close',
    { type: 'close', close: { code: 4008, reason: 'slow' } },
    'event: ~close\ndata: {"code":4008,"reason":"slow"}\n\n',
  ],
]
const goodbye = 'event: ~close\ndata: {"code":1000,"reason":""}\n\n'

describe.each([http1, h2c])('over $name', (version) => {
  test('the head arrives before any event, and holds what proxies must know', async () => {
    const { answer } = await open(version)
    expect(answer.status).toBe(200)
    const names = answer.headers.map(([name, value]) => [name.toLowerCase(), value] as const)
    expect(names.filter(([name]) => !byNode.has(name))).toEqual([
      ['content-type', 'text/event-stream'],
      ['cache-control', 'no-cache, no-transform'],
      ['x-accel-buffering', 'no'],
    ])
  })

  test.each(wire)('%s is these bytes', async (_, frame, bytes) => {
    const { connection, answer } = await open(version)
    connection.write(connection.encoder.encode(frame))
    connection.close()
    expect(await text(answer.body)).toBe(bytes + goodbye)
  })

  test('each event arrives by itself, as soon as it is written', async () => {
    const { connection, answer } = await open(version)
    for (const data of ['a', 'b', 'c']) {
      say(connection, data)
      const [chunk] = (await once(answer.body, 'data')) as [Buffer]
      expect(chunk.toString()).toBe(block(data))
    }
  })

  describe('of the request', () => {
    test('URL, headers and the other end are told', async () => {
      const { connection, answer } = await open(version, '/live?channel=a&channel=b%20c&x=%C3%BC', {
        'x-custom': '1',
        cookie: 'a=1',
      })
      const { url, headers, remote } = connection
      expect([url.protocol, url.pathname]).toEqual(['http:', '/live'])
      expect([...url.searchParams]).toEqual([
        ['channel', 'a'],
        ['channel', 'b c'],
        ['x', 'ü'],
      ])
      expect([headers.get('x-custom'), headers.get('cookie')]).toEqual(['1', 'a=1'])
      expect([...headers.keys()].filter((name) => name.startsWith(':'))).toEqual([])
      expect(remote).toEqual({ address: '127.0.0.1', port: expect.any(Number) })
      answer.leave()
    })

    test.each([
      { name: 'the header', path: '/live', header: 'k3f9x2-42', id: 'k3f9x2-42' },
      { name: 'the query', path: '/live?lastEventId=a%20b', header: undefined, id: 'a b' },
      { name: 'the header before the query', path: '/live?lastEventId=old', header: 'new', id: 'new' },
      { name: 'the header in UTF-8', path: '/live', header: 'ünï 😀', id: 'ünï 😀' },
      { name: 'neither', path: '/live', header: undefined, id: '' },
    ])('the last id is that of $name', async ({ path, header, id }) => {
      const given = header === undefined ? {} : { 'Last-Event-ID': Buffer.from(header).toString('latin1') }
      const { connection } = await open(version, path, given as Record<string, string>)
      expect(connection.lastEventId).toBe(id)
    })
  })

  describe('close', () => {
    test('says why, ends the stream and is told by `closed`', async () => {
      const { connection, answer } = await open(version)
      connection.close({ code: 1012, reason: 'restart — ü' })
      expect(await text(answer.body)).toBe('event: ~close\ndata: {"code":1012,"reason":"restart — ü"}\n\n')
      expect(await connection.closed).toEqual({ code: 1012, reason: 'restart — ü' })
    })

    test('is the end: nothing is written after it, and a second one changes nothing', async () => {
      const { connection, answer } = await open(version)
      connection.close()
      connection.close({ code: 4000, reason: 'again' })
      expect(say(connection, 'lost')).toBe(0)
      expect(await text(answer.body)).toBe(goodbye)
      expect(await connection.closed).toEqual({ code: 1000, reason: '' })
      await connection.drained()
    })

    test('with a code that may not be sent is a TypeError, and the stream goes on', async () => {
      const { connection, answer } = await open(version)
      expect(() => connection.close({ code: 1006, reason: '' })).toThrow(TypeError)
      expect(() => connection.close({ code: 1000, reason: 'x'.repeat(124) })).toThrow(TypeError)
      connection.close()
      expect(await text(answer.body)).toBe(goodbye)
    })

    test('lets everything out that was written before', async () => {
      const { connection, answer } = await open(version)
      const large = 'x'.repeat(8_000_000)
      say(connection, large)
      connection.close()
      expect(await text(answer.body)).toBe(block(large) + goodbye)
    })

    test('destroys a stream whose reader stands still', async () => {
      const { connection, released } = await open(version, '/live', {}, { closeMs: 1 })
      await fill(connection)
      const letGo = released()
      connection.close({ code: 4008, reason: 'slow' })
      await letGo
      expect(await connection.closed).toEqual({ code: 4008, reason: 'slow' })
    })
  })

  test('a stream that is closed and read to its end leaves no timer behind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { connection, answer, released } = await open(version)
    const letGo = released()
    connection.close()
    expect(vi.getTimerCount()).toBe(1)
    answer.body.resume()
    await letGo
    expect(vi.getTimerCount()).toBe(0)
  })

  describe('a reader that stands still', () => {
    test('shows in what `write` returns: the bytes that wait, more with each', async () => {
      const { connection } = await open(version)
      await fill(connection)
      const chunk = connection.encoder.encode(message('x'.repeat(65_536)))
      const first = connection.write(chunk)
      let last = first
      for (let n = 0; n < 10; n += 1) last = connection.write(chunk)
      expect(last).toBeGreaterThanOrEqual(first + 10 * chunk.length)
    })

    test('holds `drained` back until it reads', async () => {
      const { connection, answer } = await open(version)
      await fill(connection)
      let drained = false
      const waiting = connection.drained().then(() => {
        drained = true
      })
      await turn()
      expect(drained).toBe(false)
      answer.body.resume()
      await waiting
      expect(say(connection, 'x')).toBeLessThan(65_536)
    })

    test('and goes away, or is closed, lets go of all who wait for `drained`', async () => {
      const warnings: Error[] = []
      const onWarning = (warning: Error) => warnings.push(warning)
      process.on('warning', onWarning)
      onTestFinished(() => void process.off('warning', onWarning))
      for (const end of ['reset', 'leave', 'close'] as const) {
        const { connection, answer } = await open(version)
        await fill(connection)
        const waiting = Promise.all(Array.from({ length: 50 }, () => connection.drained()))
        if (end === 'close') connection.close()
        else answer[end]()
        await waiting
      }
      await turn()
      expect(warnings).toEqual([])
    })
  })

  describe('a client that goes away', () => {
    test.each(['leave', 'reset'] as const)('is told by `closed`: %s', async (end) => {
      const { connection, answer } = await open(version)
      answer[end]()
      expect(await connection.closed).toEqual({ code: 1006, reason: 'the client went away' })
    })

    test.each(['leave', 'reset'] as const)('can be written to and closed, to no effect: %s', async (end) => {
      const { connection, answer } = await open(version)
      say(connection, 'x')
      answer[end]()
      await connection.closed
      const { bytesWritten } = connection
      for (let n = 0; n < 100; n += 1) expect(say(connection, 'lost')).toBe(0)
      connection.close({ code: 4000, reason: 'late' })
      await connection.drained()
      await turn()
      expect(connection.bytesWritten).toBe(bytesWritten)
      expect(await connection.closed).toMatchObject({ code: 1006 })
    })
  })

  test('a storm of clients that break off raises nothing', async () => {
    const raised: unknown[] = []
    const onRaised = (error: unknown) => raised.push(error)
    process.on('uncaughtExceptionMonitor', onRaised)
    onTestFinished(() => void process.off('uncaughtExceptionMonitor', onRaised))

    const { url, accepted } = await serve(version)
    const ends: unknown[] = []
    for (let n = 0; n < 40; n += 1) {
      const [connection, answer] = await Promise.all([accepted(), version.get(url)])
      let open = true
      const ended = connection.closed.then((close) => {
        open = false
        ends.push(close.code)
      })
      // Written to while it breaks off, at one time with much that waits and at another with nothing.
      if (n % 2 === 0) await fill(connection, 1)
      if (n % 3 === 0) answer.leave()
      else answer.reset()
      while (open) {
        say(connection, 'x'.repeat(1000))
        void connection.drained()
        await turn()
      }
      say(connection, 'late')
      connection.close()
      await ended
    }
    await turn()
    expect(ends).toEqual(Array.from({ length: 40 }, () => 1006))
    expect(raised).toEqual([])
  })

  test('`bytesWritten` counts on while the stream is open, and stays after it', async () => {
    const { connection, answer, released } = await open(version)
    answer.body.resume()
    const before = connection.bytesWritten
    say(connection, 'x'.repeat(1000))
    await once(answer.body, 'data')
    const after = connection.bytesWritten
    expect(after - before).toBeGreaterThanOrEqual(1000)
    const letGo = released()
    connection.close()
    await letGo
    expect(connection.bytesWritten).toBeGreaterThanOrEqual(after + (version === http1 ? goodbye.length : 0))
  })
})

describe('over HTTP/1.1, byte by byte', () => {
  const ask = (lines = 'Connection: close\r\n', path = '/live') =>
    `GET ${path} HTTP/1.1\r\nHost: example.test\r\n${lines}\r\n`
  const chunk = (data: string) => `${Buffer.byteLength(data).toString(16)}\r\n${data}\r\n`
  const undated = (received: Buffer) => received.toString().replace(/Date: [^\r]+\r\n/, '')
  const head =
    'Content-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n'

  test('an answer is its head, a chunk for each turn that wrote, and the end', async () => {
    const { url, accepted } = await serve(http1)
    const { received } = exchange(url, ask())
    const connection = await accepted()
    await turn()
    say(connection, 'ü')
    await turn()
    connection.close()
    expect(undated(await received)).toBe(
      `HTTP/1.1 200 OK\r\n${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n` +
        `${chunk(block('ü'))}${chunk(goodbye)}0\r\n\r\n`,
    )
  })

  test('a client of HTTP/1.0 gets the stream without chunks', async () => {
    const { url, accepted } = await serve(http1)
    const { received } = exchange(url, 'GET /live HTTP/1.0\r\nHost: localhost\r\n\r\n')
    const connection = await accepted()
    expect(connection.url.href).toBe('http://localhost/live')
    say(connection, 'x')
    connection.close()
    expect(undated(await received)).toBe(
      `HTTP/1.1 200 OK\r\n${head}Connection: close\r\n\r\n${block('x')}${goodbye}`,
    )
  })

  test('`bytesWritten` is what the reader counts', async () => {
    const { url, accepted } = await serve(http1)
    const { received } = exchange(url, ask())
    const connection = await accepted()
    for (const [, frame] of wire) {
      connection.write(connection.encoder.encode(frame))
      await turn()
    }
    say(connection, 'x'.repeat(100_000))
    connection.close()
    expect(connection.bytesWritten).toBeGreaterThan(100_000)
    const { byteLength } = await received
    expect(connection.bytesWritten).toBe(byteLength)
  })

  test('`bytesWritten` is of this request alone, where a connection carries several', async () => {
    const { url, accepted, released } = await serve(http1)
    const { socket, received } = exchange(url, ask('', '/live?1'))
    const connections: ServerConnection[] = []
    for (const last of [false, false, true]) {
      const connection = await accepted()
      connections.push(connection)
      say(connection, 'x'.repeat(9000 * connections.length))
      const letGo = released()
      connection.close()
      await letGo
      if (!last) socket.write(ask(connections.length === 2 ? undefined : ''))
    }
    const { byteLength } = await received
    const counts = connections.map(({ bytesWritten }) => bytesWritten)
    expect(counts.reduce((sum, count) => sum + count)).toBe(byteLength)
    expect(counts[1]).toBe((counts[0] ?? 0) + 9000)
  })

  test.each(['end', 'destroy'] as const)(
    'an answer on which somebody else called `%s` raises nothing',
    async (end) => {
      let connection: ServerConnection | undefined
      const server = http.createServer((request, response) => {
        createListener(() => (accepted) => {
          connection = accepted
          response[end]()
          say(accepted, 'lost')
        })(request, response)
      })
      await exchange(await listen(server), ask()).received
      expect(await connection?.closed).toMatchObject({ code: 1006 })
    },
  )

  test('a client that only closes its half of the connection has gone away', async () => {
    const { url, accepted } = await serve(http1)
    const { socket } = exchange(url, ask(''))
    const connection = await accepted()
    socket.end()
    expect(await connection.closed).toMatchObject({ code: 1006 })
  })

  test.each([
    ['a Host with a space', 'GET /live HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n'],
    ['a Host that is none', 'GET /live HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n'],
    ['a Host with a port that is none', 'GET /live HTTP/1.1\r\nHost: a:b\r\nConnection: close\r\n\r\n'],
    ['no Host', 'GET /live HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['two Hosts', 'GET /live HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n'],
    [
      'two positions',
      'GET /live HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 1\r\nLast-Event-ID: 2\r\nConnection: close\r\n\r\n',
    ],
    [
      'a body, which ends the connection',
      'GET /live HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nGET /live HTTP/1.1\r\nHost: a\r\n\r\n',
    ],
    ['a target with an authority', ask(undefined, 'http://elsewhere.test/live')],
    ['a target without a path', ask(undefined, '*')],
  ])('%s is answered 400, and nobody is asked to accept it', async (_, request) => {
    const bench = await serve(http1)
    const received = await exchange(bench.url, request).received
    expect(received.toString()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(bench.count).toBe(0)
  })

  test.each(['', 'a/b', 'a?channel=b', 'a#b', 'user:password@a', 'a\\b'])(
    'a Host that is more than a host is answered 400: %j',
    async (host) => {
      const { url } = await serve(http1)
      const request = `GET /live HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
      const { socket } = exchange(url, request)
      const [received] = (await once(socket, 'data')) as [Buffer]
      expect(received.toString()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    },
  )

  test('of requests that are sent at once only the first becomes a stream: the others could never begin', async () => {
    const { url, accepted } = await serve(http1)
    const { received } = exchange(url, ask('') + ask('') + ask())
    const connection = await accepted()
    connection.close()
    const answers = (await received).toString().split(/(?=HTTP\/1\.1 )/)
    expect(answers.map((answer) => answer.split('\r\n', 1)[0])).toEqual([
      'HTTP/1.1 200 OK',
      'HTTP/1.1 503 Service Unavailable',
      'HTTP/1.1 503 Service Unavailable',
    ])
  })

  test('after a 400 the connection serves on', async () => {
    const { url, accepted } = await serve(http1)
    const { received, socket } = exchange(url, 'GET /live HTTP/1.1\r\nHost: [\r\n\r\n')
    await once(socket, 'data')
    socket.write(ask())
    const connection = await accepted()
    connection.close()
    const answers = (await received).toString().split(/(?=HTTP\/1\.1 )/)
    expect(answers.map((answer) => answer.split('\r\n', 1)[0])).toEqual([
      'HTTP/1.1 400 Bad Request',
      'HTTP/1.1 200 OK',
    ])
  })
})

describe('frames that go past `response.write`', () => {
  test('do not where a middleware has put one of its own in place', async () => {
    const seen: string[] = []
    const server = http.createServer((request, response) => {
      const write = response.write
      response.write = (chunk: Uint8Array) => {
        seen.push(Buffer.from(chunk).toString())
        return Reflect.apply(write, response, [chunk])
      }
      createListener(() => (connection) => {
        say(connection, 'a')
        connection.close()
      })(request, response)
    })
    const answer = await http1.get(new URL('/live', await listen(server)))
    expect(await text(answer.body)).toBe(block('a') + goodbye)
    expect(seen).toEqual([block('a'), goodbye])
  })

  test('do not follow the head that a HEAD is answered with: the next answer begins there', async () => {
    const { url, count } = await serve(http1)
    const { socket, received } = exchange(url, 'HEAD /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const text = (await received).toString()
    expect(text).toMatch(/^HTTP\/1\.1 405 /)
    expect(text.split('\r\n\r\n')[1]).toBe('')
    expect(count).toBe(0)
    socket.destroy()
  })

  test('have no length that somebody has set before', async () => {
    const server = http.createServer((request, response) => {
      response.setHeader('Content-Length', 5)
      createListener(() => (connection) => {
        say(connection, 'a')
        connection.close()
      })(request, response)
    })
    const answer = await http1.get(new URL('/live', await listen(server)))
    expect(answer.headers.map(([name]) => name)).not.toContain('Content-Length')
    expect(await text(answer.body)).toBe(block('a') + goodbye)
  })

  test('are not written behind an end that somebody else called, into the next answer', async () => {
    const connections: ServerConnection[] = []
    const server = http.createServer((request, response) => {
      if (connections.length > 0) {
        for (const connection of connections) say(connection, 'lost')
        response.end('next')
        return
      }
      createListener(() => (connection) => {
        connections.push(connection)
        response.end()
        say(connection, 'lost')
      })(request, response)
    })
    const origin = await listen(server)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    const bodies: string[] = []
    for (const path of ['/live', '/next']) {
      const request = http.get(new URL(path, origin), { agent })
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      bodies.push(await text(response))
    }
    expect(bodies).toEqual(['', 'next'])
  })

  test('may be several in one write', async () => {
    const { connection, answer } = await open(http1)
    const { encoder } = connection
    const frames = ['a', 'ü', 'c'].map((data) => encoder.encode(message(data)))
    connection.write(encoder.join?.(frames) ?? '')
    connection.close()
    expect(await text(answer.body)).toBe(`${block('a')}${block('ü')}${block('c')}${goodbye}`)
  })
})

describe('over HTTP/2', () => {
  test('there is no Connection header, nor any other of HTTP/1.1', async () => {
    const { answer } = await open(h2c)
    expect(answer.headers.map(([name]) => name)).toEqual([
      'content-type',
      'cache-control',
      'x-accel-buffering',
      'date',
    ])
  })

  // A path that is none nghttp2 refuses by itself.
  test('an authority that is none is answered 400, and nobody is asked to accept it', async () => {
    const bench = await serve(h2c)
    expect((await h2c.get(bench.url, { ':authority': '[' })).status).toBe(400)
    expect(bench.count).toBe(0)
  })

  test('streams of one session stand still and end each by itself', async () => {
    const { url, accepted } = await serve(h2c)
    const session = http2.connect(url)
    onTestFinished(() => session.destroy())
    const [slow] = await Promise.all([accepted(), once(session.request({ ':path': '/live' }), 'response')])
    await fill(slow)
    const fast = session.request({ ':path': '/live' })
    const connection = await accepted()
    say(connection, 'x')
    connection.close()
    expect(await text(fast)).toBe(`${block('x')}${goodbye}`)
    expect(say(slow, 'x')).toBeGreaterThan(1024 * 1024)
  })
})
