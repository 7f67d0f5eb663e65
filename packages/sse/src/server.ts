import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { type Accept, type Close, checkClose, closeCode, remoteOf, requestHeaders, requestUrl, type ServerConnection } from '@eitherway/core'
import { codec } from './codec.ts'

/** Settings of {@link createListener}. */
export interface ListenerOptions {
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
export function createListener(accept: Accept, options: ListenerOptions = {}): (request: Request, response: Response) => void {
  const { closeTimeoutMs = 5000 } = options
  return (request, response) => {
    // http2's compatibility API has what is used here under the same names.
    const connection = open(request, response as ServerResponse, closeTimeoutMs)
    if (connection !== undefined) accept(connection)
  }
}

function open(request: Request, response: ServerResponse, closeTimeoutMs: number): ServerConnection | undefined {
  const socket = request.socket
  const before = socket.bytesWritten
  const stream = 'stream' in request ? request.stream : undefined
  const url = requestUrl(request.url, authority(request))
  if (url === undefined) {
    response.writeHead(400, { 'Content-Type': 'text/plain' }).end('the request names no valid URL\n')
    return undefined
  }

  let written = 0
  let total: number | undefined
  let end: Close | undefined
  let settle: (close: Close) => void
  const closed = new Promise<Close>((resolve) => {
    settle = resolve
  })
  function finish(close: Close): void {
    if (end !== undefined) return
    end = close
    settle(close)
  }

  // On HTTP/2 the socket is shared by all streams of a client, so only what was handed over can be told.
  const bytesWritten = () => total ?? (stream === undefined ? socket.bytesWritten - before : written)

  // Without a listener an error of the stream, e.g. EPIPE, would be thrown at the whole process. `close` follows it.
  response.on('error', () => {})
  response.on('close', () => {
    total = bytesWritten()
    finish({ code: closeCode.abnormal, reason: 'the client went away' })
  })
  // A request that is over before the answer began has closed already and will not say so again.
  if (socket.destroyed) finish({ code: closeCode.abnormal, reason: 'the client went away' })

  // A stream is meant to be silent at times; the hub's heartbeats find the dead.
  if (stream === undefined) socket.setTimeout(0)
  response.statusCode = 200
  response.setHeader('Content-Type', 'text/event-stream')
  // `no-transform` keeps compressing proxies from holding events back; the third is nginx's word for "do not buffer".
  response.setHeader('Cache-Control', 'no-cache, no-transform')
  response.setHeader('X-Accel-Buffering', 'no')
  response.flushHeaders()

  return {
    direction: 'one-way',
    encoder: codec,
    url,
    headers: requestHeaders(request.headers),
    remote: remoteOf(request.socket),
    lastEventId: lastEventIdOf(request, url),
    closed,
    get bytesWritten() {
      return bytesWritten()
    },
    write(chunk) {
      if (end !== undefined) return 0
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      written += bytes.byteLength
      response.write(bytes)
      return (stream ?? response).writableLength
    },
    async drained() {
      // A `drain` may never come after a close, so both are waited for.
      while (end === undefined && (stream ?? response).writableNeedDrain) {
        await Promise.race([once(response, 'drain'), closed])
      }
    },
    close(close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      if (end !== undefined) return
      response.write(codec.encode({ type: 'close', close }))
      response.end()
      finish(close)
      // A reader that stands still would keep the stream and all that waits in it for ever.
      const timer = setTimeout(() => {
        if (stream === undefined) socket.destroy()
        else stream.close()
      }, closeTimeoutMs)
      timer.unref()
      response.once('close', () => clearTimeout(timer))
    },
  }
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
