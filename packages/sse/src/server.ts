import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Writable } from 'node:stream'
import {
  type Accept,
  type Admit,
  type Arrival,
  byteLength,
  checkClose,
  closeCode,
  createEnding,
  type Encoder,
  type Refusal,
  remoteOf,
  requestHeaders,
  requestUrl,
  type ServerConnection,
} from '@eitherway/core'
import { codec } from './codec.ts'

/** Settings of {@link createListener}. */
export interface ListenerOptions {
  /** Decides on each request before it is answered; a refusal is its HTTP status. @defaultValue all are taken */
  readonly admit?: Admit
  /**
   * How long a closed stream may take to carry its last bytes away, in milliseconds; then the socket is destroyed.
   *
   * @defaultValue 5000
   */
  readonly closeTimeoutMs?: number
}

/** Node's request, of http and of http2's compatibility API. */
export type Request = IncomingMessage | Http2ServerRequest
/** Node's response, of http and of http2's compatibility API. */
export type Response = ServerResponse | Http2ServerResponse

/**
 * The server's side of Server-Sent Events, for Node's http and http2: answers each request with a stream and hands it to
 * `accept`.
 *
 * @returns a listener for the requests that ask for an event stream; whoever mounts it chooses them.
 */
export function createListener(
  accept: Accept,
  options: ListenerOptions = {},
): (request: Request, response: Response) => void {
  const { admit, closeTimeoutMs = 5000 } = options
  return (request, given) => {
    // http2's compatibility API has what is used here under the same names.
    const response = given as ServerResponse
    // Without a listener an error of the stream, e.g. EPIPE, would be thrown at the whole process. `close` follows it.
    response.on('error', () => undefined)
    const arrival = arrivalOf(request)
    const refusal =
      arrival === undefined ? invalid : isBehind(request, response) ? pipelined : admit?.(arrival)
    if (arrival === undefined || refusal !== undefined) refuse(response, refusal ?? invalid)
    else accept(open(request, response, arrival, closeTimeoutMs))
  }
}

const invalid: Refusal = { status: 400, reason: 'the request names no valid URL' }
const pipelined: Refusal = {
  status: 503,
  reason: 'a stream cannot wait behind another answer on one connection',
}

/**
 * Whether another answer has to end first. Behind a stream that never ends this one would never begin, and Node would not
 * even say that its client is gone.
 */
function isBehind(request: Request, response: ServerResponse): boolean {
  return !('stream' in request) && response.socket === null
}

function refuse(response: ServerResponse, { status, reason, retryAfterMs }: Refusal): void {
  if (retryAfterMs !== undefined) response.setHeader('Retry-After', Math.ceil(retryAfterMs / 1000))
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${reason}\n`)
}

function arrivalOf(request: Request): Arrival | undefined {
  const url = requestUrl(request.url, authority(request))
  if (url === undefined) return undefined
  return {
    url,
    headers: requestHeaders(request.headers),
    remote: remoteOf(request.socket),
    lastEventId: lastEventIdOf(request, url),
  }
}

function open(
  request: Request,
  response: ServerResponse,
  arrival: Arrival,
  closeTimeoutMs: number,
): ServerConnection {
  const socket = request.socket
  const before = socket.bytesWritten
  const stream = 'stream' in request ? request.stream : undefined
  let written = 0
  let total: number | undefined
  const ending = createEnding(() => {
    release()
  })
  const { closed, finish } = ending
  let waiting: (() => void)[] = []
  function release(): void {
    const released = waiting
    waiting = []
    for (const resolve of released) resolve()
  }

  // On HTTP/2 the socket is shared by all streams of a client, so only what was handed over can be told.
  const bytesWritten = () => total ?? (stream === undefined ? socket.bytesWritten - before : written)

  // A request that is over before the answer began has closed already and will not say so again.
  if (socket.destroyed) finish({ code: closeCode.abnormal, reason: 'the client went away' })

  // A stream is meant to be silent at times; the hub's heartbeats find the dead.
  if (stream === undefined) socket.setTimeout(0)
  response.statusCode = 200
  response.setHeader('Content-Type', 'text/event-stream')
  // `no-transform` keeps compressing proxies from holding events back; the third is nginx's word for "do not buffer".
  response.setHeader('Cache-Control', 'no-cache, no-transform')
  response.setHeader('X-Accel-Buffering', 'no')
  const isDirect = stream === undefined && ownsSocket(request, response)
  if (isDirect) response.setHeader('Transfer-Encoding', 'chunked')
  response.flushHeaders()

  const encoder = isDirect ? chunkedFrames : frames
  /** Where bytes go and wait. */
  const sink: Writable = isDirect ? socket : (stream ?? response)
  const write = (chunk: string | Uint8Array) => (isDirect ? socket : response).write(chunk)

  const drains = isDirect ? socket : response
  drains.on('drain', release)
  response.on('close', () => {
    total = bytesWritten()
    // On a connection that is kept alive the socket is somebody else's from here on.
    drains.off('drain', release)
    finish({ code: closeCode.abnormal, reason: 'the client went away' })
  })

  return {
    ...arrival,
    direction: 'one-way',
    encoder,
    closed,
    get bytesWritten() {
      return bytesWritten()
    },
    write(chunk) {
      // Nor behind an end that somebody else has called: there the next answer of this connection begins.
      if (ending.close !== undefined || response.writableEnded) return 0
      if (stream !== undefined) written += byteLength(chunk)
      write(chunk)
      return sink.writableLength
    },
    drained() {
      // A `drain` may never come after a close. On purpose no `once` and no race with `closed`: each would leave a listener
      // behind, for as long as the connection lives.
      if (ending.close !== undefined || !sink.writableNeedDrain) return Promise.resolve()
      return new Promise((resolve) => waiting.push(resolve))
    },
    close(close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      if (ending.close !== undefined) return
      if (!response.writableEnded) write(encoder.encode({ type: 'close', close }))
      response.end()
      finish(close)
      // A reader that stands still would keep the stream and all that waits in it for ever.
      // Not http2's `stream.close()`, which waits for that reader as well.
      const timer = setTimeout(() => (stream ?? socket).destroy(), closeTimeoutMs)
      timer.unref()
      response.once('close', () => clearTimeout(timer))
    },
  }
}

/**
 * Whether frames may go straight to the socket, past `response.write`, which would frame and cork each chunk anew for each
 * peer, at half as much CPU again. Not where a middleware stands in between (it has put a `write` of its own in place), nor
 * on HTTP/1.0, which has no chunks.
 */
function ownsSocket(request: Request, response: ServerResponse): boolean {
  return (
    request.httpVersion === '1.1' &&
    response.socket === request.socket &&
    response.write === ServerResponse.prototype.write &&
    response.end === ServerResponse.prototype.end &&
    !response.headersSent
  )
}

const join = (chunks: readonly (string | Uint8Array)[]) => Buffer.concat(chunks as readonly Uint8Array[])

/** As bytes, so that a text is not turned into UTF-8 anew for each peer. */
const frames: Encoder = { encode: (frame) => Buffer.from(codec.encode(frame)), join }

/**
 * As chunks of HTTP/1.1, framed once for all peers.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */
const chunkedFrames: Encoder = {
  encode(frame) {
    const text = codec.encode(frame)
    // A chunk of no length would be the last.
    if (text.length === 0) return text
    return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
  },
  join,
}

/** The header wins over the query: an `EventSource` comes back to its first URL, with the header of today. */
function lastEventIdOf(request: Request, url: URL): string {
  const header = request.headers['last-event-id']
  // [spec] the header is UTF-8; Node hands it over one character for each byte.
  if (typeof header === 'string') return Buffer.from(header, 'latin1').toString()
  return url.searchParams.get('lastEventId') ?? ''
}

function authority({ headers }: Request): string | undefined {
  const name = headers[':authority']
  return typeof name === 'string' ? name : headers.host
}
