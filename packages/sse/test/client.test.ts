import { EventEmitter, getEventListeners, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createGzip } from 'node:zlib'
import { ConnectError, type ConnectOptions, type OneWayConnection } from '@eitherway/core'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type FetchLike, type SseOptions, sse } from '../src/client.ts'
import { all, allData, listen, nextMessage, nowhere } from './fixtures.ts'

type Route = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => void

/** Servers as they are met, each misbehaviour by its name. */
const routes: Readonly<Record<string, Route>> = {
  /** Behaves: one message, and stays. */
  '/stream': (_, response) => stream(response).write('data: hello\n\n'),

  /** Behaves: sends back in one message what it was asked. */
  async '/mirror'(request, response) {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method, url, headers } = request
    stream(response).write(`data: ${JSON.stringify({ method, url, headers, body })}\n\n`)
  },

  /** Answers 200 with the content type of the query, or none. */
  '/typed'(_, response, query) {
    const type = query.get('type')
    response.writeHead(200, type === null ? {} : { 'Content-Type': type }).write('data: hello\n\n')
  },

  '/refused'(_, response, query) {
    response.writeHead(403, { 'Content-Type': query.get('type') ?? '' })
    // It may never end.
    response.write(query.get('body') ?? '')
  },
  '/status'(_, response, query) {
    const after = query.get('after')
    response.writeHead(Number(query.get('is')), after === null ? {} : { 'Retry-After': after }).end('no')
  },

  '/redirect'(_, response, query) {
    const to = query.get('to')
    response.writeHead(Number(query.get('status') ?? 302), to === null ? {} : { Location: to }).end('moved')
  },

  /** Redirects to itself. */
  '/loop': (_, response) => response.writeHead(302, { Location: '/loop' }).end(),

  /** Takes the request and never answers. */
  '/stalled'() {},

  /** Takes the request and ends the connection without a word. */
  '/hangs-up': ({ socket }) => socket.end(),

  /** Breaks the connection within the head of its answer. */
  '/reset-in-head'({ socket }) {
    socket.write('HTTP/1.1 200 OK\r\nContent-Ty', () => socket.resetAndDestroy())
  },

  /** Answers what is no HTTP. */
  '/no-http': ({ socket }) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'),

  /** Sends a message and part of another, and ends in good order. */
  '/ends': (_, response) => stream(response).end('data: hello\n\ndata: lost\n'),

  /** Sends nothing, and ends in good order. */
  '/ends-at-once': (_, response) => stream(response).end(),

  /** Sends a message and breaks the connection. */
  '/reset': (request, response) =>
    stream(response).write('data: hello\n\n', () => request.socket.resetAndDestroy()),

  /** Sends a message and then a chunk whose size is no number. */
  '/bad-chunk'({ socket }) {
    socket.write(rawHead('Transfer-Encoding: chunked'))
    socket.write('d\r\ndata: hello\n\n\r\nnonsense\r\n')
  },

  /** Ends before the length that it announced. */
  '/too-short': ({ socket }) => socket.end(`${rawHead('Content-Length: 1000')}data: hello\n\n`),

  /** Two messages in one packet. */
  '/two': (_, response) => stream(response).write('data: 1\n\ndata: 2\n\n'),

  /** Says good-bye as our server does, and goes on all the same. */
  '/closes'(_, response) {
    stream(response).write('data: 1\n\nevent: ~close\ndata: {"code":4008,"reason":"slow"}\n\ndata: 2\n\n')
  },

  /** Breaks the protocol. */
  '/malformed': (_, response) => stream(response).write('event: ~hello\ndata: {}\n\ndata: lost\n\n'),

  /** A message over any limit, in a line that never ends. */
  '/endless-line'(_, response) {
    stream(response).write('data: ')
    flood(response, 'x'.repeat(16_384))
  },

  /** The same in data lines, which end, in a block that does not. */
  '/endless-block'(_, response) {
    stream(response)
    flood(response, `data: ${'x'.repeat(100)}\n`.repeat(100))
  },

  /** Compressed, each event let out at once. */
  '/gzip'(_, response) {
    const gzip = createGzip()
    gzip.pipe(stream(response, { 'Content-Encoding': 'gzip' }))
    gzip.write('data: hello\n\n')
    gzip.flush()
  },
}

function stream(response: ServerResponse, headers: Record<string, string> = {}): ServerResponse {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', ...headers }).flushHeaders()
  return response
}

const rawHead = (header: string) => `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${header}\r\n\r\n`

/** How many bytes `flood` got rid of. */
let flooded = 0

function flood(response: ServerResponse, chunk: string): void {
  while (!response.destroyed && response.write(chunk)) flooded += chunk.length
  response.once('drain', () => flood(response, chunk))
}

/** Two servers of the same routes: each is another origin to the other. */
let here: URL
let elsewhere: URL
/** The requests of the test, in order; emits each by its path. */
let requests: IncomingMessage[]
let arrived: EventEmitter

beforeEach(async () => {
  requests = []
  arrived = new EventEmitter()
  flooded = 0
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url as string, here)
    requests.push(request)
    arrived.emit(pathname, request)
    routes[pathname]?.(request, response, searchParams)
  }
  here = await listen(createServer(listener))
  elsewhere = await listen(createServer(listener))
})

type Given = Partial<ConnectOptions> & { options?: SseOptions }

async function connect(url: string | URL, { options, ...given }: Given = {}): Promise<OneWayConnection> {
  const { signal } = new AbortController()
  const connection = await sse(options).connect(new URL(url, here), {
    lastEventId: '',
    channels: [],
    signal,
    ...given,
  })
  onTestFinished(() => connection.close())
  return connection
}

const failure = (url: string | URL, given?: Given): Promise<unknown> =>
  connect(url, given).then(
    () => expect.fail('connected'),
    (error: unknown) => error,
  )

interface Mirrored {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: string
}

/** What arrived at `/mirror`, to which the URL must lead. */
async function mirrored(url: string | URL, given?: Given): Promise<Mirrored> {
  const connection = await connect(url, given)
  const message = await nextMessage(connection[Symbol.asyncIterator]())
  connection.close()
  return JSON.parse(message?.data as string) as Mirrored
}

/** Fulfils when the connection of a request has ended. */
async function gone(request: IncomingMessage | undefined): Promise<void> {
  const socket = request?.socket
  if (socket === undefined || socket.destroyed) return
  await new Promise((resolve) => socket.once('close', resolve))
}

const redirectTo = (to: string | URL, status = 302) =>
  `/redirect?${new URLSearchParams({ to: String(to), status: String(status) })}`

describe('the request', () => {
  test('is a GET that accepts an event stream and no stored answer', async () => {
    const { method, headers, body } = await mirrored('/mirror')
    expect({ method, body }).toEqual({ method: 'GET', body: '' })
    expect(headers).toMatchObject({ accept: 'text/event-stream', 'cache-control': 'no-cache' })
    expect(headers).not.toHaveProperty('last-event-id')
  })

  test('names the last id in `Last-Event-ID`', async () => {
    const { headers } = await mirrored('/mirror', { lastEventId: 'k3f9x2-42' })
    expect(headers['last-event-id']).toBe('k3f9x2-42')
  })

  // [spec] 9.2.4: the header is the id in UTF-8. Node shows one character for each byte.
  test.each(['ünï 😀', 'tab\tbed', '\u00FF', 'é'.repeat(2000)])(
    'names an id that is not ASCII as UTF-8: %j',
    async (lastEventId) => {
      const { headers } = await mirrored('/mirror', { lastEventId })
      expect(Buffer.from(headers['last-event-id'] ?? '', 'latin1').toString()).toBe(lastEventId)
    },
  )

  test('with an id that no header can hold is not made, as no try could do better', async () => {
    const error = await failure('/mirror', { lastEventId: 'a\u0001b' })
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({ retryable: false, message: expect.stringContaining('"a\\u0001b"') })
    expect(requests).toEqual([])
  })

  test('names the channels in the query and keeps what is there', async () => {
    const { url } = await mirrored('/mirror?token=a%20b&channel=old#fragment', {
      channels: ['prices', 'naïve &€'],
    })
    const query = new URL(url, here).searchParams
    expect([...query]).toEqual([
      ['token', 'a b'],
      ['channel', 'old'],
      ['channel', 'prices'],
      ['channel', 'naïve &€'],
    ])
  })

  test('carries the headers of the caller, but accepts what it must', async () => {
    const headers = { authorization: 'Bearer x', 'X-API-Key': 'k', accept: 'text/html' }
    const seen = await mirrored('/mirror', { options: { headers } })
    expect(seen.headers).toMatchObject({
      authorization: 'Bearer x',
      'x-api-key': 'k',
      accept: 'text/event-stream',
    })
  })

  test.each([
    { name: 'text', body: '{"stream":true}', type: 'text/plain;charset=UTF-8', arrives: '{"stream":true}' },
    { name: 'bytes', body: Uint8Array.of(97, 98), type: undefined, arrives: 'ab' },
    {
      name: 'a form',
      body: new URLSearchParams({ a: '1 2' }),
      type: 'application/x-www-form-urlencoded;charset=UTF-8',
      arrives: 'a=1+2',
    },
  ])('may be a POST with a body: $name', async ({ body, type, arrives }) => {
    const transport = sse({ method: 'POST', body })
    for (let link = 0; link < 2; link += 1) {
      const { signal } = new AbortController()
      const connection = await transport.connect(new URL('/mirror', here), {
        lastEventId: '',
        channels: [],
        signal,
      })
      const message = await nextMessage(connection[Symbol.asyncIterator]())
      connection.close()
      const seen = JSON.parse(message?.data as string) as Mirrored
      expect({ method: seen.method, body: seen.body }).toEqual({ method: 'POST', body: arrives })
      expect(seen.headers['content-type']).toBe(type)
    }
  })

  test.each([
    ['ws:', 'http:'],
    ['http:', 'http:'],
    ['wss:', 'https:'],
    ['https:', 'https:'],
  ])('to a URL of %s is made over %s', async (given, used) => {
    const asked: URL[] = []
    const fetch: FetchLike = async (url) => {
      asked.push(url)
      return new Response(null, { headers: { 'Content-Type': 'text/event-stream' } })
    }
    const url = new URL(`${given}//example.test:8080/live`)
    await connect(url, { options: { fetch } })
    expect(asked.map(String)).toEqual([`${used}//example.test:8080/live`])
    expect(url.protocol).toBe(given)
  })

  test('asks a fetch of the caller for no stored answer, and for cookies as told', async () => {
    const asked: RequestInit[] = []
    const fetch: FetchLike = async (_, init) => {
      asked.push(init)
      return new Response(null, { headers: { 'Content-Type': 'text/event-stream' } })
    }
    await connect('/live', { options: { fetch } })
    await connect('/live', { options: { fetch, credentials: 'include' } })
    expect(asked).toMatchObject([
      { method: 'GET', cache: 'no-store', credentials: 'same-origin' },
      { method: 'GET', cache: 'no-store', credentials: 'include' },
    ])
  })
})

describe("a mistake of the caller's is a TypeError", () => {
  test.each([
    { name: 'a body with GET', options: { body: 'x' } },
    { name: 'a body with HEAD', options: { method: 'head', body: 'x' } },
    { name: 'a header name with a space', options: { headers: { 'x y': '1' } } },
    { name: 'a header value with a line end', options: { headers: { x: '1\r\ny: 2' } } },
    { name: 'a header value that is not Latin-1', options: { headers: { x: '€' } } },
  ])('as soon as the transport is made: $name', ({ options }) => {
    expect(() => sse(options)).toThrow(TypeError)
  })

  test.each([
    ['http://user@example.test/', 'user name or password'],
    ['http://:secret@example.test/', 'user name or password'],
    ['ftp://example.test/', 'ftp:'],
  ])('as soon as it connects: %s', async (url, told) => {
    const error = await failure(url)
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ message: expect.stringContaining(told) })
    expect(error).not.toMatchObject({ message: expect.stringContaining('secret') })
  })
})

describe('the content type', () => {
  // [spec] 9.2.3: the essence of the MIME type counts.
  test.each([
    'text/event-stream',
    'TEXT/Event-Stream; charset=x',
    'text/event-stream;charset=utf-8',
    'text/event-stream ; a=b',
  ])('%s is an event stream', async (type) => {
    const connection = await connect(`/typed?${new URLSearchParams({ type })}`)
    expect((await nextMessage(connection[Symbol.asyncIterator]()))?.data).toBe('hello')
  })

  test.each([
    'text/html; charset=utf-8',
    'text/event-stream-x',
    'text/event-streams',
    'application/text/event-stream',
    'text/plain;text/event-stream',
    'event-stream',
  ])('%s is refused for good, and named', async (type) => {
    const error = await failure(`/typed?${new URLSearchParams({ type })}`)
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({ retryable: false, status: 200, message: expect.stringContaining(type) })
  })

  test('missing is refused for good', async () => {
    const error = await failure('/typed')
    expect(error).toMatchObject({ retryable: false, message: expect.stringContaining('no content type') })
  })

  test('of a refused answer does not keep its connection', async () => {
    await failure('/typed')
    await gone(requests[0])
  })
})

describe('the status', () => {
  test('204 asks clients to stop: 1000, and nobody comes back', async () => {
    const error = await failure('/status?is=204')
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({ retryable: false, status: 204, closeCode: 1000 })
  })

  test.each([
    [201, 1002],
    [206, 1002],
    [304, 1002],
    [400, 4500],
    [401, 4501],
    [403, 4503],
    [404, 4504],
    [410, 4510],
    [418, 4518],
  ])('%i is final: %i', async (status, closeCode) => {
    const error = await failure(`/status?is=${status}`)
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({
      retryable: false,
      status,
      closeCode,
      message: `${here.origin}/status answered ${status}; reconnecting will not help`,
    })
  })

  test.each([
    ['a line', 'text/plain; charset=utf-8', 'not for you\n', ' (not for you)'],
    ['the first of two lines', 'text/plain', 'not for you\nnor for anybody', ' (not for you)'],
    ['as much as fits', 'TEXT/PLAIN', 'x'.repeat(10_000), ` (${'x'.repeat(120)}…)`],
    ['nothing of a page', 'text/html', '<h1>403</h1>', ''],
    ['nothing of another type', 'text/plainer', 'not for you', ''],
    ['nothing that controls a terminal', 'text/plain', '\u001b[2J', ''],
    ['nothing where nothing comes', 'text/plain', '', ''],
  ])('of the reason for a refusal the client tells %s', async (_, type, body, told) => {
    const error = await failure(`/refused?${new URLSearchParams({ type, body })}`)
    const message = `${here.origin}/refused answered 403${told}; reconnecting will not help`
    expect(error).toMatchObject({ status: 403, closeCode: 4503, message })
  })

  test.each([
    [408, 4008],
    [425, 4025],
    [429, 4029],
    [500, 4100],
    [502, 4102],
    [503, 4103],
    [504, 4104],
  ])('%i may be tried again: %i', async (status, closeCode) => {
    const error = await failure(`/status?is=${status}`)
    expect(error).toMatchObject({ retryable: true, status, closeCode })
    expect(error).toMatchObject({ message: expect.stringContaining('a later try may succeed') })
  })

  test.each([
    { after: '120', retryAfterMs: 120_000 },
    { after: 'Mon, 21 Sep 2026 12:00:30 GMT', retryAfterMs: 30_000 },
    { after: 'Monday, 21-Sep-26 12:00:30 GMT', retryAfterMs: 30_000 },
    { after: 'Mon, 21 Sep 2026 11:59:30 GMT', retryAfterMs: undefined },
    { after: '0', retryAfterMs: undefined },
    { after: '-5', retryAfterMs: undefined },
    { after: 'soon', retryAfterMs: undefined },
    { after: '', retryAfterMs: undefined },
  ])('`Retry-After: $after` is a wait of $retryAfterMs ms', async ({ after, retryAfterMs }) => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-09-21T12:00:00Z') })
    onTestFinished(() => void vi.useRealTimers())
    const error = await failure(`/status?${new URLSearchParams({ is: '503', after })}`)
    expect((error as ConnectError).retryAfterMs).toBe(retryAfterMs)
  })
})

// A platform's fetch keeps custom headers on the way to another origin, so with headers we follow by hand. Both ways
// must lead to the same.
describe.each([
  { way: 'by the platform', options: {} },
  { way: 'by hand', options: { headers: { 'x-custom': '1' } } },
])('a redirect, followed $way', ({ options }) => {
  test.each([301, 302, 303, 307, 308])(
    'of status %i leads on, with what EventSource sends',
    async (status) => {
      const seen = await mirrored(redirectTo('/mirror?a=1', status), { options, lastEventId: '42' })
      expect(seen).toMatchObject({ method: 'GET', url: '/mirror?a=1' })
      expect(seen.headers).toMatchObject({ accept: 'text/event-stream', 'last-event-id': '42' })
    },
  )

  test('may be relative to the URL that redirects', async () => {
    expect(await mirrored(redirectTo('mirror'), { options })).toMatchObject({ url: '/mirror' })
    const to = redirectTo('?a=1')
    const error = await failure(`${to}&status=302`, { options })
    expect(requests.at(-1)?.url).toBe('/redirect?a=1')
    expect(error).toMatchObject({ retryable: false, status: 302 })
  })

  test('may be relative to another origin that redirects', async () => {
    const seen = await mirrored(redirectTo(new URL(redirectTo('/mirror'), elsewhere)), { options })
    expect(seen.headers['host']).toBe(elsewhere.host)
  })

  test('may lead to another', async () => {
    const seen = await mirrored(redirectTo(redirectTo(redirectTo('/mirror', 307), 301)), { options })
    expect(seen.url).toBe('/mirror')
    expect(requests).toHaveLength(4)
  })

  test('is not remembered: the next link asks the original URL', async () => {
    const original = redirectTo(new URL('/mirror', elsewhere), 301)
    await mirrored(original, { options })
    await mirrored(original, { options })
    expect(requests.map(({ url }) => url)).toEqual([original, '/mirror', original, '/mirror'])
  })

  test('that leads in a circle is given up after 20', async () => {
    const error = await failure('/loop', { options })
    expect(error).toBeInstanceOf(ConnectError)
    expect(requests).toHaveLength(21)
  })

  test.each([
    { status: 301, method: 'GET', body: '' },
    { status: 302, method: 'GET', body: '' },
    { status: 303, method: 'GET', body: '' },
    { status: 307, method: 'POST', body: 'asked' },
    { status: 308, method: 'POST', body: 'asked' },
  ])('of status $status after a POST goes on as $method', async ({ status, method, body }) => {
    const given = { ...options, method: 'POST', body: 'asked' }
    const seen = await mirrored(redirectTo('/mirror', status), { options: given })
    expect({ method: seen.method, body: seen.body }).toEqual({ method, body })
    expect('content-type' in seen.headers).toBe(method === 'POST')
  })

  test('that drops the body drops the content type of the caller with it', async () => {
    const headers = { 'Content-Type': 'application/json' }
    const given = { ...options, headers, method: 'POST', body: '{}' }
    const dropped = await mirrored(redirectTo('/mirror', 303), { options: given })
    expect(dropped.headers).not.toHaveProperty('content-type')
    const kept = await mirrored(redirectTo('/mirror', 307), { options: given })
    expect(kept.headers['content-type']).toBe('application/json')
  })

  test('after a 303, a 307 does not bring the body back', async () => {
    const given = { ...options, method: 'POST', body: 'asked' }
    const seen = await mirrored(redirectTo(redirectTo('/mirror', 307), 303), { options: given })
    expect(seen).toMatchObject({ method: 'GET', body: '' })
  })

  test('after a post in small letters is a redirect after a POST', async () => {
    const given = { ...options, method: 'post', body: 'asked' }
    const seen = await mirrored(redirectTo('/mirror', 302), { options: given })
    expect(seen).toMatchObject({ method: 'GET', body: '' })
  })

  test('to another origin brings the position along', async () => {
    const seen = await mirrored(redirectTo(new URL('/mirror', elsewhere)), { options, lastEventId: '42' })
    expect(seen.headers).toMatchObject({
      host: elsewhere.host,
      accept: 'text/event-stream',
      'last-event-id': '42',
    })
  })

  test('without a Location is a refusal', async () => {
    expect(await failure('/redirect', { options })).toMatchObject({ retryable: false, status: 302 })
  })

  test.each([
    'ftp://example.test/',
    'data:text/event-stream,data: x%0A%0A',
    'http://[',
    'http://u:p@127.0.0.1/',
  ])('to %s is an error', async (to) => {
    expect(await failure(redirectTo(to), { options })).toBeInstanceOf(ConnectError)
  })

  test('to a server that is not there is an error', async () => {
    const error = await failure(redirectTo(await nowhere()), { options })
    expect(error).toMatchObject({ name: 'ConnectError', retryable: true })
  })
})

describe('on a redirect, what could let somebody in', () => {
  const secrets = { 'x-api-key': 'k', Authorization: 'Bearer x', Cookie: 'session=1', 'X-Custom': '1' }
  const names = Object.keys(secrets).map((name) => name.toLowerCase())
  const kept = ({ headers }: Mirrored) => names.filter((name) => name in headers)

  test('goes along within the origin', async () => {
    const seen = await mirrored(redirectTo('/mirror'), { options: { headers: secrets } })
    expect(kept(seen)).toEqual(names)
  })

  test('does not go to another origin', async () => {
    const to = redirectTo(new URL('/mirror', elsewhere))
    expect(kept(await mirrored(to, { options: { headers: secrets } }))).toEqual([])
  })

  test('does not go to another origin by way of our own', async () => {
    const to = redirectTo(redirectTo(new URL('/mirror', elsewhere)))
    expect(kept(await mirrored(to, { options: { headers: secrets } }))).toEqual([])
  })

  test('is not taken up again on the way back from another origin', async () => {
    const back = new URL(redirectTo(new URL('/mirror', here)), elsewhere)
    const seen = await mirrored(redirectTo(back), { options: { headers: secrets } })
    expect(seen.headers['host']).toBe(here.host)
    expect(kept(seen)).toEqual([])
  })

  test('does not go to another host name of the same server', async () => {
    const other = new URL('/mirror', here)
    other.hostname = 'localhost'
    expect(kept(await mirrored(redirectTo(other), { options: { headers: secrets } }))).toEqual([])
  })

  test('goes with the next link to the original URL', async () => {
    const transport = sse({ headers: secrets })
    for (let link = 0; link < 2; link += 1) {
      const { signal } = new AbortController()
      const url = new URL(redirectTo(new URL('/mirror', elsewhere)), here)
      const connection = await transport.connect(url, { lastEventId: '', channels: [], signal })
      connection.close()
    }
    expect(requests.map(({ headers }) => headers['x-api-key'])).toEqual(['k', undefined, 'k', undefined])
  })

  test('is not sent after a redirect that a browser hides', async () => {
    const fetch: FetchLike = async (_, init) => {
      expect(init.redirect).toBe('manual')
      return Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' })
    }
    const error = await failure('/live', { options: { fetch, headers: secrets } })
    expect(error).toMatchObject({ name: 'ConnectError', retryable: false })
    expect(error).toMatchObject({ message: expect.stringContaining('name the final URL') })
  })
})

describe('without an answer', () => {
  test('because nobody listens: the error names the host and the cause', async () => {
    const url = await nowhere()
    const error = await failure(url)
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({ retryable: true, closeCode: 1006, cause: expect.any(Error) })
    expect(error).toMatchObject({ message: expect.stringContaining(url.host) })
    expect(error).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') })
  })

  test('because nobody listens at any address of a name: the error names the cause', async () => {
    const url = await nowhere()
    url.hostname = 'localhost'
    const error = await failure(url)
    expect(error).toMatchObject({ retryable: true, message: expect.stringContaining('ECONNREFUSED') })
  })

  test.each(['/hangs-up', '/reset-in-head', '/no-http'])(
    'but the end or nonsense, it may be tried again: %s',
    async (path) => {
      const error = await failure(path)
      expect(error).toBeInstanceOf(ConnectError)
      expect(error).toMatchObject({ retryable: true, message: expect.stringContaining(here.host) })
      expect(error).not.toMatchObject({ message: expect.stringMatching(/: $|fetch failed/) })
    },
  )
})

describe('the signal', () => {
  const reason = new Error('enough')

  test('aborted before: nothing is asked', async () => {
    expect(await failure('/stream', { signal: AbortSignal.abort(reason) })).toBe(reason)
    expect(requests).toEqual([])
  })

  test.each(['/stalled', '/loop'])(
    'aborted while waiting for %s: the wait ends with its reason',
    async (path) => {
      const abort = new AbortController()
      const failed = failure(path, { signal: abort.signal, options: { headers: { 'x-custom': '1' } } })
      const [request] = (await once(arrived, path)) as [IncomingMessage]
      abort.abort(reason)
      expect(await failed).toBe(reason)
      await gone(request)
    },
  )

  test('aborted while connected: the iteration ends, and the server learns of it', async () => {
    const abort = new AbortController()
    const connection = await connect('/stream', { signal: abort.signal })
    const frames = connection[Symbol.asyncIterator]()
    expect((await nextMessage(frames))?.data).toBe('hello')
    const next = frames.next()
    abort.abort(reason)
    expect(await next).toEqual({ done: true, value: undefined })
    expect(await connection.closed).toEqual({ code: 1000, reason: 'aborted' })
    await gone(requests[0])
  })

  test('aborted before anybody reads: nothing is read', async () => {
    const abort = new AbortController()
    const connection = await connect('/stream', { signal: abort.signal })
    abort.abort(reason)
    expect(await all(connection)).toEqual([])
  })

  test('aborted after the end changes nothing', async () => {
    const abort = new AbortController()
    const connection = await connect('/stream', { signal: abort.signal })
    connection.close({ code: 4000, reason: 'silent' })
    abort.abort(reason)
    expect(await connection.closed).toEqual({ code: 4000, reason: 'silent' })
  })

  test('is not listened to any more after each of 50 links, however it ended', async () => {
    const abort = new AbortController()
    const { signal } = abort
    const ended: Promise<unknown>[] = []
    for (let link = 0; link < 10; link += 1) {
      await failure('/status?is=503', { signal })
      await failure('/reset-in-head', { signal })
      await failure(redirectTo('ftp://example.test'), { signal, options: { headers: { a: 'b' } } })
      ended.push(all(await connect('/ends', { signal })))
      const connection = await connect('/stream', { signal })
      connection.close()
      ended.push(connection.closed)
    }
    await Promise.all(ended)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('the end', () => {
  test.each([
    { path: '/ends', data: ['hello'] },
    { path: '/ends-at-once', data: [] },
    { path: '/reset', data: undefined },
    { path: '/bad-chunk', data: undefined },
    { path: '/too-short', data: undefined },
  ])('without a goodbye is 1006 and no rejection: $path', async ({ path, data }) => {
    const connection = await connect(path)
    const read = await allData(connection)
    if (data !== undefined) expect(read).toEqual(data)
    const { code, reason } = await connection.closed
    expect(code).toBe(1006)
    expect(reason).toMatch(/^the stream (ended|broke: .+)$/)
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123)
  })

  test("is the server's when it says why, and nothing counts after it", async () => {
    const connection = await connect('/closes')
    expect(await allData(connection)).toEqual(['1'])
    expect(await connection.closed).toEqual({ code: 4008, reason: 'slow' })
    await gone(requests[0])
  })

  test('is 1002 when the server breaks the protocol', async () => {
    const connection = await connect('/malformed')
    expect(await allData(connection)).toEqual([])
    expect(await connection.closed).toMatchObject({ code: 1002, reason: expect.stringContaining('~hello') })
  })

  test.each(['/endless-line', '/endless-block'])(
    'is 1009 when a message is over the limit, and no more of it is taken: %s',
    async (path) => {
      const connection = await connect(path, { limits: { maxMessageBytes: 100_000 } })
      expect(await allData(connection)).toEqual([])
      expect(await connection.closed).toMatchObject({
        code: 1009,
        reason: expect.stringContaining('100000'),
      })
      await gone(requests[0])
      // What the two kernels and the two processes may hold, and far from all that it would have sent.
      expect(flooded).toBeLessThan(32 * 1024 * 1024)
    },
  )

  test('by `close` lets no further frame out, even of the same chunk', async () => {
    const connection = await connect('/two')
    const read: unknown[] = []
    for await (const frame of connection) {
      read.push(frame)
      connection.close({ code: 4000, reason: 'enough' })
    }
    expect(read).toEqual([{ type: 'message', message: { id: '', event: 'message', data: '1' } }])
    expect(await connection.closed).toEqual({ code: 4000, reason: 'enough' })
    await gone(requests[0])
  })

  test('by `close` ends a read that waits', async () => {
    const connection = await connect('/stream')
    const frames = connection[Symbol.asyncIterator]()
    await nextMessage(frames)
    const next = frames.next()
    connection.close()
    expect(await next).toEqual({ done: true, value: undefined })
  })

  test('by `close` ends a read that waits, also on a fetch that does not heed its signal', async () => {
    const cancel = vi.fn()
    const body = new ReadableStream({ cancel })
    const fetch: FetchLike = async () =>
      new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
    const connection = await connect('/live', { options: { fetch } })
    const next = connection[Symbol.asyncIterator]().next()
    connection.close()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(cancel).toHaveBeenCalledOnce()
  })

  test('comes once: a second `close` changes nothing', async () => {
    const connection = await connect('/stream')
    connection.close({ code: 4000, reason: 'first' })
    connection.close({ code: 4001, reason: 'second' })
    expect(await connection.closed).toEqual({ code: 4000, reason: 'first' })
  })

  test('with a code that may not be sent is a TypeError, and the link stays', async () => {
    const connection = await connect('/stream')
    expect(() => connection.close({ code: 1006, reason: '' })).toThrow(TypeError)
    expect((await nextMessage(connection[Symbol.asyncIterator]()))?.data).toBe('hello')
  })
})

describe('the stream', () => {
  test('shows a sign of life for each part of a large message on a slow link', async () => {
    const parts = ['da', 'ta: ', 'x'.repeat(1000), '\ndata', ': y\n']
    const server = createServer((_, response) => {
      stream(response)
      send = () => response.write(parts.shift() ?? '\n')
    })
    let send: () => void = () => {}
    const connection = await connect(await listen(server))
    const read: string[] = []
    send()
    for await (const frame of connection) {
      read.push(frame.type === 'heartbeat' && frame.partial ? 'partial' : frame.type)
      if (frame.type === 'message') break
      // Only now, so that no two parts arrive as one.
      send()
    }
    expect(read).toEqual(['partial', 'partial', 'partial', 'partial', 'partial', 'message'])
  })

  test('is read no further than it was asked for', async () => {
    let pulls = 0
    const slices = ['data: 1\n\ndata: 2\n\ndata: 3\n\nda', 'ta: 4\n', '\n', 'data: 5\n\n']
    const body = new ReadableStream(
      {
        pull(controller) {
          controller.enqueue(new TextEncoder().encode(slices[pulls]))
          pulls += 1
        },
      },
      { highWaterMark: 0 },
    )
    const fetch: FetchLike = async () =>
      new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
    const frames = (await connect('/', { options: { fetch } }))[Symbol.asyncIterator]()
    const pulled: [unknown, number][] = []
    while (pulls < slices.length) {
      const { value } = await frames.next()
      pulled.push([value.type === 'message' ? value.message.data : value.type, pulls])
    }
    // What completes no message is a sign of life, and an answer.
    expect(pulled).toEqual([
      ['1', 1],
      ['2', 1],
      ['3', 1],
      ['heartbeat', 2],
      ['4', 3],
      ['5', 4],
    ])
  })

  test('may be compressed', async () => {
    const connection = await connect('/gzip')
    expect(requests[0]?.headers['accept-encoding']).toContain('gzip')
    expect((await nextMessage(connection[Symbol.asyncIterator]()))?.data).toBe('hello')
  })

  test('is no stream where the answer has no body', async () => {
    const fetch: FetchLike = async () =>
      new Response(null, { headers: { 'Content-Type': 'text/event-stream' } })
    const connection = await connect('/live', { options: { fetch } })
    expect(await all(connection)).toEqual([])
    expect(await connection.closed).toMatchObject({ code: 1006 })
  })
})

describe('a token', () => {
  test('wins over an `Authorization` of the settings', async () => {
    const options = { headers: { authorization: 'Basic dTpw', 'X-Other': '1' } }
    const { headers } = await mirrored('/mirror', { options, token: 'token' })
    expect(headers).toMatchObject({ authorization: 'Bearer token', 'x-other': '1' })
  })

  test('follows a redirect within the origin, and none to another', async () => {
    expect((await mirrored(redirectTo('/mirror'), { token: 'token' })).headers['authorization']).toBe(
      'Bearer token',
    )
    const away = await mirrored(redirectTo(new URL('/mirror', elsewhere)), {
      token: 'token',
      lastEventId: '42',
    })
    expect(away.headers['authorization']).toBeUndefined()
    expect(away.headers['last-event-id']).toBe('42')
    // Nor does it come back with one that leads home again.
    const home = redirectTo(new URL(redirectTo(new URL('/mirror', here)), elsewhere))
    expect((await mirrored(home, { token: 'token' })).headers['authorization']).toBeUndefined()
  })

  test('is followed by hand: what a platform does with it on the way is not ours to trust', async () => {
    const asked: RequestInit[] = []
    const fetch: FetchLike = (url, init) => {
      asked.push(init)
      return globalThis.fetch(url, init)
    }
    await connect('/stream', { options: { fetch }, token: 'token' })
    await connect('/stream', { options: { fetch } })
    expect(asked.map(({ redirect }) => redirect)).toEqual(['manual', 'follow'])
  })
})
