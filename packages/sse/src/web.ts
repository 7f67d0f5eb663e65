import {
  type Accepted,
  AcceptedLink,
  type Admission,
  type Admit,
  type Arrival,
  byteLength,
  type Close,
  checkClose,
  checkNumber,
  closeCode,
  type Encoder,
  type Gate,
  malformed,
  type NodeRequest,
  oversized,
  type Refusal,
  requestArrival,
} from '@eitherway/core'
import { codec } from './codec.ts'

/** Settings of {@link createResponder}. */
export interface ResponderOptions {
  /** Decides on each request before `admit` does. @defaultValue all get through */
  readonly gate?: Gate
  /** Hears of each request that is refused before `admit` is asked. */
  readonly onRefused?: (refusal: Refusal) => void
  /**
   * How long a closed stream may take to carry its last bytes away, in milliseconds, up to 600,000; then it is broken off.
   *
   * @defaultValue 5,000
   */
  readonly closeMs?: number
}

/**
 * The server's side of Server-Sent Events, for whatever answers a `Request` with a `Response`: Bun, Deno, workers, and
 * frameworks. Nothing of Node is needed.
 *
 * @param admit - decides on each request before it is answered, and says who takes the stream; a refusal is its HTTP status.
 * @returns answers a request that asks for an event stream; whoever mounts it chooses them. `signal` aborts
 * when the client leaves; it need not, where the runtime cancels the body then. It may be told who decides on
 * one request, in the place of `admit`.
 * @throws TypeError for a setting that is none.
 */
export function createResponder(
  admit: Admit,
  options: ResponderOptions = {},
): (asked: NodeRequest, signal?: AbortSignal, admit?: Admit) => Promise<Response> {
  const { gate, onRefused, closeMs = 5000 } = options
  checkNumber('closeMs', closeMs, 0, 600_000)
  return async (asked, signal, admitOne = admit) => {
    const improper = malformed(asked) ?? headless(asked) ?? gate?.(asked) ?? oversized(asked)
    const arrival = improper === undefined ? requestArrival(asked, lastEventIdOf(asked)) : undefined
    if (arrival === undefined) {
      const refusal = improper ?? { status: 400, reason: 'the request names no valid URL' }
      onRefused?.(refusal)
      return refusalResponse(refusal)
    }
    const admission: Admission = await admitOne(arrival)
    if (typeof admission !== 'function') return refusalResponse(admission)
    // The client did not wait. Nobody sees this answer; the status is the one that logs have for it.
    if (signal?.aborted) return new Response(null, { status: 499 })
    const connection = new WebConnection(signal, arrival, closeMs)
    admission(connection)
    connection.begin()
    return new Response(connection.body, { headers: head })
  }
}

/** Answers a request that gets no stream with an HTTP status. */
export function refusalResponse({ status, reason, retryAfterMs }: Refusal): Response {
  const headers = new Headers({ 'Content-Type': 'text/plain; charset=utf-8' })
  if (retryAfterMs !== undefined) headers.set('Retry-After', String(Math.ceil(retryAfterMs / 1000)))
  return new Response(`${reason}\n`, { status, headers })
}

function headless({ method }: NodeRequest): Refusal | undefined {
  return method === 'HEAD' ? { status: 405, reason: 'a stream is asked for by GET' } : undefined
}

/** `no-transform` keeps compressing proxies from holding events back; the third is nginx's word for "do not buffer". */
const head = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
}

/** What a stream takes before it wants no more, as Node's sockets have it. */
const highWaterBytes = 16 * 1024

const utf8 = new TextEncoder()

/** As bytes, once for all peers. */
const frames: Encoder = {
  encode: (frame) => utf8.encode(codec.encode(frame) as string),
  join(chunks) {
    const parts = chunks as readonly Uint8Array[]
    const whole = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.byteLength
    }
    return whole
  },
}

const heartbeat = frames.encode({ type: 'heartbeat' })

/** The body of an answer that is a stream. What the runtime has not fetched from it yet is what waits. */
class WebConnection extends AcceptedLink implements Accepted {
  readonly direction = 'one-way'
  readonly encoder: Encoder = frames
  readonly body: ReadableStream<Uint8Array>
  readonly #signal: AbortSignal | undefined
  readonly #closeMs: number
  readonly #onAbort = () => this.#gone()
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  /** What was handed over. */
  #written = 0
  /** The bytes that had left when it was over. */
  #total: number | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(signal: AbortSignal | undefined, arrival: Arrival, closeMs: number) {
    super(arrival)
    this.#signal = signal
    this.#closeMs = closeMs
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => this.#pulled(),
        cancel: () => this.#cancelled(),
      },
      { highWaterMark: highWaterBytes, size: ({ byteLength }) => byteLength },
    )
    // Some runtimes say by the one that a client has left, some by the other, and some by either.
    signal?.addEventListener('abort', this.#onAbort)
  }

  /** Bun sends the head of an answer no sooner than the beginning of its body. */
  begin(): void {
    if (this.#written === 0 && this.ended === undefined) this.#hand(heartbeat)
  }

  get bytesWritten(): number {
    return this.#total ?? this.#written - this.queuedBytes
  }

  get queuedBytes(): number {
    return this.#controller === undefined
      ? 0
      : highWaterBytes - (this.#controller.desiredSize ?? highWaterBytes)
  }

  write(chunk: string | Uint8Array): number {
    if (this.ended !== undefined) return 0
    this.#hand(chunk)
    return this.queuedBytes
  }

  drained(): Promise<void> {
    if (this.ended !== undefined || this.queuedBytes < highWaterBytes) return Promise.resolve()
    // `pull` says so.
    return this.room(() => undefined)
  }

  close(close: Close = { code: closeCode.normal, reason: '' }): void {
    checkClose(close)
    if (this.ended !== undefined) return
    this.#hand(this.encoder.encode({ type: 'close', close }))
    this.finish(close)
    // A reader that stands still would keep the stream and all that waits in it for ever.
    this.#timer = setTimeout(() => this.#breakOff(), this.#closeMs)
    this.#endWhenEmpty()
  }

  #hand(chunk: string | Uint8Array): void {
    const bytes = typeof chunk === 'string' ? utf8.encode(chunk) : chunk
    // A stream of bytes refuses none, and this one has nothing to say with it.
    if (bytes.byteLength === 0) return
    this.#written += byteLength(bytes)
    this.#controller?.enqueue(bytes)
  }

  /** There is room: something has been fetched. */
  #pulled(): void {
    if (this.ended !== undefined) this.#endWhenEmpty()
    else this.release()
  }

  /** Not before: a stream that is closed with bytes in it does not say any more when they have left. */
  #endWhenEmpty(): void {
    if (this.#controller === undefined || this.queuedBytes > 0) return
    const controller = this.#controller
    this.#letGo()
    controller.close()
  }

  #breakOff(): void {
    const controller = this.#controller
    this.#letGo()
    controller?.error(new Error('the client did not read the end of the stream in time'))
  }

  /** By now the stream says that it wants nothing, as one does that is full. */
  #cancelled(): void {
    this.#total ??= this.#written
    this.#gone()
  }

  #gone(): void {
    this.#letGo()
    this.finish({ code: closeCode.abnormal, reason: 'the client went away' })
  }

  #letGo(): void {
    this.#total = this.bytesWritten
    this.#controller = undefined
    this.#signal?.removeEventListener('abort', this.#onAbort)
    clearTimeout(this.#timer)
  }
}

/** The header wins over the query: an `EventSource` comes back to its first URL, with the header of today. */
function lastEventIdOf({ headers }: NodeRequest): string | undefined {
  const header = headers['last-event-id'] as string | undefined
  // [spec] the header is UTF-8. Most runtimes hand it over one character for each byte; what has others was decoded already.
  if (header === undefined || !/^[\0-\xff]*$/.test(header)) return header
  return new TextDecoder().decode(Uint8Array.from(header, (character) => character.charCodeAt(0)))
}
