import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import {
  type Accepted,
  AcceptedLink,
  type Admission,
  type Admit,
  type Arrival,
  byteLength,
  type Close,
  type Compression,
  checkClose,
  checkNumber,
  closeCode,
  createCork,
  type Encoder,
  type Gate,
  hasBody,
  malformed,
  oversized,
  type Refusal,
  requestArrival,
  thresholdOf,
} from '@eitherway/core'
import { acceptsGzip, createSections, Gzip } from './compression.ts'
import { chunkedFrames, frames } from './framing.ts'

/** Settings of {@link createListener}. */
export interface ListenerOptions {
  /** Decides on each request before `admit` does. @defaultValue all get through */
  readonly gate?: Gate
  /** Hears of each request that is refused before `admit` is asked. */
  readonly onRefused?: (refusal: Refusal) => void
  /**
   * How long a closed stream may take to carry its last bytes away, in milliseconds, up to 600,000; then the socket is destroyed.
   *
   * @defaultValue 5,000
   */
  readonly closeMs?: number
  /**
   * Whether clients that take gzip get it. What a turn sends is compressed once for all of them. Keep it off where one turn
   * may send a secret and what an attacker chose to the same peer: the size would tell.
   *
   * @defaultValue false
   */
  readonly compression?: Compression
}

/** Node's request, of http and of http2's compatibility API. */
export type Request = IncomingMessage | Http2ServerRequest
/** Node's response, of http and of http2's compatibility API. */
export type Response = ServerResponse | Http2ServerResponse

/**
 * The server's side of Server-Sent Events, for Node's http and http2: answers each request with a stream and hands it on.
 *
 * @param admit - decides on each request before it is answered, and says who takes the stream; a refusal is its HTTP status.
 * @returns a listener for the requests that ask for an event stream; whoever mounts it chooses them. It may be told who decides
 * on one request, in the place of `admit`.
 * @throws TypeError for a setting that is none.
 */
export function createListener(
  admit: Admit,
  options: ListenerOptions = {},
): (request: Request, response: Response, admit?: Admit) => void {
  const { gate, onRefused, closeMs = 5000, compression } = options
  checkNumber('closeMs', closeMs, 0, 600_000)
  const thresholdBytes = thresholdOf(compression)
  const sections = thresholdBytes === undefined ? undefined : createSections(thresholdBytes)
  return (request, given, admitOne = admit) => {
    // http2's compatibility API has what is used here under the same names.
    const response = given as ServerResponse
    // Without a listener an error of the stream, e.g. EPIPE, would be thrown at the whole process. `close` follows it.
    response.on('error', ignore)
    // Somebody else has answered already.
    if (response.headersSent) return
    const improper =
      malformed(request) ?? answerless(request, response) ?? gate?.(request) ?? oversized(request)
    if (improper !== undefined) return turnAway(improper)
    const arrival = requestArrival(request, lastEventIdOf(request))
    if (arrival === undefined) return turnAway(invalid)
    const arrived = arrival
    const admission = admitOne(arrived)
    if (admission instanceof Promise) {
      const { socket } = request
      answering.add(socket)
      response.once('close', () => answering.delete(socket))
      void admission.then(answer)
    } else {
      answer(admission)
    }

    function turnAway(refusal: Refusal): void {
      onRefused?.(refusal)
      refuseRequest(request, response, refusal)
    }

    function answer(admission: Admission): void {
      // The client did not wait, or somebody else has answered meanwhile.
      if (response.headersSent || hasLeft(request, response)) return
      if (typeof admission !== 'function') refuseRequest(request, response, admission)
      else {
        const coding = negotiate(request, response, sections)
        admission(new SseConnection(request, response, arrived, closeMs, coding))
      }
    }
  }
}

const ignore = (): void => undefined

/** Whether nobody waits for this answer any more. http2's response cannot say so, its stream can. */
const hasLeft = (request: Request, response: ServerResponse): boolean =>
  'stream' in request ? request.stream.destroyed : response.destroyed

/** Sockets of HTTP/1 on which a stream is, or may soon be. */
const answering = new WeakSet<object>()

/**
 * Whether a stream is on this socket, or may soon be. It has no end, so whatever is asked behind it can have no answer.
 *
 * @internal
 */
export function isAnswering(socket: object): boolean {
  return answering.has(socket)
}

const invalid: Refusal = { status: 400, reason: 'the request names no valid URL' }

/** Why a request can have no stream for an answer. */
function answerless(request: Request, response: ServerResponse): Refusal | undefined {
  // An answer without a body, behind which the next one begins.
  if (request.method === 'HEAD') return { status: 405, reason: 'a stream is asked for by GET' }
  // Another answer has to end first. Behind a stream that never ends this one would never begin, and Node would not even
  // say that its client is gone.
  if ('stream' in request || response.socket !== null) return undefined
  return { status: 503, reason: 'a stream cannot wait behind another answer on one connection' }
}

/** Answers a request that gets no stream with an HTTP status. Headers that were set before are kept. */
export function refuseRequest(
  request: Request,
  response: Response,
  { status, reason, retryAfterMs }: Refusal,
): void {
  if (retryAfterMs !== undefined) response.setHeader('Retry-After', Math.ceil(retryAfterMs / 1000))
  // Nobody reads the body, whose end may never come.
  if (!('stream' in request) && hasBody(request.headers)) response.setHeader('Connection', 'close')
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.statusCode = status
  // Both kinds of response have this `end`, but no one signature.
  ;(response as { end(text: string): void }).end(`${reason}\n`)
}

/** Chooses the content coding and says so. @returns `undefined` for none. */
function negotiate(
  request: Request,
  response: ServerResponse,
  sections: Encoder | undefined,
): Encoder | undefined {
  if (sections === undefined) return undefined
  response.appendHeader('Vary', 'Accept-Encoding')
  const accepted = request.headers['accept-encoding']
  // A middleware in front may have a coding of its own.
  if (!acceptsGzip(accepted as string | undefined) || response.hasHeader('Content-Encoding')) return undefined
  response.setHeader('Content-Encoding', 'gzip')
  return sections
}

/** `no-transform` keeps compressing proxies from holding events back; the third is nginx's word for "do not buffer". */
const head = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
}
const chunkedHead = { ...head, 'Transfer-Encoding': 'chunked' }

/** An answer that is a stream. */
class SseConnection extends AcceptedLink implements Accepted {
  readonly encoder: Encoder
  readonly #response: ServerResponse
  readonly #socket: Socket
  /** On HTTP/2, where the socket is shared by all streams of a client. */
  readonly #stream: ServerHttp2Stream | undefined
  /** Where bytes go and wait. */
  readonly #sink: Writable
  readonly #gzip: Gzip | undefined
  readonly #closeMs: number
  /** The bytes that had left on this socket before. */
  readonly #before: number
  /** What was handed over, which is all that can be told on HTTP/2. */
  #written = 0
  #total: number | undefined
  #onDrain: (() => void) | undefined

  /** @param sections - the encoder of a stream that is compressed. */
  constructor(
    request: Request,
    response: ServerResponse,
    arrival: Arrival,
    closeMs: number,
    sections: Encoder | undefined,
  ) {
    super(arrival)
    this.#response = response
    this.#socket = request.socket
    this.#stream = 'stream' in request ? request.stream : undefined
    this.#closeMs = closeMs
    this.#before = this.#socket.bytesWritten
    if (this.#stream === undefined) answering.add(this.#socket)
    response.on('close', () => this.#gone())
    // A request that is over before the answer began has closed already and will not say so again.
    if (this.#socket.destroyed) this.#gone()

    // A stream is meant to be silent at times; the hub's heartbeats find the dead.
    if (this.#stream === undefined) this.#socket.setTimeout(0)
    const isDirect = this.#stream === undefined && ownsSocket(request, response)
    corkTurn(this.#stream ?? this.#socket)
    response.removeHeader('Content-Length')
    response.writeHead(200, isDirect ? chunkedHead : head)
    response.flushHeaders()
    this.encoder = sections ?? (isDirect ? chunkedFrames : frames)
    this.#gzip = sections === undefined ? undefined : new Gzip(isDirect)
    this.#sink = isDirect ? this.#socket : (this.#stream ?? response)
  }

  get direction(): 'one-way' {
    return 'one-way'
  }
  get bytesWritten(): number {
    return (
      this.#total ?? (this.#stream === undefined ? this.#socket.bytesWritten - this.#before : this.#written)
    )
  }

  get queuedBytes(): number {
    return this.#sink.writableLength
  }

  write(chunk: string | Uint8Array): number {
    // Nor behind an end that somebody else has called: there the next answer of this connection begins.
    if (this.ended !== undefined || this.#response.writableEnded) return 0
    this.#hand(chunk)
    return this.#sink.writableLength
  }

  drained(): Promise<void> {
    // A `drain` may never come after a close. On purpose no race with `closed`, which would leave a listener behind for
    // each, for as long as the connection lives.
    if (this.ended !== undefined || !this.#sink.writableNeedDrain) return Promise.resolve()
    return this.room(() => {
      this.#onDrain = () => this.release()
      this.#drains.once('drain', this.#onDrain)
    })
  }

  close(close: Close = { code: closeCode.normal, reason: '' }): void {
    checkClose(close)
    if (this.ended !== undefined) return
    this.finish(close)
    try {
      if (!this.#response.writableEnded) this.#hand(this.encoder.encode({ type: 'close', close }), true)
      this.#response.end()
    } catch {
      // A `write` that a middleware has put in place: without a last word, but over.
      ;(this.#stream ?? this.#socket).destroy()
    }
    // A reader that stands still would keep the stream and all that waits in it for ever.
    // Not http2's `stream.close()`, which waits for that reader as well.
    const timer = setTimeout(() => (this.#stream ?? this.#socket).destroy(), this.#closeMs)
    timer.unref()
    this.#response.once('close', () => clearTimeout(timer))
  }

  #hand(chunk: string | Uint8Array, isLast = false): void {
    const bytes = this.#gzip === undefined ? chunk : this.#gzip.next(chunk, isLast)
    if (this.#stream !== undefined) this.#written += byteLength(bytes)
    if (this.#sink === this.#socket) this.#socket.write(bytes)
    else this.#response.write(bytes)
  }

  #gone(): void {
    this.#total = this.bytesWritten
    answering.delete(this.#socket)
    // On a connection that is kept alive the socket is somebody else's from here on.
    if (this.#onDrain !== undefined) this.#drains.off('drain', this.#onDrain)
    this.finish({ code: closeCode.abnormal, reason: 'the client went away' })
    this.release()
  }

  /** Who says that there is room again. */
  get #drains(): Writable {
    return this.#sink === this.#socket ? this.#socket : this.#response
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

/** The header wins over the query: an `EventSource` comes back to its first URL, with the header of today. */
function lastEventIdOf({ headers }: Request): string | undefined {
  const header = headers['last-event-id']
  // [spec] the header is UTF-8; Node hands it over one character for each byte.
  return typeof header === 'string' ? Buffer.from(header, 'latin1').toString() : undefined
}

/**
 * The head and the greeting leave in one write. A `nextTick` from a microtask comes after all other microtasks.
 */
const corkTurn = createCork((run) => queueMicrotask(() => process.nextTick(run)))
