import {
  type Close,
  ConnectError,
  type ConnectOptions,
  checkClose,
  checkOptions,
  closeCode,
  createEnding,
  type Frame,
  type OneWayConnection,
  type Transport,
  type TwoWayConnection,
} from '@eitherway/core'
import { type FetchLike, sse } from '@eitherway/sse/client'
import { codec } from '@eitherway/sse/codec'
import { createOutgoing, type Outgoing } from './outgoing.ts'
import { createPoster, type Place } from './poster.ts'
import { linkHeader, upByPost, upParameter } from './wire.ts'

export type { FetchLike } from '@eitherway/sse/client'

/** Settings of {@link ssePost}. */
export interface SsePostOptions {
  /** Sent with each request, up and down. They do not follow a redirect to another origin. A client's `token` wins over an `Authorization` here. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whether cookies go along: as in `fetch`. @defaultValue `same-origin` */
  readonly credentials?: RequestCredentials
  /** @defaultValue the platform's */
  readonly fetch?: FetchLike
}

/**
 * Both ways over plain HTTP: Server-Sent Events down, and POSTs up, each acknowledged and none applied twice. For where
 * WebSocket does not get through.
 *
 * What is sent goes in batches, one at a time: the next one holds what was sent while the answer was on its way. One that does
 * not get through is repeated for a minute; then the link ends, and the client comes back.
 *
 * @throws TypeError for a setting that is none: a header that cannot be, say.
 */
export function ssePost(options: SsePostOptions = {}): Transport<'two-way'> {
  checkOptions('ssePost', options, { headers: true, credentials: true, fetch: true })
  new Headers(options.headers)
  return { name: 'sse+post', direction: 'two-way', connect: (url, request) => connect(url, request, options) }
}

async function connect(
  url: URL,
  request: ConnectOptions,
  options: SsePostOptions,
): Promise<TwoWayConnection> {
  const { signal } = request
  signal.throwIfAborted()
  const { fetch = globalThis.fetch, headers, credentials } = options
  const address = new URL(url)
  address.searchParams.set(upParameter, upByPost)
  // Where the stream came from in the end, which is where posts go, with whatever let it in there.
  let place: Place | undefined
  let key: string | null = null
  const stream = sse({
    ...(headers === undefined ? {} : { headers }),
    ...(credentials === undefined ? {} : { credentials }),
    async fetch(target, init) {
      const response = await fetch(target, init)
      place = { url: response.url === '' ? target : new URL(response.url), init }
      key = response.headers.get(linkHeader)
      return response
    },
  })
  // A controller of its own: the stream has to outlast an abort until the server has heard the last word.
  const abort = new AbortController()
  const onAbort = () => abort.abort(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    const down = await stream.connect(address, { ...request, signal: abort.signal })
    if (place === undefined || key === null) {
      down.close()
      throw new ConnectError(
        `${address.origin}${address.pathname} answered without ${linkHeader}: that server takes nothing by POST, or does not let this page see it; use \`transport: 'sse'\``,
        { retryable: false },
      )
    }
    const post = createPoster(place, key, fetch)
    return open(down, signal, (onOver) =>
      createOutgoing({ post, onOver, now: () => performance.now(), random: Math.random }),
    )
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** How long a stream may take to say why nothing can be sent any more, in milliseconds. */
const overMs = 1_000

function open(
  down: OneWayConnection,
  signal: AbortSignal,
  createUp: (onOver: (close: Close) => void) => Outgoing,
): TwoWayConnection {
  const reading = createReading(down)
  const up = createUp((close) => {
    // The server says why it ended the link, and says it on the stream; where that is silent the answer has to do.
    const timer = setTimeout(() => {
      ending.finish(close)
      down.close()
    }, overMs)
    void down.closed.then(() => clearTimeout(timer))
  })
  const ending = createEnding(() => signal.removeEventListener('abort', onAbort))
  void down.closed.then((close) => {
    if (ending.close === undefined) up.stop()
    ending.finish(close)
  })
  /** Ends the link from this side: what has arrived already is not read any more. */
  function leave(close: Close): void {
    reading.drop()
    if (ending.close !== undefined) return
    ending.finish(close)
    const word = codec.encode({ type: 'close', close }) as string
    void up.close(word).then(() => down.close())
  }
  const onAbort = () => leave({ code: closeCode.normal, reason: 'aborted' })
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) onAbort()

  return {
    direction: 'two-way',
    closed: ending.closed,
    close(close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      leave(close)
    },
    async send(message) {
      if (ending.close !== undefined || up.isOver) {
        const { code, reason } = ending.close ?? { code: closeCode.abnormal, reason: 'it is closing' }
        throw new ConnectError(`the link has ended (${code}${reason && ` ${reason}`})`, {
          retryable: true,
        })
      }
      await up.send(codec.encode({ type: 'message', message }) as string)
    },
    [Symbol.asyncIterator]: () => reading.frames,
  }
}

interface Reading {
  readonly frames: AsyncIterator<Frame>
  /** Lets nothing more come out. */
  drop(): void
}

/** Reads a stream that may go on for a while after nobody wants to hear of it. */
function createReading(down: OneWayConnection): Reading {
  const source = down[Symbol.asyncIterator]()
  const done: IteratorResult<Frame> = { done: true, value: undefined }
  const waiting = new Set<(result: IteratorResult<Frame>) => void>()
  let isDropped = false
  function drop(): void {
    isDropped = true
    for (const resolve of waiting) resolve(done)
    waiting.clear()
  }
  return {
    drop,
    frames: {
      next() {
        if (isDropped) return Promise.resolve(done)
        return new Promise((resolve, reject) => {
          waiting.add(resolve)
          source.next().then((result) => {
            waiting.delete(resolve)
            resolve(isDropped ? done : result)
          }, reject)
        })
      },
      async return() {
        drop()
        await source.return?.()
        return done
      },
    },
  }
}
