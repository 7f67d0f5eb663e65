import { EventEmitter, once } from 'node:events'
import { createServer, get, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { createHub, createListeners, type Hub, serve } from '@eitherway/server'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'

const ends: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(() => resolve()))
  })
  return (server.address() as AddressInfo).port
}

function createTestHub(): Hub {
  const hub = createHub()
  ends.push(() => hub.close())
  return hub
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

/** A whole answer; of an event stream, its head alone. */
function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      const { statusCode: status = 0, headers: given } = response
      if (given['content-type'] === 'text/event-stream') {
        response.destroy()
        resolve({ status, headers: given, text: '' })
        return
      }
      let text = ''
      response.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      response.on('end', () => resolve({ status, headers: given, text }))
    })
    asking.on('error', reject).end()
  })
}

/** The first bytes that answer to raw ones. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    socket.setEncoding('latin1').on('data', (part) => {
      answer += part
      if (answer.includes('\r\n\r\n')) {
        socket.destroy()
        resolve(answer)
      }
    })
    socket.on('error', reject).on('close', () => resolve(answer))
  })
}

const upgrade = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`

describe('beside the application', () => {
  const orders = ['before', 'after'] as const
  test.each(orders)(
    'a listener added %s keeps every other path, and hears nothing of ours',
    async (order) => {
      const server = createServer()
      const heard: string[] = []
      const application = (incoming: IncomingMessage, response: { end(text: string): void }) => {
        heard.push(incoming.url ?? '')
        response.end('application')
      }
      if (order === 'before') server.on('request', application)
      serve(createTestHub(), server, { path: '/live' })
      if (order === 'after') server.on('request', application)
      const port = await listen(server)
      expect(await ask(port, '/')).toMatchObject({ status: 200, text: 'application' })
      expect(await ask(port, '/live')).toMatchObject({ status: 200, text: '' })
      expect(await ask(port, '/live?channel=a')).toMatchObject({ status: 200, text: '' })
      expect(await ask(port, '/live/')).toMatchObject({ text: 'application' })
      expect(await ask(port, '/liver')).toMatchObject({ text: 'application' })
      expect(heard).toEqual(['/', '/live/', '/liver'])
    },
  )

  test('an upgrade for another path is left to the application', async () => {
    const server = createServer()
    serve(createTestHub(), server, { path: '/live' })
    server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 418 Teapot\r\n\r\n'))
    const port = await listen(server)
    expect(await raw(port, upgrade('/other'))).toMatch(/^HTTP\/1.1 418/)
    expect(await raw(port, upgrade('/live'))).toMatch(/^HTTP\/1.1 101/)
  })

  test('an upgrade that nobody wants is refused, not left hanging', async () => {
    const server = createServer()
    serve(createTestHub(), server, { path: '/live' })
    serve(createTestHub(), server, { path: '/other' })
    const port = await listen(server)
    expect(await raw(port, upgrade('/nowhere'))).toMatch(/^HTTP\/1.1 404/)
  })

  test('a request that nobody wants is answered 404, not left hanging', async () => {
    const server = createServer()
    serve(createTestHub(), server, { path: '/live' })
    const port = await listen(server)
    expect(await ask(port, '/')).toMatchObject({ status: 404 })
  })

  test('two hubs on one server each have their path', async () => {
    const server = createServer()
    const [one, other] = [createTestHub(), createTestHub()]
    serve(one, server, { path: '/one' })
    serve(other, server, { path: '/other' })
    const port = await listen(server)
    await Promise.all(
      [one, other].map((hub, at) => {
        const connected = new Promise((resolve) => hub.onConnect(resolve))
        const socket = new WebSocket(`ws://127.0.0.1:${port}/${at === 0 ? 'one' : 'other'}`)
        socket.on('error', () => {})
        ends.push(() => socket.terminate())
        return connected
      }),
    )
    expect([one.peers.size, other.peers.size]).toEqual([1, 1])
    expect(await ask(port, '/one')).toMatchObject({ status: 200 })
    expect(await ask(port, '/other')).toMatchObject({ status: 200 })
    expect(await ask(port, '/nowhere')).toMatchObject({ status: 404 })
  })

  test('a server of http2 needs no listener of the application', async () => {
    const server = createHttp2Server()
    serve(createTestHub(), server, { path: '/live' })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    ends.push(() => {
      session.destroy()
      server.close()
    })
    for (const [path, status] of [
      ['/live', 200],
      ['/nowhere', 404],
    ] as const) {
      const [headers] = await once(session.request({ ':path': path }), 'response')
      expect(headers[':status']).toBe(status)
    }
  })

  test('its undo gives the path back, and peers stay', async () => {
    const server = createServer((_, response) => response.end('application'))
    const hub = createTestHub()
    const undo = serve(hub, server, { path: '/live' })
    const port = await listen(server)
    const connected = new Promise((resolve) => hub.onConnect(resolve))
    const stream = get({ host: '127.0.0.1', port, path: '/live' })
    stream.on('error', () => {})
    ends.push(() => void stream.destroy())
    await connected
    undo()
    expect(await ask(port, '/live')).toMatchObject({ text: 'application' })
    expect(hub.peers.size).toBe(1)
    expect(server.listenerCount('upgrade')).toBe(0)
  })
})

describe('a request for the path', () => {
  test.each([
    [undefined, 200],
    ['text/event-stream', 200],
    ['TEXT/Event-Stream', 200],
    ['*/*', 200],
    ['text/html, */*;q=0.8', 200],
    ['text/*', 200],
    ['application/json', 406],
    ['text/html', 406],
    ['text/event-stream;q=0', 406],
    ['', 406],
  ])('with Accept %j is answered %i', async (accept, status) => {
    const server = createServer()
    serve(createTestHub(), server, { path: '/live' })
    const port = await listen(server)
    expect(
      (await ask(port, '/live', accept === undefined ? {} : { headers: { Accept: accept } })).status,
    ).toBe(status)
  })

  test('an upgrade behind a stream on the same connection ends both, and mixes nothing into the stream', async () => {
    const hub = createTestHub()
    const server = createServer()
    serve(hub, server, { path: '/live' })
    const port = await listen(server)
    const socket = connectTcp(port, '127.0.0.1')
    const received = buffer(socket)
    const both = new Promise<void>((resolve) => hub.onConnect(() => resolve()))
    socket.write('GET /live HTTP/1.1\r\nHost: a\r\n\r\n')
    await both
    socket.write(
      'GET /live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    const text = (await received.catch(() => Buffer.alloc(0))).toString()
    expect(text).not.toContain('101')
    expect(text.match(/HTTP\/1\.1/g) ?? []).toHaveLength(1)
    await vi.waitFor(() => expect(hub.peers.size).toBe(0))
  })

  test('a `write` of a middleware that throws ends its own stream, and no other', async () => {
    const told: unknown[] = []
    const hub = createHub({ onError: (error) => told.push(error) })
    onTestFinished(() => hub.close())
    const bad = new Error('bad')
    let isBad = false
    const server = createServer()
    server.on('request', (_, response) => response.end())
    serve(hub, server, { path: '/live' })
    const emit = server.emit
    server.emit = ((name: string, ...args: unknown[]) => {
      const [request, response] = args as [IncomingMessage, ServerResponse]
      if (name === 'request' && request.url?.includes('bad')) {
        const write = response.write
        response.write = (chunk: Uint8Array) => {
          if (isBad) throw bad
          return Reflect.apply(write, response, [chunk])
        }
      }
      return Reflect.apply(emit, server, [name, ...args])
    }) as typeof emit
    const port = await listen(server)
    const good = connectTcp(port, '127.0.0.1')
    const ill = connectTcp(port, '127.0.0.1')
    const connected = (count: number) => vi.waitFor(() => expect(hub.peers.size).toBe(count))
    ill.write('GET /live?channel=a&bad HTTP/1.1\r\nHost: a\r\n\r\n')
    await connected(1)
    good.write('GET /live?channel=a HTTP/1.1\r\nHost: a\r\n\r\n')
    await connected(2)
    isBad = true
    let heard = ''
    const came = new Promise<void>((resolve) => {
      good.on('data', (chunk: Buffer) => {
        heard += chunk.toString()
        if (heard.includes('data: 1')) resolve()
      })
    })
    await hub.publish('a', 1)
    await came
    expect(told).toContain(bad)
    await connected(1)
    good.destroy()
    ill.destroy()
  })

  test.each([
    ['Upgrade header', {}, 'the Upgrade header'],
    ['Connection header', { Upgrade: 'websocket', Connection: 'close' }, '"Connection: Upgrade"'],
  ])(
    'an upgrade whose %s a proxy took away opens no stream that nobody would read',
    async (_, left, what) => {
      const hub = createTestHub()
      const server = createServer()
      serve(hub, server, { path: '/live' })
      const port = await listen(server)
      const key = { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' }
      expect(await ask(port, '/live', { headers: { ...key, ...left } })).toMatchObject({
        status: 426,
        text: `a proxy in between took ${what} away; it has to pass it on\n`,
      })
      expect(hub.peers.size).toBe(0)
    },
  )

  test('that asks for a WebSocket where nobody answers upgrades is told so, and gets no stream', async () => {
    const hub = createTestHub()
    const server = createServer(createListeners(hub).request)
    const port = await listen(server)
    const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' }
    expect(await ask(port, '/live', { headers })).toMatchObject({
      status: 400,
      text: 'there is no WebSocket at this path; GET an event stream\n',
    })
    expect(hub.peers.size).toBe(0)
  })

  test.each(['PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'])(
    'by %s is answered 405 with what is allowed',
    async (method) => {
      const server = createServer()
      serve(createTestHub(), server, { path: '/live' })
      const port = await listen(server)
      const answer = await ask(port, '/live', { method })
      expect(answer.status).toBe(405)
      expect(answer.headers.allow).toBe('GET, POST')
      if (method !== 'HEAD') expect(answer.text).toContain(`${method} is not for this path`)
    },
  )

  test('that is absolute or names no host is refused, and the server lives on', async () => {
    const server = createServer((_, response) => response.writeHead(404).end())
    serve(createTestHub(), server, { path: '/live' })
    const port = await listen(server)
    expect(await raw(port, 'GET http://evil/live HTTP/1.1\r\nHost: test\r\n\r\n')).toMatch(/^HTTP\/1.1 404/)
    expect(await raw(port, 'GET /live HTTP/1.1\r\nHost: a b\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
    expect(await raw(port, upgrade('/live').replace('Host: test', 'Host: a b'))).toMatch(/^HTTP\/1.1 400/)
    expect((await ask(port, '/live')).status).toBe(200)
  })
})

describe('a request that the hub refuses', () => {
  const ours = (path: string) =>
    upgrade(path).replace('\r\n\r\n', '\r\nSec-WebSocket-Protocol: eitherway.v1\r\n\r\n')

  test('for a channel that is none: 400 before any byte of a stream, and over our subprotocol 4500', async () => {
    const server = createServer()
    const hub = createTestHub()
    serve(hub, server, { path: '/live' })
    const port = await listen(server)
    expect(await ask(port, '/live?channel=~x')).toMatchObject({
      status: 400,
      text: '`channel` must not start with "~", got "~x": those names belong to the protocol\n',
    })
    const plain = await raw(port, upgrade('/live?channel=~x'))
    expect(plain).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
    expect(plain).toMatch(/those names belong to the protocol\n$/)
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live?channel=~x`, 'eitherway.v1')
    const [code, reason] = await once(socket, 'close')
    expect([code, String(reason)]).toEqual([
      4500,
      '`channel` must not start with "~", got "~x": those names belong to the protocol',
    ])
    expect(hub.peers.size).toBe(0)
  })

  test('because it is closed: 503, and over our subprotocol a code that invites to come back', async () => {
    const server = createServer()
    const hub = createTestHub()
    serve(hub, server, { path: '/live' })
    const port = await listen(server)
    await hub.close({ retryMs: 2_500 })
    expect(await ask(port, '/live')).toMatchObject({
      status: 503,
      text: 'the server goes away\n',
      headers: { 'retry-after': '3' },
    })
    expect(await raw(port, upgrade('/live'))).toMatch(/^HTTP\/1.1 503 /)
    expect(await raw(port, ours('/live'))).toMatch(/^HTTP\/1.1 101 /)
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, 'eitherway.v1')
    const words: string[] = []
    socket.on('message', (data) => words.push(String(data)))
    expect((await once(socket, 'close'))[0]).toBe(4103)
    expect(words).toEqual(['\n~retry\n2500'])
  })
})

test.each(['', 'live', '/live?x', '/live#x', undefined])('path %j is refused', (path) => {
  expect(() => serve(createHub(), createServer(), { path: path as string })).toThrow(
    '`path` must start with "/"',
  )
})

test('a server that is none of Node is refused, and said what to give: an application of a framework hears nothing', () => {
  const application = Object.assign(() => undefined, { emit: () => true, on: () => undefined })
  for (const [given, what] of [
    [application, 'function'],
    [new EventEmitter(), 'EventEmitter'],
    [undefined, 'undefined'],
  ] as const) {
    expect(() => serve(createHub(), given as unknown as Server, { path: '/live' })).toThrow(
      `\`server\` must be a server of Node's http, https or http2, got ${what}; of a framework, take what its \`listen\` returns`,
    )
  }
  expect(() => serve(createHub(), createServer(), undefined as unknown as { path: string })).toThrow(
    '`path` must start with "/" and hold no "?" or "#", got undefined',
  )
})

test.each([0, -1, 1.5, '1mb'])('a maxMessageBytes of %j is refused', (maxMessageBytes) => {
  expect(() =>
    serve(createHub(), createServer(), { path: '/live', maxMessageBytes: maxMessageBytes as number }),
  ).toThrow(`\`maxMessageBytes\` must be a whole number of 1 or more, got ${JSON.stringify(maxMessageBytes)}`)
})

test("a busy port is the application's to handle, as with any server of Node", async () => {
  const server = createServer()
  serve(createTestHub(), server, { path: '/live' })
  const port = await listen(server)
  const second = createServer()
  serve(createTestHub(), second, { path: '/live' })
  second.listen(port, '127.0.0.1')
  const [error] = await once(second, 'error')
  expect(error).toMatchObject({ code: 'EADDRINUSE' })
})
