import {
  addressOf,
  type Close,
  ConnectError,
  type ConnectOptions,
  checkClose,
  checkOptions,
  checkToken,
  closeCode,
  closeCodeOfStatus,
  createEnding,
  createQueue,
  type Decoder,
  type Frame,
  fitReason,
  type Limits,
  mayReturn,
  type OneWayConnection,
  ProtocolError,
  retryAfterMs,
  show,
  type Transport,
} from '@eitherway/core'
import { createDecoder } from './codec.ts'

/** As much of `fetch` as is used, so that any fetch fits and a test can bring its own. */
export type FetchLike = (url: URL, init: RequestInit) => Promise<Response>

/** Settings of {@link sse}. */
export interface SseOptions {
  /** Sent with each request. They do not follow a redirect to another origin. A client's `token` wins over an `Authorization` here. */
  readonly headers?: Readonly<Record<string, string>>
  /** @defaultValue `GET` */
  readonly method?: string
  /** Sent with each request, for servers that stream the answer to a POST. */
  readonly body?: string | Uint8Array | URLSearchParams
  /** Whether cookies go along: as in `fetch`. @defaultValue `same-origin` */
  readonly credentials?: RequestCredentials
  /** @defaultValue the platform's */
  readonly fetch?: FetchLike
}

/** Redirects that are followed for one link, as in the Fetch standard. */
const maxRedirects = 20

/**
 * Server-Sent Events over `fetch`: one-way, and unlike `EventSource` with headers, any method, a body, refusals that can
 * be read and heartbeats that can be heard.
 *
 * Any server of `text/event-stream` will do.
 *
 * @throws TypeError for a setting that is none: a body without a method that carries one, a header that cannot be.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function sse(options: SseOptions = {}): Transport<'one-way'> {
  checkOptions('sse', options, { headers: true, method: true, body: true, credentials: true, fetch: true })
  const { method = 'GET', body } = options
  if (body !== undefined && /^(GET|HEAD)$/i.test(method)) {
    throw new TypeError(`a ${method} request carries no body; set \`method: 'POST'\``)
  }
  // A name or value that no header can hold is a mistake of the caller's: better here than at each try.
  new Headers(options.headers)
  return { name: 'sse', direction: 'one-way', connect: (url, request) => connect(url, request, options) }
}

async function connect(url: URL, request: ConnectOptions, options: SseOptions): Promise<OneWayConnection> {
  request.signal.throwIfAborted()
  if (request.token !== undefined) checkToken(request.token)
  const address = addressOf(url, 'http', request)
  // A controller of its own, so that `close` can end the body without touching the caller's signal.
  const abort = new AbortController()
  const onAbort = () => abort.abort(request.signal.reason)
  request.signal.addEventListener('abort', onAbort)
  abort.signal.addEventListener('abort', () => request.signal.removeEventListener('abort', onAbort))
  let response: Response | undefined
  try {
    response = await ask(address, request, options, abort.signal)
    if (response.status !== 200) throw await refusal(address, response)
    checkContentType(address, response)
    return open(response, abort, request.limits)
  } catch (error) {
    // On purpose not where fetch itself failed: Node 20's then throws at the whole process, over an answer in more codings
    // than it bears.
    if (response !== undefined) abort.abort()
    request.signal.removeEventListener('abort', onAbort)
    request.signal.throwIfAborted()
    if (error instanceof ConnectError) throw error
    throw new ConnectError(`${address.origin} could not be reached: ${reasonOf(error)}`, {
      retryable: true,
      cause: error,
    })
  }
}

/** One request and the redirects it leads to. A later link asks the original URL again. */
async function ask(
  address: URL,
  { lastEventId, token }: ConnectOptions,
  options: SseOptions,
  signal: AbortSignal,
): Promise<Response> {
  const { method = 'GET', body, credentials = 'same-origin', fetch = globalThis.fetch } = options
  let headers = new Headers(options.headers)
  if (token !== undefined) headers.set('Authorization', `Bearer ${token}`)
  const custom = [...headers.keys()].length > 0
  headers.set('Accept', 'text/event-stream')
  if (lastEventId !== '') headers.set('Last-Event-ID', toHeader(lastEventId))
  const init: RequestInit = { method, credentials, cache: 'no-store', signal }
  // Since TypeScript 5.9, `fetch` takes no bytes of a SharedArrayBuffer; compilers before 5.7 know no type that says so.
  if (body !== undefined) init.body = body as NonNullable<RequestInit['body']>

  let target = address
  for (let redirects = 0; ; redirects += 1) {
    // fetch takes `Authorization` off a redirect to another origin, but no other header: an API key would go along. With
    // headers of the caller's, or a token, redirects are therefore followed by hand.
    const response = await fetch(target, { ...init, headers, redirect: custom ? 'manual' : 'follow' })
    if (response.type === 'opaqueredirect') {
      throw new ConnectError(
        `${target.origin}${target.pathname} redirects, and a browser does not show where to; with \`headers\` or a token, name the final URL`,
        { retryable: false },
      )
    }
    const location = redirectStatuses.has(response.status) ? response.headers.get('Location') : null
    if (location === null || !custom) return response
    if (redirects >= maxRedirects) {
      throw new ConnectError(
        `${address.origin}${address.pathname} redirects more than ${maxRedirects} times`,
        {
          retryable: false,
        },
      )
    }
    await response.body?.cancel()
    const next = new URL(location, target)
    if (next.protocol !== 'http:' && next.protocol !== 'https:') {
      throw new ConnectError(
        `${target.origin}${target.pathname} redirects to ${next.protocol}, which is not HTTP`,
        {
          retryable: false,
        },
      )
    }
    if (next.origin !== target.origin) {
      headers = new Headers([...headers].filter(([name]) => harmless.has(name)))
      init.credentials = credentials === 'include' ? 'include' : 'omit'
    }
    // [spec] Fetch, HTTP-redirect fetch: 303 always, and 301 and 302 after a POST, go on as GET without the body.
    const asGet = response.status === 303 ? method !== 'GET' : response.status < 303 && /^POST$/i.test(method)
    if (asGet) {
      init.method = 'GET'
      delete init.body
      headers.delete('Content-Type')
    }
    target = next
  }
}

/** What may follow to another origin: nothing that could let somebody in. */
const harmless = new Set(['accept', 'content-type', 'last-event-id'])

const redirectStatuses = new Set([301, 302, 303, 307, 308])

/** [spec] the id goes back as UTF-8; a header takes one character for each byte. */
function toHeader(lastEventId: string): string {
  if (!/^[\t\x20-\x7e\x80-\uffff]*$/.test(lastEventId)) {
    throw new ConnectError(
      `the last id ${show(lastEventId)} holds a control character, which no header can carry: the stream cannot go on after it`,
      { retryable: false },
    )
  }
  return Array.from(new TextEncoder().encode(lastEventId), (byte) => String.fromCharCode(byte)).join('')
}

async function refusal(address: URL, response: Response): Promise<ConnectError> {
  const { status } = response
  const reason = await reasonGiven(response)
  const where = `${address.origin}${address.pathname} answered ${status}${reason && ` (${reason})`}`
  if (status === 204) {
    return new ConnectError(`${where}: the server asks its clients to stop`, {
      retryable: false,
      status,
      closeCode: closeCode.normal,
    })
  }
  const code = closeCodeOfStatus(status)
  const retryable = mayReturn(code)
  const advice = retryable ? 'a later try may succeed' : 'reconnecting will not help'
  return new ConnectError(`${where}; ${advice}`, {
    retryable,
    status,
    closeCode: code,
    retryAfterMs: retryAfterMs(response.headers.get('Retry-After'), Date.now()),
  })
}

/** What the server says of its refusal, where that is a line of plain text: as much as a WebSocket's close has room for. */
async function reasonGiven(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  const type = response.headers.get('Content-Type') ?? ''
  let text = ''
  if (reader !== undefined && /^text\/plain\s*(?:;|$)/i.test(type)) {
    let timer: ReturnType<typeof setTimeout> | undefined
    // A server that says the status and then nothing must not keep the client from knowing it.
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), reasonMs)
    })
    try {
      const first = await Promise.race([reader.read(), late])
      text = new TextDecoder().decode(first?.value?.subarray(0, 512))
    } catch {
      // The status is known all the same.
    }
    clearTimeout(timer)
  }
  // Its end is not waited for either.
  reader?.cancel().catch(() => undefined)
  const [line = ''] = text.split(/[\r\n]/, 1)
  return /[\p{Cc}\ufffd]/u.test(line) ? '' : fitReason(line.trim())
}

/** How long the body of a refusal may take to begin. */
const reasonMs = 1000

// [spec] by the essence of the MIME type: parameters and case do not count, and `text/event-stream-x` is another type.
function checkContentType(address: URL, response: Response): void {
  const type = response.headers.get('Content-Type')
  if (type?.split(';', 1)[0]?.trim().toLowerCase() === 'text/event-stream') return
  const given = type === null ? 'no content type' : `content type ${show(type)}`
  throw new ConnectError(
    `${address.origin}${address.pathname} answered with ${given}; an event stream is text/event-stream`,
    {
      retryable: false,
      status: response.status,
    },
  )
}

function open(response: Response, abort: AbortController, limits: Limits | undefined): OneWayConnection {
  const decoder = createDecoder(limits)
  const reader = response.body?.getReader()
  const frames = createQueue<Frame>()
  const iterator = frames[Symbol.asyncIterator]()
  const ending = createEnding(() => {
    frames.end()
    abort.abort()
    // For a fetch that does not heed its signal. One that does has broken the body by now, and cancelling fails.
    reader?.cancel().catch(() => undefined)
  })
  const { closed } = ending
  const finish = (close: Close) => ending.finish(close)
  /** Ends the link from this side: what has arrived already is not read any more. */
  function leave(close: Close): void {
    finish(close)
    frames.drop()
  }
  abort.signal.addEventListener('abort', () => {
    // An ending of its own aborts as well; what came before it is still to be read.
    if (ending.close === undefined) leave({ code: closeCode.normal, reason: 'aborted' })
  })

  /** Frames that were asked for, less those that came. */
  let owed = 0
  let isReading = false
  /** Reads while frames are owed, and no further: whoever reads slowly holds the server back. */
  async function read(): Promise<void> {
    isReading = true
    try {
      while (owed > 0 && ending.close === undefined) {
        const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
        if (ending.close !== undefined) return
        if (done) return finish({ code: closeCode.abnormal, reason: 'the stream ended' })
        take(push(decoder, value))
      }
    } catch (error) {
      finish({ code: closeCode.abnormal, reason: fitReason(`the stream broke: ${reasonOf(error)}`) })
    } finally {
      isReading = false
    }
  }
  function take({ decoded, failure }: Decoded): void {
    owed -= decoded.length
    for (const frame of decoded) {
      // Nothing counts after it: a queue that has ended takes no more.
      if (frame.type === 'close') finish(frame.close)
      else frames.push(frame, 0)
    }
    if (failure !== undefined) finish({ code: failure.closeCode, reason: fitReason(failure.message) })
  }

  return {
    direction: 'one-way',
    closed,
    close(close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      leave(close)
    },
    [Symbol.asyncIterator]: () => ({
      next() {
        owed += 1
        if (owed > 0 && !isReading) void read()
        return iterator.next()
      },
      async return() {
        frames.drop()
        return { done: true, value: undefined }
      },
    }),
  }
}

interface Decoded {
  readonly decoded: readonly Frame[]
  /** What came after them was broken. */
  readonly failure?: ProtocolError
}

function push(decoder: Decoder, chunk: Uint8Array): Decoded {
  try {
    const decoded = decoder.push(chunk)
    return decoded.length === 0 ? signOfLife : { decoded }
  } catch (error) {
    if (error instanceof ProtocolError) return { decoded: error.frames, failure: error }
    throw error
  }
}

/** Bytes that complete no frame are a sign of life all the same: a large message on a slow link is not silence. */
const signOfLife: Decoded = { decoded: [{ type: 'heartbeat', partial: true }] }

/** The innermost reason that the platform gives. */
function reasonOf(error: unknown): string {
  let inner = error
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause
  if (!(inner instanceof Error)) return String(inner)
  return inner.message || (inner as { code?: string }).code || inner.name
}
