import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createHub, type GateOptions, type Hub, serve } from '@eitherway/server'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

interface Bench {
  readonly hub: Hub
  /** A whole answer; of an event stream, its head alone. */
  ask(headers: Record<string, string>, method?: string, path?: string): Promise<Answer>
  /** The status of an upgrade, or the code with which an accepted one of ours was closed. */
  upgrade(headers: Record<string, string>, ours?: boolean): Promise<number>
}

/** @param before - a middleware of the application's. */
async function start(options: GateOptions = {}, before?: (response: ServerResponse) => void): Promise<Bench> {
  const hub = createHub()
  const server = createServer()
  serve(hub, server, { path: '/live', ...options })
  const emit = server.emit
  server.emit = ((name: string, ...args: unknown[]) => {
    if (name === 'request') before?.(args[1] as ServerResponse)
    return Reflect.apply(emit, server, [name, ...args])
  }) as typeof emit
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  onTestFinished(async () => {
    await hub.close()
    server.closeAllConnections()
    server.close()
  })
  return {
    hub,
    ask: (headers, method = 'GET', path = '/live') =>
      new Promise((resolve, reject) => {
        const asking = request(
          { host: '127.0.0.1', port, path, method, headers, agent: false },
          (response) => {
            const { statusCode: status = 0, headers: given } = response
            if (status === 200) {
              response.destroy()
              resolve({ status, headers: given, text: '' })
              return
            }
            let text = ''
            response.setEncoding('utf8').on('data', (part) => {
              text += part
            })
            response.on('end', () => resolve({ status, headers: given, text }))
          },
        )
        asking.on('error', reject).end()
      }),
    upgrade: (headers, ours = false) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, ours ? ['eitherway.v1'] : [], { headers })
        const heard: string[] = []
        socket.on('error', reject)
        socket.on('unexpected-response', (_, response) => {
          resolve(response.statusCode ?? 0)
          response.destroy()
        })
        socket.on('message', (data) => {
          heard.push(String(data))
          resolve(101)
          socket.terminate()
        })
        socket.on('open', () => {
          if (ours) return
          resolve(101)
          socket.terminate()
        })
        socket.on('close', (code) => resolve(code))
      }),
  }
}

const good = 'https://good.example'
const host = 'good.example'

const own: readonly (readonly [string, Record<string, string>])[] = [
  ['nobody says from where (curl)', { host }],
  ['from the same host', { host, origin: good }],
  ['from the same host, in capitals as it was asked', { host: 'GOOD.example', origin: good }],
  ['from the same host behind TLS, or not', { host, origin: 'http://good.example' }],
  ['from the same host and port', { host: `${host}:8443`, origin: `${good}:8443` }],
  ["from the same host, with the scheme's own port", { host: `${host}:443`, origin: good }],
  ['from the same address', { host: '[::1]:8080', origin: 'http://[::1]:8080' }],
  ['from the same host with its root', { host: `${host}.`, origin: `${good}.` }],
  [
    'from the server itself, by a proxy that rewrites Host',
    { host: 'backend', origin: good, 'sec-fetch-site': 'same-origin' },
  ],
  ['from the server itself, by fetch', { host, 'sec-fetch-site': 'same-origin' }],
  ['from the address bar', { host, 'sec-fetch-site': 'none' }],
]

const foreign: readonly (readonly [string, Record<string, string>])[] = [
  ['another host', { host, origin: 'https://evil.example' }],
  ['a host behind ours', { host, origin: 'https://good.example.evil.example' }],
  ['a host before ours', { host, origin: 'https://evil-good.example' }],
  ['a host below ours', { host, origin: 'https://sub.good.example' }],
  ['a host above ours', { host: 'sub.good.example', origin: good }],
  ['our host as a name before another', { host, origin: 'https://good.example@evil.example' }],
  ['our host with a name before it', { host, origin: 'https://evil@good.example' }],
  ['our host as a path of another', { host, origin: 'https://evil.example/good.example' }],
  ['our origin with a path', { host, origin: `${good}/` }],
  ['our origin with a query', { host, origin: `${good}?evil` }],
  ['another port', { host, origin: `${good}:8443` }],
  ['the port of the other scheme', { host, origin: 'https://good.example:80' }],
  ["the scheme's own port, which no browser spells out", { host, origin: `${good}:443` }],
  ['our origin in capitals', { host, origin: 'HTTPS://GOOD.EXAMPLE' }],
  ['our host with its root', { host, origin: `${good}.` }],
  ['nowhere', { host, origin: 'null' }],
  ['nowhere, at a host of that name', { host: 'null', origin: 'null' }],
  ['an empty origin', { host, origin: '' }],
  ['two origins in one', { host, origin: `${good}, https://evil.example` }],
  ['two origins in one, the evil one first', { host, origin: `https://evil.example, ${good}` }],
  ['a host that looks like ours', { host: 'bcher.example', origin: 'https://b\u00fccher.example' }],
  ['another spelling of our address', { host: '127.0.0.1', origin: 'http://0x7f.1' }],
  ['another scheme', { host, origin: 'ftp://good.example' }],
  ['an image of another site', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
  ['an image of a neighbour', { host, 'sec-fetch-site': 'same-site' }],
  ['a link on another site', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }],
  [
    'our host without TLS, as the browser knows',
    { host, origin: 'http://good.example', 'sec-fetch-site': 'cross-site' },
  ],
  ['what no browser says', { host, 'sec-fetch-site': 'Same-Origin' }],
]

describe('by default', () => {
  test.each(own)('let in: %s', async (_, headers) => {
    const { ask, upgrade } = await start()
    const { status, headers: given } = await ask(headers)
    expect([status, given['access-control-allow-origin']]).toEqual([200, undefined])
    expect(await upgrade(headers)).toBe(101)
    expect(await upgrade(headers, true)).toBe(101)
  })

  test.each(foreign)(
    'refused on every entrance, before any byte of the hub: a page of %s',
    async (_, headers) => {
      const { hub, ask, upgrade } = await start()
      let peers = 0
      hub.onConnect(() => {
        peers += 1
      })
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const preflight = method === 'OPTIONS' ? { 'access-control-request-method': 'GET' } : {}
        const answer = await ask({ ...headers, ...preflight }, method)
        expect([method, answer.status, answer.headers['access-control-allow-origin']]).toEqual([
          method,
          403,
          undefined,
        ])
        expect(answer.text).toContain('may not connect')
      }
      expect(await upgrade(headers)).toBe(403)
      expect(await upgrade(headers, true)).toBe(4503)
      expect(peers).toBe(0)
    },
  )
})

describe('with origins', () => {
  const list = [
    good,
    'http://localhost:5173',
    'https://[::1]:8443',
    'https://xn--bcher-kva.example',
    'capacitor://localhost',
  ]

  test.each(list)('a page of %s is let in, and may read the answer', async (origin) => {
    const { ask, upgrade } = await start({ origins: list })
    const headers = { host: 'api.example', origin, 'sec-fetch-site': 'cross-site' }
    expect(await ask(headers)).toMatchObject({
      status: 200,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'Eitherway-Link, Retry-After',
        vary: 'Origin',
      },
    })
    expect((await ask(headers)).headers).not.toHaveProperty('access-control-allow-credentials')
    expect(await upgrade(headers)).toBe(101)
    expect(await upgrade(headers, true)).toBe(101)
  })

  test.each(foreign.filter(([, { origin }]) => origin !== undefined && origin !== good))(
    'refused all the same: a page of %s',
    async (_, headers) => {
      const { ask, upgrade } = await start({ origins: list })
      const away = { ...headers, host: 'api.example' }
      expect(await ask(away)).toMatchObject({ status: 403, headers: { vary: 'Origin' } })
      expect(await upgrade(away)).toBe(403)
      expect(await upgrade(away, true)).toBe(4503)
    },
  )

  test('pages of the server itself are let in as well, and nowhere is when it is listed', async () => {
    const { ask } = await start({ origins: ['null'] })
    expect((await ask({ host, origin: good })).status).toBe(200)
    expect(await ask({ host, origin: 'null' })).toMatchObject({
      status: 200,
      headers: { 'access-control-allow-origin': 'null' },
    })
  })

  test('an answer depends on the origin also where there is none', async () => {
    expect((await (await start({ origins: list })).ask({ host })).headers).toMatchObject({ vary: 'Origin' })
  })

  test.each([
    ['a bad channel', '/live?channel=~x', 'GET', {}, 400],
    ['a long URL', `/live?x=${'x'.repeat(8185)}`, 'GET', {}, 414],
    ['another method', '/live', 'DELETE', {}, 405],
    ['an Accept without it', '/live', 'GET', { accept: 'text/html' }, 406],
    ['a lost Upgrade', '/live', 'GET', { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }, 426],
  ])('a refusal can be read by the page: %s', async (_, path, method, headers, status) => {
    const { ask } = await start({ origins: list })
    expect(await ask({ host, origin: 'http://localhost:5173', ...headers }, method, path)).toMatchObject({
      status,
      headers: { 'access-control-allow-origin': 'http://localhost:5173', vary: 'Origin' },
    })
  })

  test('the refusals of the application can be read, and when to come back', async () => {
    const { hub, ask } = await start({ origins: list })
    await hub.close({ retryMs: 2_500 })
    expect(await ask({ host, origin: 'http://localhost:5173' })).toMatchObject({
      status: 503,
      headers: {
        'retry-after': '3',
        'access-control-allow-origin': 'http://localhost:5173',
        'access-control-expose-headers': 'Eitherway-Link, Retry-After',
      },
    })
  })

  test('cookies only where `credentials` says so', async () => {
    const { ask } = await start({ origins: list, credentials: true })
    const allowed = { host, origin: 'http://localhost:5173' }
    expect((await ask(allowed)).headers).toMatchObject({ 'access-control-allow-credentials': 'true' })
    for (const headers of [{ host }, { host, origin: 'https://evil.example' }]) {
      expect((await ask(headers)).headers).not.toHaveProperty('access-control-allow-credentials')
    }
  })

  test("'*' lets any page in, and says so to all alike", async () => {
    const { ask, upgrade } = await start({ origins: '*' })
    for (const [, headers] of foreign) {
      const { status, headers: given } = await ask(headers)
      expect(status).toBe(200)
      expect(given['access-control-allow-origin']).toBe('origin' in headers ? '*' : undefined)
      expect(given).not.toHaveProperty('vary')
      expect(given).not.toHaveProperty('access-control-allow-credentials')
    }
    expect(await upgrade({ host, origin: 'null' })).toBe(101)
  })

  test('what a middleware has set before is kept', async () => {
    const both = await start({ origins: list, credentials: true }, (response) => {
      response.setHeader('Vary', 'Accept-Encoding')
      response.setHeader('X-Own', 'kept')
    })
    expect((await both.ask({ host, origin: 'http://localhost:5173' })).headers).toMatchObject({
      vary: 'Accept-Encoding, Origin',
      'x-own': 'kept',
      'access-control-allow-origin': 'http://localhost:5173',
    })
    for (const before of ['Origin', '*', 'accept, ORIGIN']) {
      const { ask } = await start({ origins: list }, (response) => response.setHeader('Vary', before))
      expect((await ask({ host })).headers).toMatchObject({ vary: before })
    }
    const cors = await start({ origins: list, credentials: true }, (response) =>
      response.setHeader('Access-Control-Allow-Origin', 'https://theirs.example'),
    )
    const { headers } = await cors.ask({ host, origin: 'http://localhost:5173' })
    expect(headers).toMatchObject({ 'access-control-allow-origin': 'https://theirs.example' })
    expect(headers).not.toHaveProperty('access-control-allow-credentials')
  })
})

test.each(['GET', 'POST', 'OPTIONS'])(
  'a %s that a middleware has answered already is left alone',
  async (method) => {
    const { ask } = await start({ origins: [good] }, (response) => response.writeHead(418).end('teapot'))
    const headers = { host: 'api.example', origin: good, 'access-control-request-method': 'GET' }
    expect(await ask(headers, method)).toMatchObject({ status: 418, text: 'teapot' })
  },
)

describe('a preflight', () => {
  const preflight = { host, origin: 'http://localhost:5173', 'access-control-request-method': 'GET' }

  test('for a page that is let in is answered 204 with what it may send', async () => {
    const options = { origins: ['http://localhost:5173'], credentials: true, allowedHeaders: ['X-Api-Key'] }
    const { ask } = await start(options)
    const { status, headers, text } = await ask(
      { ...preflight, 'access-control-request-headers': 'last-event-id,x-evil' },
      'OPTIONS',
    )
    expect([status, text]).toEqual([204, ''])
    expect(headers).toMatchObject({
      'access-control-allow-origin': 'http://localhost:5173',
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers':
        'Authorization, Content-Type, Eitherway-Link, Eitherway-Seq, Last-Event-ID, X-Api-Key',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '7200',
      vary: 'Origin',
    })
  })

  test('for any other is answered 403, also for another host', async () => {
    const { ask } = await start({ origins: ['http://localhost:5173'], hosts: [host] })
    expect((await ask({ ...preflight, origin: 'https://evil.example' }, 'OPTIONS')).status).toBe(403)
    expect((await ask({ ...preflight, host: 'evil.example' }, 'OPTIONS')).status).toBe(421)
  })

  test('OPTIONS that asks nothing is 405, as any other method', async () => {
    const { ask } = await start()
    expect(await ask({ host }, 'OPTIONS')).toMatchObject({ status: 405, headers: { allow: 'GET, POST' } })
  })
})

describe('with hosts', () => {
  const hosts = ['localhost', '127.0.0.1', '[::1]', 'app.example:8443', 'tls.example:443']

  test.each([
    'localhost',
    'localhost:1',
    'LOCALHOST:65535',
    '127.0.0.1:80',
    '[::1]',
    '[::1]:8080',
    'app.example:8443',
    'tls.example',
    'tls.example:443',
  ])('%s is served', async (name) => {
    const { ask, upgrade } = await start({ hosts })
    expect((await ask({ host: name })).status).toBe(200)
    expect(await upgrade({ host: name })).toBe(101)
  })

  test.each([
    'evil.example',
    'localhost.evil.example',
    'localhost.',
    '127.0.0.1.evil.example',
    '127.1',
    '2130706433',
    '[::0001]',
    '[::ffff:127.0.0.1]',
    'app.example',
    'app.example:443',
    'app.example:18443',
    'app.example:08443',
    'tls.example:8443',
  ])('%s is not, also from a page of its own', async (name) => {
    const { ask, upgrade } = await start({ hosts })
    const headers = { host: name, origin: `http://${name}`, 'sec-fetch-site': 'same-origin' }
    const answer = await ask(headers)
    expect(answer).toMatchObject({
      status: 421,
      text: expect.stringContaining('this host is not served here'),
    })
    expect((await ask(headers, 'POST')).status).toBe(421)
    expect(await upgrade(headers)).toBe(421)
    expect(await upgrade(headers, true)).toBe(4521)
  })
})

test.each([
  [good, 200],
  ['http://good.example', 403],
])(
  'over TLS of our own, a page of %s is answered %i: nobody in between has ended another',
  async (origin, status) => {
    const hub = createHub()
    // Agreed on beforehand, so that no certificate is needed.
    const secret = { psk: Buffer.alloc(16, 7), identity: 'test' }
    const agreed = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const
    const server = createHttpsServer({ ...agreed, pskCallback: () => secret.psk })
    serve(hub, server, { path: '/live' })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const socket = connectTls({
      ...agreed,
      port,
      pskCallback: () => secret,
      checkServerIdentity: () => undefined,
    })
    onTestFinished(async () => {
      socket.destroy()
      server.close()
      await hub.close()
    })
    socket.write(`GET /live HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\n\r\n`)
    const [answer] = await once(socket.setEncoding('latin1'), 'data')
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  },
)

test('over HTTP/2 the host is the authority', async () => {
  const hub = createHub()
  const server = createHttp2Server()
  serve(hub, server, { path: '/live', hosts: [host], origins: ['http://localhost:5173'] })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    session.destroy()
    server.close()
    await hub.close()
  })
  const ask = async (headers: Record<string, string>) => {
    const stream = session.request({ ':path': '/live', ':authority': host, ...headers })
    const [answer] = await once(stream, 'response')
    stream.close()
    return answer
  }
  expect((await ask({}))[':status']).toBe(200)
  expect((await ask({ origin: good }))[':status']).toBe(200)
  expect((await ask({ origin: 'https://evil.example' }))[':status']).toBe(403)
  expect((await ask({ ':authority': 'evil.example' }))[':status']).toBe(421)
  const allowed = { origin: 'http://localhost:5173' }
  const cors = { 'access-control-allow-origin': 'http://localhost:5173', vary: 'Origin' }
  expect(await ask(allowed)).toMatchObject({ ':status': 200, ...cors })
  const preflight = { ...allowed, ':method': 'OPTIONS', 'access-control-request-method': 'GET' }
  expect(await ask(preflight)).toMatchObject({ ':status': 204, ...cors })
})

test.each([
  [{ origins: ['app.example'] }, 'got "app.example"'],
  [{ origins: ['https://app.example/'] }, 'a browser spells it "https://app.example"'],
  [{ origins: ['https://app.example:443'] }, 'a browser spells it "https://app.example"'],
  [{ origins: ['https://App.example'] }, 'a browser spells it "https://app.example"'],
  [{ origins: ['https://b\u00fccher.example'] }, 'a browser spells it "https://xn--bcher-kva.example"'],
  [{ origins: ['https://*.app.example'] }, 'got "https://*.app.example"'],
  [{ origins: ['wss://app.example'] }, 'got "wss://app.example"'],
  [{ origins: ['*'] }, 'got "*"'],
  [{ origins: 'app.example' }, 'got "app.example"'],
  [{ origins: ['file:///page.html'] }, 'got "file:///page.html"'],
  [{ origins: '*', credentials: true }, '`credentials` cannot go with `origins: "*"`'],
  [{ hosts: ['http://app.example'] }, 'got "http://app.example"'],
  [{ hosts: ['App.example'] }, 'a browser spells it "app.example"'],
  [{ hosts: ['127.1:80'] }, 'a browser spells it "127.0.0.1:80"'],
  [{ hosts: ['::1'] }, 'got "::1"; write "[::1]"'],
  [{ hosts: ['app.example:99999'] }, 'got "app.example:99999"'],
  [{ hosts: [''] }, 'got ""'],
  [{ allowedHeaders: ['a b'] }, 'got "a b"'],
])('%j is a mistake: %s', (options, message) => {
  expect(() => serve(createHub(), createServer(), { path: '/live', ...(options as GateOptions) })).toThrow(
    message,
  )
})
