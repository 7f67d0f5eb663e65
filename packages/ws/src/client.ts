import {
  addressOf,
  type Close,
  ConnectError,
  type ConnectOptions,
  checkClose,
  checkOptions,
  closeCode,
  closeCodeOfStatus,
  createEnding,
  createQueue,
  type Decoder,
  defaultEvent,
  defaultMaxMessageBytes,
  type Frame,
  fitReason,
  type Message,
  mayReturn,
  ProtocolError,
  retryAfterMs,
  show,
  type Transport,
  type TwoWayConnection,
  tokenProtocol,
} from '@eitherway/core'
import {
  closeOfError,
  createDecoder,
  encodeTriple,
  headRoomBytes,
  maxPayloadBytes,
  plain,
  subprotocol,
} from './codec.ts'

/** As much of the platform's `WebSocket` class as is used, so that any of its kind fits and a test can bring its own. */
export type WebSocketLike = new (url: URL, protocols: string[]) => WebSocket

/** Settings of {@link ws}. */
export interface WsOptions {
  /**
   * Whether to speak without a subprotocol, to a server that is not ours: a message is its data and nothing more, in both
   * directions. It then has no id and the event `message`.
   *
   * @defaultValue false
   */
  readonly plain?: boolean
  /** @defaultValue the platform's, or that of the package `ws` where there is none (Node before 22) */
  readonly WebSocket?: WebSocketLike
}

/**
 * WebSocket: two-way.
 *
 * @throws TypeError for a setting that is none.
 * @see https://www.rfc-editor.org/rfc/rfc6455
 */
export function ws(options: WsOptions = {}): Transport<'two-way'> {
  checkOptions('ws', options, { plain: true, WebSocket: true })
  return { name: 'ws', direction: 'two-way', connect: (url, request) => connect(url, request, options) }
}

/** What may wait to be sent before a `send` holds back. */
const highWaterBytes = 64 * 1024

/** [spec] `readyState` of a socket that can send: a closing one drops what it is given, in silence. */
const socketOpen = 1

/** What may wait to be read. A platform that can hold the sender back does so here; a browser cannot, and lets go. */
const maxUnreadBytes = 16 * 1024 * 1024

async function connect(url: URL, request: ConnectOptions, options: WsOptions): Promise<TwoWayConnection> {
  const { signal, limits, lastEventId } = request
  signal.throwIfAborted()
  const protocols = protocolsOf(request.token, options)
  const address = addressOf(url, 'ws', request)
  // A browser's WebSocket has no headers, so the position goes in the query.
  if (lastEventId !== '') address.searchParams.set('lastEventId', lastEventId)
  const maxMessageBytes = limits?.maxMessageBytes ?? defaultMaxMessageBytes
  const WebSocket = options.WebSocket ?? globalThis.WebSocket ?? (await ofPackage(maxMessageBytes))
  signal.throwIfAborted()
  const socket = new WebSocket(address, protocols)
  socket.binaryType = 'arraybuffer'
  const isPlain = options.plain === true
  const decoder = isPlain ? plain.decoder(limits) : createDecoder(limits)
  const connection = open(socket, decoder, isPlain, signal)
  await opened(socket, address, signal)
  return connection
}

/** A browser's WebSocket has no headers and URLs end up in logs, so a token goes beside the subprotocol. */
function protocolsOf(token: string | undefined, { plain }: WsOptions): string[] {
  if (token === undefined) return plain ? [] : [subprotocol]
  if (plain) {
    throw new TypeError(
      'a plain WebSocket has no place for a token: leave `token` out, and let the server know its clients by a cookie or, outside browsers, by headers that a `WebSocket` of yours sends',
    )
  }
  return [subprotocol, tokenProtocol(token)]
}

/**
 * The package's class, with the limits that a platform's own would not take. It offers compression as a platform's does, of
 * what it is sent: the limit holds for what comes out of it. What it sends itself it never compresses, which would take a
 * context of its own.
 */
async function ofPackage(maxMessageBytes: number): Promise<WebSocketLike> {
  const { WebSocket } = await import('ws')
  const options = {
    maxPayload: Math.min(maxMessageBytes + headRoomBytes, maxPayloadBytes),
    perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true },
    closeTimeout: 5000,
  }
  return class extends WebSocket {
    constructor(url: URL, protocols: string[]) {
      super(url, protocols, options)
    }
    override send(data: string | Uint8Array): void {
      super.send(data, { compress: false })
    }
  } as unknown as WebSocketLike
}

/** What the package's socket has beyond the platform's. */
interface PackageSocket {
  on?(
    event: 'unexpected-response',
    listener: (
      request: unknown,
      response: { statusCode?: number; headers: { 'retry-after'?: string } },
    ) => void,
  ): void
  pause?(): void
  resume?(): void
}

/** Fulfils when the socket is open. */
function opened(socket: WebSocket & PackageSocket, address: URL, signal: AbortSignal): Promise<void> {
  const where = `${address.origin}${address.pathname}`
  return new Promise((resolve, reject) => {
    let refusal: ConnectError | undefined
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const settle = () => signal.removeEventListener('abort', onAbort)
    const fail = (reason: string) => {
      settle()
      reject(signal.aborted ? signal.reason : (refusal ?? unreachable(where, reason)))
    }
    socket.addEventListener('open', () => {
      settle()
      resolve()
    })
    // The package says what happened; a platform's event is empty, on purpose of its standard. Not every platform (Node 22)
    // lets a `close` follow.
    socket.addEventListener('error', (event) => fail((event as ErrorEvent).message ?? ''))
    socket.addEventListener('close', () => fail(''))
    socket.on?.('unexpected-response', (_request, response) => {
      const status = response.statusCode ?? 0
      const code = closeCodeOfStatus(status)
      const retryable = mayReturn(code)
      const wait = retryAfterMs(response.headers['retry-after'], Date.now())
      refusal = new ConnectError(
        `${where} answered ${status} to the upgrade; ${retryable ? 'a later try may succeed' : 'reconnecting will not help'}`,
        { retryable, status, closeCode: code, retryAfterMs: wait },
      )
      // Not by destroying the request: one that has its response tells nobody that it ended.
      socket.close()
    })
  })
}

/** A page must not learn of servers that it may not talk to, so a platform's WebSocket gives no reason. */
const unsaid = `the platform does not say why, and it may be the path; a server that does not speak ${subprotocol} needs \`ws({ plain: true })\``

function unreachable(where: string, reason: string): ConnectError {
  if (/subprotocol/i.test(reason)) {
    return new ConnectError(
      `${where} does not speak ${subprotocol}; if it is a plain WebSocket server, use \`transport: ws({ plain: true })\``,
      { retryable: false },
    )
  }
  return new ConnectError(`${where} could not be reached: ${reason || unsaid}`, {
    retryable: true,
  })
}

function open(
  socket: WebSocket & PackageSocket,
  decoder: Decoder,
  isPlain: boolean,
  signal: AbortSignal,
): TwoWayConnection {
  const frames = createQueue<Frame>()
  let paused = false
  const ending = createEnding(() => {
    signal.removeEventListener('abort', onAbort)
    frames.end()
  })
  const { closed } = ending
  const finish = (close: Close) => ending.finish(close)
  /** Ends the link from this side; what has arrived already can still be read. */
  function hangUp(close: Close): void {
    if (ending.close !== undefined) return
    finish(close)
    // A browser sends only these two ranges; for any other code the other side learns none.
    if (close.code === 1000 || close.code >= 3000) socket.close(close.code, close.reason)
    else socket.close()
  }
  function leave(close: Close): void {
    hangUp(close)
    frames.drop()
  }
  const onAbort = () => leave({ code: closeCode.normal, reason: 'aborted' })
  signal.addEventListener('abort', onAbort)

  async function holdBack(): Promise<void> {
    if (paused) return
    if (socket.pause === undefined || socket.resume === undefined) {
      leave({ code: closeCode.slowReader, reason: `more than ${maxUnreadBytes} bytes wait to be read` })
      return
    }
    paused = true
    socket.pause()
    await frames.below(maxUnreadBytes / 2)
    paused = false
    if (ending.close === undefined) socket.resume()
  }

  socket.addEventListener('message', ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (ending.close !== undefined) return
    const chunk = typeof data === 'string' ? data : new Uint8Array(data)
    try {
      for (const frame of decoder.push(chunk)) {
        // Cheaper than a byte count, and close enough for a bound of this size.
        const size = chunk.length + 64
        if (frames.push(frame, size) > maxUnreadBytes) void holdBack()
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      hangUp({ code: error.closeCode, reason: fitReason(error.message) })
    }
  })
  // Deno says 0 for a link that was cut.
  socket.addEventListener('close', ({ code, reason }) => finish({ code: code || closeCode.abnormal, reason }))
  socket.addEventListener('error', (event) => {
    // Only the package says what broke. `close` follows and knows less: 1006, for what this side itself closed with 1009.
    const close = closeOfError((event as ErrorEvent).error)
    if (close !== undefined) finish(close)
  })

  return {
    direction: 'two-way',
    closed,
    close(close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      leave(close)
    },
    async send(message: Message) {
      if (ending.close !== undefined || socket.readyState !== socketOpen) {
        const { code, reason } = ending.close ?? { code: closeCode.abnormal, reason: 'it is closing' }
        throw new ConnectError(`the link has ended (${code}${reason && ` ${reason}`})`, {
          retryable: true,
        })
      }
      if (isPlain && (message.event !== defaultEvent || message.id !== '')) {
        throw new TypeError(
          `a plain WebSocket carries data only, so the event must be "${defaultEvent}" without an id, got ${show(message.event)}`,
        )
      }
      socket.send((isPlain ? message.data : encodeTriple(message)) as string | Uint8Array<ArrayBuffer>)
      // The platform tells how much waits, but not when it has gone.
      while (socket.bufferedAmount > highWaterBytes && ending.close === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    [Symbol.asyncIterator]: () => frames[Symbol.asyncIterator](),
  }
}
