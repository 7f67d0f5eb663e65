import { createServer } from 'node:http'
import { duplexPair } from 'node:stream'
import { assert, clientFrame } from '@eitherway/core/testing'
import { createHub, serve } from '@eitherway/server'
import type { Target } from './target.ts'

const key =
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

/** What Node, `ws` and we may answer together. No 500: that would be a failure of ours. */
const statuses = new Set([
  101, 200, 204, 400, 403, 404, 405, 406, 408, 409, 413, 414, 415, 417, 421, 426, 429, 431, 503, 505,
])

const headerNames = new Set([
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'allow',
  'cache-control',
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'retry-after',
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'transfer-encoding',
  'upgrade',
  'vary',
  'x-accel-buffering',
])

const origin = 'https://app.example'

/** The bytes of a connection, to a whole server: Node's parser, the gate, both transports and a hub behind them. */
export const served: Target = {
  name: 'served',
  seeds: [
    'GET /live?channel=a&lastEventId=k3f9-1 HTTP/1.1\r\nHost: test\r\nAccept: text/html;q=0, text/*;q=0.5\r\n\r\n',
    `GET /live HTTP/1.1\r\nHost: test:80\r\nOrigin: ${origin}\r\nLast-Event-ID: 1\r\nSec-Fetch-Site: cross-site\r\n\r\n`,
    `GET /live?channel=a HTTP/1.1\r\nHost: test\r\n${key}Sec-WebSocket-Protocol: x, eitherway.v1\r\n\r\n${clientFrame(1, '1\ne\n{"a":[1]}')}`,
    `GET /live HTTP/1.1\r\nHost: test\r\n${key}\r\n${clientFrame(1, '"a"', { fin: false })}${clientFrame(0, 'b')}${clientFrame(8, '\x03\xe8')}`,
    `OPTIONS /live HTTP/1.1\r\nHost: test\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: GET\r\n\r\n`,
    'POST /live HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /live HTTP/1.1\r\nHost: test\r\n\r\n',
  ],
  words: [
    ...'GET |HEAD |POST |OPTIONS |/live|?channel=| HTTP/1.1|HTTP/1.0|\r\n|\r\n\r\n|Host: test\r\n|Host: evil\r\n'.split(
      '|',
    ),
    ...'channel=a&|channel=__proto__|lastEventId=|%0d%0a|%00|%ff|%|+|;|://|@|[::1]|#'.split('|'),
    ...'Content-Length: |Transfer-Encoding: chunked\r\n|Expect: 100-continue\r\n|Connection: close\r\n'.split(
      '|',
    ),
    ...'Accept: |text/event-stream|*/*|;q=0|,|Last-Event-ID: |Sec-Fetch-Site: same-origin\r\n|none\r\n'.split(
      '|',
    ),
    ...`Origin: ${origin}\r\n|Origin: null\r\n|Origin: https://test\r\n|Origin: https://evil.example\r\n`.split(
      '|',
    ),
    ...'Sec-WebSocket-Protocol: eitherway.v1\r\n|Sec-WebSocket-Extensions: permessage-deflate\r\n'.split('|'),
    key,
    clientFrame(1, 'a\nb\n[1]'),
    clientFrame(1, '\n~request:1:echo\n[1]'),
    clientFrame(1, '\n~abort:1\n'),
    clientFrame(9, 'x'),
    clientFrame(2, '\n~close\n'),
    '\x88\x80\0\0\0\0',
    '\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff',
  ],
  async run(input) {
    const hub = createHub({ heartbeatMs: 0, onError: fail })
    let failure: unknown
    function fail(error: unknown): void {
      failure = error
    }
    hub.onMessage(({ data }, peer) => peer.send('echo', data))
    hub.onRequest('echo', (data) => data)
    const server = createServer()
    serve(hub, server, { path: '/live', hosts: ['test'], origins: [origin], maxMessageBytes: 256 })
    const [theirs, ours] = duplexPair()
    let answer = ''
    theirs.setEncoding('latin1').on('data', (part: string) => {
      answer += part
    })
    // A reset is no news here.
    for (const end of [theirs, ours]) end.on('error', () => undefined)
    server.emit('connection', Object.assign(ours, likeSocket))
    theirs.write(input)
    await turns(() => false, 8)
    theirs.destroy()
    ours.destroy()
    await turns(() => hub.peers.size === 0, 50)
    assert(hub.peers.size === 0, 'a peer stays behind a connection that is gone')
    await hub.close()
    server.close()
    if (failure !== undefined) throw failure
    const [first = ''] = latin1(input)
      .replace(/^[\r\n]+/, '')
      .split('\r\n\r\n', 1)
    if (answer !== '') checkAnswer(answer, first)
  },
}

/** What of a socket is asked for beside a stream. */
const likeSocket = {
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  bytesWritten: 0,
  setTimeout: () => undefined,
  setNoDelay: () => undefined,
  setKeepAlive: () => undefined,
}

function checkAnswer(answer: string, asked: string): void {
  const [head = '', rest = ''] = answer.split('\r\n\r\n')
  const [start = '', ...lines] = head.split('\r\n')
  const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [ -~]+$/.exec(start)?.[1])
  if (status === 100) return
  assert(statuses.has(status), `answered by ${JSON.stringify(start)}`)
  for (const line of lines) {
    const [, name = ''] = /^([!-9;-~]+): [\t -~\x80-\xff]*$/.exec(line) ?? []
    assert(headerNames.has(name.toLowerCase()), `a header that nobody has set: ${JSON.stringify(line)}`)
  }
  // A client that offered our subprotocol learns a refusal by a close frame, before any other.
  if (status >= 400 || (status === 101 && rest.startsWith('\x88'))) return
  assert(/^host:\s*test(:\d+)?\s*$/im.test(asked), 'let in for a host that is not served')
  // Node and nobody else reads what comes twice or is folded; of those that are plain, no foreign one may be let in.
  const origins = [...asked.matchAll(/^origin:[ \t]*([^\r\n]*?)[ \t]*\r?$/gim)].map(
    ([, value]) => value ?? '',
  )
  const own = /^sec-fetch-site:\s*(same-origin|none)\s*$/im.test(asked)
  const [first] = origins
  if (!own && origins.length === 1 && first !== undefined) {
    assert(
      [origin, 'https://test', 'http://test'].includes(first.replace(/:\d+$/, '')),
      `let in from ${first}`,
    )
  }
}

async function turns(isOver: () => boolean, most: number): Promise<void> {
  for (let turn = 0; turn < most && !isOver(); turn += 1)
    await new Promise((resolve) => setImmediate(resolve))
}
