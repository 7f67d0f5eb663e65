import { once } from 'node:events'
import { createServer, type OutgoingHttpHeaders } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { createHub, type Hub, type Peer, serve } from '@eitherway/server'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'

/** A request, before its bytes. */
interface Head {
  readonly method: string
  readonly target: string
  readonly version: string
  readonly headers: readonly string[]
  /** What comes right behind it. */
  readonly rest: string
}

const handshake = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]
const preflight = ['Origin: http://test', 'Access-Control-Request-Method: GET']

/** Every way in, each with a request that is fine. */
const entrances = {
  'a stream': { method: 'GET', headers: [] as string[] },
  'an upgrade': { method: 'GET', headers: handshake },
  'an upgrade with our subprotocol': {
    method: 'GET',
    headers: [...handshake, 'Sec-WebSocket-Protocol: eitherway.v1'],
  },
  'a preflight': { method: 'OPTIONS', headers: preflight },
  'a POST': {
    method: 'POST',
    headers: [
      'Content-Type: text/event-stream',
      'Eitherway-Link: nobody',
      'Eitherway-Seq: 1',
      'Content-Length: 0',
    ],
  },
}
type Entrance = keyof typeof entrances
const everywhere = Object.keys(entrances) as Entrance[]
const upgrades = everywhere.filter((name) => name.startsWith('an upgrade'))
const bodiless = everywhere.filter((name) => name !== 'a POST')

interface Attack {
  readonly what: string
  readonly change: (head: Head) => Head
  /** Or a pattern of several. */
  readonly status: number | string
  readonly at: readonly Entrance[]
  /** What the answer holds besides. */
  readonly says?: string
}

const add =
  (...headers: string[]) =>
  (head: Head): Head => ({ ...head, headers: [...head.headers, ...headers] })
const drop =
  (name: string) =>
  (head: Head): Head => ({ ...head, headers: head.headers.filter((each) => !each.startsWith(`${name}:`)) })
const put = (header: string) => (head: Head) => add(header)(drop(header.split(':')[0]!)(head))

/** An empty text frame of a client. */
const frame = '\x81\x80\0\0\0\0'
const smuggled = 'GET /live?channel=news HTTP/1.1\r\nHost: test\r\n\r\n'

const attacks: readonly Attack[] = [
  { what: 'no Host', change: drop('Host'), status: 400, at: everywhere },
  { what: 'an empty Host', change: put('Host:'), status: 400, at: ['a stream', ...upgrades] },
  {
    what: 'two Hosts',
    change: add('Host: evil.example'),
    status: 400,
    at: everywhere,
    says: 'host may come once',
  },
  { what: 'one Host twice', change: add('host: test'), status: 400, at: everywhere },
  {
    what: 'a Host with a password',
    change: put('Host: user:password@test'),
    status: 400,
    at: ['a stream', ...upgrades],
  },
  {
    what: 'a Host of 15,000 letters that ASCII has not',
    change: put(`Host: ${'\xe0\xe9\xee\xf5\xfc'.repeat(3000)}`),
    status: 400,
    at: ['a stream', ...upgrades],
    says: 'no valid URL',
  },
  {
    what: 'a Host of 261 characters',
    change: put(`Host: ${'a.'.repeat(130)}a`),
    status: 400,
    at: ['a stream', ...upgrades],
    says: 'no valid URL',
  },
  {
    what: 'two Origins',
    change: (head) => add('Origin: http://test', 'Origin: https://evil.example')(drop('Origin')(head)),
    status: 400,
    at: everywhere,
    says: 'origin may come once',
  },
  {
    what: 'two Authorizations',
    change: add('Authorization: a', 'Authorization: b'),
    status: 400,
    at: everywhere,
  },
  {
    what: 'two Last-Event-IDs',
    change: add('Last-Event-ID: a', 'Last-Event-ID: b'),
    status: 400,
    at: everywhere,
    says: 'last-event-id may come once',
  },
  {
    what: 'two words of where it comes from',
    change: add('Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site'),
    status: 400,
    at: everywhere,
  },
  {
    what: 'two keys',
    change: add('Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='),
    status: 400,
    at: upgrades,
    says: 'sec-websocket-key may come once',
  },
  { what: 'no key', change: drop('Sec-WebSocket-Key'), status: 400, at: upgrades },
  { what: 'a key of three bytes', change: put('Sec-WebSocket-Key: AAAA'), status: 400, at: upgrades },
  ...['8', '0', '14', '013', '13, 8', ''].map((version) => ({
    what: `the version ${JSON.stringify(version)} of WebSocket`,
    change: put(`Sec-WebSocket-Version: ${version}`),
    status: 426,
    at: upgrades,
    says: 'Sec-WebSocket-Version: 13\r\n',
  })),
  { what: 'no version', change: drop('Sec-WebSocket-Version'), status: 426, at: upgrades },
  { what: 'two versions', change: add('Sec-WebSocket-Version: 8'), status: 400, at: upgrades },
  { what: 'HTTP/1.0', change: (head) => ({ ...head, version: '1.0' }), status: 505, at: upgrades },
  { what: 'an upgrade to something else', change: put('Upgrade: h2c'), status: 400, at: upgrades },
  {
    what: 'a POST that upgrades',
    change: (head) => ({ ...head, method: 'POST' }),
    status: 405,
    at: upgrades,
  },
  {
    what: 'a target with an authority',
    change: (head) => ({ ...head, target: 'http://evil.example/live' }),
    status: 404,
    at: everywhere,
  },
  {
    what: 'a body of an announced length',
    change: (head) => ({ ...add(`Content-Length: ${frame.length}`)(head), rest: frame }),
    status: 400,
    at: bodiless,
    says: 'a body came',
  },
  {
    what: 'a body that is a request',
    change: (head) => ({ ...add(`Content-Length: ${smuggled.length}`)(head), rest: smuggled }),
    status: 400,
    at: bodiless,
  },
  {
    what: 'a body in chunks',
    change: (head) => ({ ...add('Transfer-Encoding: chunked')(head), rest: `6\r\n${frame}\r\n0\r\n\r\n` }),
    status: 400,
    at: bodiless,
    says: 'a body came',
  },
  {
    what: 'two lengths',
    change: (head) => ({ ...add('Content-Length: 5', 'Content-Length: 6')(head), rest: 'hello' }),
    status: 400,
    at: everywhere,
  },
  {
    what: 'a length and chunks',
    change: (head) => ({ ...add('Content-Length: 5', 'Transfer-Encoding: chunked')(head), rest: 'hello' }),
    status: 400,
    at: everywhere,
  },
  {
    what: 'headers over 16 KiB',
    change: add(`X-Long: ${'x'.repeat(17_000)}`),
    status: 431,
    at: everywhere,
  },
  {
    what: '2,500 headers, of which Node drops the last',
    change: (head) => ({ ...head, headers: [...Array(2500).fill('a:'), ...head.headers] }),
    // Newer ones refuse it themselves.
    status: '(?:400|431)',
    at: ['a stream', 'an upgrade'],
  },
  {
    what: 'a URL over 8 KiB',
    change: (head) => ({ ...head, target: `/live?x=${'x'.repeat(8185)}` }),
    status: 414,
    at: ['a stream', 'an upgrade'],
    says: 'at most 8192 bytes',
  },
  {
    what: 'over 1000 parameters',
    change: (head) => ({ ...head, target: `/live?${'&a'.repeat(1000)}` }),
    status: 400,
    at: ['a stream', 'an upgrade'],
    says: 'at most 1000 parameters',
  },
]

describe('an attack is refused, and nobody else notices', () => {
  let hub: Hub
  let port: number
  const bystanders: Bystander[] = []
  let count = 0

  beforeAll(async () => {
    hub = createHub()
    const server = createServer()
    serve(hub, server, { path: '/live', origins: ['https://app.example'] })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
    for (const name of ['a stream', 'an upgrade'] as const) {
      const connected = new Promise<Peer>((resolve) => hub.onConnect(resolve))
      bystanders.push(
        listen(
          dial(
            port,
            bytesOf(name, ({ ...head }) => ({ ...head, target: '/live?channel=news' })),
          ),
        ),
      )
      await connected
    }
    return async () => {
      await hub.close()
      server.closeAllConnections()
      server.close()
    }
  })
  afterAll(() => {
    for (const { socket } of bystanders) socket.destroy()
  })

  const table = attacks.flatMap((attack) => attack.at.map((entrance) => ({ ...attack, entrance })))
  test.each(table)('$what at $entrance: $status', async ({ what, entrance, change, status, says = '' }) => {
    const socket = dial(port, bytesOf(entrance, change))
    const { hears: answers, received } = listen(socket)
    await answers('\r\n\r\n')
    expect(received()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    if (says !== '') await answers(says)
    // Where bytes could follow as frames or as another request, nobody reads them.
    if (upgrades.includes(entrance) || what.startsWith('a body')) {
      expect(received()).toMatch(/\r\nConnection: close\r\n/)
      if (!socket.closed) await once(socket, 'close')
      expect(received().match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
    }
    socket.destroy()
    count += 1
    await hub.publish('news', `still-here-${count}`)
    for (const { hears } of bystanders) await hears(`still-here-${count}`)
    expect(hub.peers.size).toBe(bystanders.length)
  })

  test.each(everywhere)('without an attack, %s is answered as it should be', async (entrance) => {
    const socket = dial(
      port,
      bytesOf(entrance, (head) => head),
    )
    const answer = await headOf(socket)
    socket.destroy()
    const expected = { 'a stream': 200, 'a preflight': 204, 'a POST': 404 } as Record<string, number>
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${expected[entrance] ?? 101} `))
    await vi.waitFor(() => expect(hub.peers.size).toBe(bystanders.length))
  })

  test.each([
    ['a URL over 8 KiB', `/live?x=${'x'.repeat(8185)}`, 4514],
    ['over 1000 parameters', `/live?${'&a'.repeat(1000)}`, 4500],
  ])('%s of a client of ours is told by the close, as a browser shows no status', async (_, target, code) => {
    const socket = dial(
      port,
      bytesOf('an upgrade with our subprotocol', (head) => ({ ...head, target })),
    )
    const { hears, received } = listen(socket)
    await hears('at most')
    socket.destroy()
    expect(received()).toMatch(/^HTTP\/1\.1 101 /)
    expect(Buffer.from(received().split('\r\n\r\n')[1]!, 'latin1').readUInt16BE(2)).toBe(code)
  })

  test.each(upgrades)('a request behind %s is read as frames, and never as a request', async (entrance) => {
    const socket = dial(
      port,
      bytesOf(entrance, (head) => ({ ...head, rest: smuggled })),
    )
    const { received } = listen(socket)
    await once(socket, 'close')
    const [head, ...rest] = received().split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 101 /)
    // The last that comes is a close frame with 1002, and no other answer.
    expect(rest.join()).toContain('\x03\xea')
    expect(received().match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
    await vi.waitFor(() => expect(hub.peers.size).toBe(bystanders.length))
  })

  test.each([
    ['an upgrade', 'hi', 'message'],
    ['an upgrade with our subprotocol', '\ngreet\n"hi"', 'greet'],
  ] as const)('what a client sends right behind %s is heard', async (entrance, text, event) => {
    const heard = new Promise<string>((resolve) => {
      const off = hub.onMessage((message) => {
        off()
        resolve(message.event)
      })
    })
    const payload = entrance === 'an upgrade' ? '"hi"' : text
    const rest = `\x81${String.fromCharCode(0x80 + payload.length)}\0\0\0\0${payload}`
    const socket = dial(
      port,
      bytesOf(entrance, (head) => ({ ...head, rest })),
    )
    expect(await heard).toBe(event)
    socket.destroy()
    await vi.waitFor(() => expect(hub.peers.size).toBe(bystanders.length))
  })

  test.each([
    ['of 4 KiB', 'x'.repeat(4096)],
    ['of 129 bytes', 'x'.repeat(129)],
    ['with a control character', 'a%0Db'],
  ])('a position %s was never given, which is told as a gap', async (_, id) => {
    const change = (head: Head) => ({ ...head, target: `/live?channel=news&lastEventId=${id}` })
    for (const entrance of ['a stream', 'an upgrade with our subprotocol'] as const) {
      const socket = dial(port, bytesOf(entrance, change))
      const connected = new Promise<Peer>((resolve) => hub.onConnect(resolve))
      const { hears, received } = listen(socket)
      await hears('"reason":"unknown"')
      expect((await connected).lastEventId).toBe('\ufffd')
      expect(received()).not.toContain('xxxx')
      socket.destroy()
    }
    await vi.waitFor(() => expect(hub.peers.size).toBe(bystanders.length))
  })
})

describe('over HTTP/2', () => {
  test.each([
    ['two Origins', { origin: ['http://test', 'https://evil.example'] }, 400],
    ['two Last-Event-IDs', { 'last-event-id': ['1', '2'] }, 400],
    ['a Host that is another', { ':authority': 'test', host: 'evil.example' }, 400],
    ['a body', { 'content-length': '2' }, 400],
    ['a URL over 8 KiB', { ':path': `/live?x=${'x'.repeat(8185)}` }, 414],
    ['nothing of that', {}, 200],
  ])('%s: %i', async (_, headers, status) => {
    const hub = createHub()
    const server = createHttp2Server()
    serve(hub, server, { path: '/live' })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onTestFinished(async () => {
      session.destroy()
      server.close()
      await hub.close()
    })
    const hasBody = 'content-length' in headers
    // Node's types know of one origin only, as everybody should.
    const asked = { ':path': '/live', ...headers } as OutgoingHttpHeaders
    const stream = session.request(asked, { endStream: !hasBody })
    if (hasBody) stream.end('hi')
    const [answer] = await once(stream, 'response')
    expect(answer[':status']).toBe(status)
  })
})

interface Bystander {
  readonly socket: Socket
  /** Fulfils once this has come. */
  hears(text: string): Promise<void>
  received(): string
}

function bytesOf(entrance: Entrance, change: (head: Head) => Head): string {
  const { method, headers } = entrances[entrance]
  const whole: Head = {
    method,
    target: '/live',
    version: '1.1',
    headers: ['Host: test', ...headers],
    rest: '',
  }
  const head = change(whole)
  return [`${head.method} ${head.target} HTTP/${head.version}`, ...head.headers, '', head.rest].join('\r\n')
}

function dial(port: number, bytes: string): Socket {
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
  socket.on('error', () => {
    // What is refused may be reset.
  })
  return socket
}

async function headOf(socket: Socket): Promise<string> {
  const { hears, received } = listen(socket)
  await hears('\r\n\r\n')
  return received()
}

function listen(socket: Socket): Bystander {
  let text = ''
  let wake = () => {}
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part
    wake()
  })
  socket.on('close', () => wake())
  return {
    socket,
    received: () => text,
    async hears(wanted) {
      while (!text.includes(wanted)) {
        if (socket.closed)
          throw new Error(`${JSON.stringify(wanted)} never came, but ${JSON.stringify(text)}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

test('a stream of HTTP/2 that is reset while it is decided about becomes no peer', async () => {
  const decide: (() => void)[] = []
  const asked = new EventTarget()
  const hub = createHub({
    authorize: () =>
      new Promise<{ context: undefined }>((resolve) => {
        decide.push(() => resolve({ context: undefined }))
        asked.dispatchEvent(new Event('asked'))
      }),
  })
  const server = createHttp2Server()
  serve(hub, server, { path: '/live' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    client.destroy()
    await hub.close()
    server.close()
  })
  const ask = async () => {
    const [stream] = [client.request({ ':path': '/live' }), await once(asked, 'asked')]
    return stream
  }
  for (let at = 0; at < 3; at += 1) {
    const stream = await ask()
    stream.close(8)
    await once(stream, 'close')
  }
  // Behind the resets on the same connection, so the server has seen them.
  const last = await ask()
  for (const each of decide) each()
  await once(last, 'response')
  expect(hub.stats().opened).toEqual({ 'one-way': 1, 'two-way': 0 })
})
