import {
  type Accepted,
  type Admission,
  type Admit,
  type Arrival,
  byteLength,
  type Close,
  checkClose,
  closeCode,
  costOf,
  createEnding,
  createQueue,
  type Decoder,
  defaultMaxMessageBytes,
  type Encoder,
  type Ending,
  fitReason,
  type Gate,
  type Limits,
  type Message,
  malformed,
  maxIdBytes,
  maxNameBytes,
  type NodeRequest,
  oversized,
  ProtocolError,
  type Queue,
  type Refusal,
  type Remote,
  requestArrival,
  show,
  turnAway,
} from '@eitherway/core'
import { codec, plain, subprotocol } from './codec.ts'

/** Settings of {@link createUpgrader}. */
export interface UpgraderOptions extends Limits {
  /** Decides on each request before `admit` does; a refusal is told as that of `admit` is. @defaultValue all get through */
  readonly gate?: Gate
  /** Hears of each request that is refused before `admit` is asked. */
  readonly onRefused?: (refusal: Refusal) => void
}

/** As much of an open socket as is used; the web's `WebSocket` and Bun's `ServerWebSocket` are one with a line each. */
export interface Socket {
  /** Sends one message. What it returns is not looked at. */
  send(data: string | Uint8Array): unknown
  close(code: number, reason: string): void
  /** Bytes that were handed over and have not left. */
  queuedBytes(): number
  /** Whether {@link Upgrade.drained} will be called. Where not, what waits is looked at from time to time. */
  readonly tellsDrained: boolean
}

/** A link that is agreed on, and is told what its socket does: `open` first, `closed` last. */
export interface Upgrade {
  /** What the answer has to select, or `''` for nothing. */
  readonly protocol: string
  open(socket: Socket): void
  /** A whole message came. */
  message(data: string | Uint8Array): void
  /** There is room again. */
  drained(): void
  /** It has ended. */
  closed(close: Close): void
}

/**
 * The server's side of WebSocket where the runtime shakes hands and frames: Bun, Deno, workers. Nothing of Node is needed.
 *
 * Such a socket cannot be held back: a client that sends more than 8 MiB, or two of the largest messages, before they are handled
 * is closed (4029), and may come back.
 *
 * @param admit - decides on each request before it is answered, and says who takes the link.
 * @returns decides on a request for an upgrade; whoever mounts it chooses them, and makes the link that is agreed on.
 * @throws TypeError when `maxMessageBytes` is none.
 */
export function createUpgrader(
  admit: Admit,
  options: UpgraderOptions = {},
): (asked: NodeRequest) => Promise<Upgrade | Refusal> {
  const { gate, onRefused, maxMessageBytes = defaultMaxMessageBytes } = options
  if (!Number.isSafeInteger(maxMessageBytes) || maxMessageBytes < 1) {
    throw new TypeError(
      `\`maxMessageBytes\` must be a whole number of bytes over 0, got ${show(maxMessageBytes)}`,
    )
  }
  return async (asked) => {
    const improper = malformed(asked) ?? notUpgrade(asked)
    const arrival = improper === undefined ? requestArrival(asked) : undefined
    if (arrival === undefined) {
      const refusal = improper ?? { status: 400, reason: 'the request names no valid URL' }
      onRefused?.(refusal)
      return refusal
    }
    const unwelcome = gate?.(asked) ?? oversized(asked)
    if (unwelcome !== undefined) onRefused?.(unwelcome)
    const admission = unwelcome ?? (await admit(arrival))
    const isOurs = offersOurs(asked)
    if (typeof admission !== 'function' && !isOurs) return admission
    return new Agreed(arrival, isOurs ? subprotocol : '', maxMessageBytes, admission)
  }
}

/** Whether this asks for a WebSocket. */
export function isUpgrade({ headers }: NodeRequest): boolean {
  return (headers['upgrade'] as string | undefined)?.toLowerCase() === 'websocket'
}

/** The runtime has looked at the rest of the handshake, or will. */
function notUpgrade({ method }: NodeRequest): Refusal | undefined {
  return method === 'GET'
    ? undefined
    : { status: 405, reason: `an upgrade is asked for by GET, not ${method}` }
}

function offersOurs({ headers }: NodeRequest): boolean {
  const offered = (headers['sec-websocket-protocol'] as string | undefined) ?? ''
  return offered.split(',').some((name) => name.trim() === subprotocol)
}

class Agreed implements Upgrade {
  readonly protocol: string
  readonly #arrival: Arrival
  readonly #maxMessageBytes: number
  readonly #admission: Admission
  #connection: WebConnection | undefined

  constructor(arrival: Arrival, protocol: string, maxMessageBytes: number, admission: Admission) {
    this.protocol = protocol
    this.#arrival = arrival
    this.#maxMessageBytes = maxMessageBytes
    this.#admission = admission
  }

  open(socket: Socket): void {
    const connection = new WebConnection(socket, this.#arrival, this.#maxMessageBytes, this.protocol === '')
    this.#connection = connection
    if (typeof this.#admission === 'function') this.#admission(connection)
    else turnAway(connection, this.#admission)
  }
  message(data: string | Uint8Array): void {
    this.#connection?.read(data)
  }
  drained(): void {
    this.#connection?.release()
  }
  closed(close: Close): void {
    this.#connection?.gone(close)
  }
}

/** One message of the socket for each frame: the runtime frames, and joins nothing. */
const frames: Encoder = { encode: codec.encode }
const plainFrames: Encoder = { encode: plain.encode }

/** What may wait before a writer is asked to wait. */
const highWaterBytes = 16 * 1024

/** What may wait for the application to read, or two of the largest messages. */
const maxWaitingBytes = 8 * 1024 * 1024

/** How often what waits is looked at where the socket does not say that it has left, and somebody waits for it. */
const lookMs = 5

/** What the head of a frame takes beside its payload. */
const headBytes = (size: number): number => (size < 126 ? 2 : size < 65_536 ? 4 : 10)

/** A link whose socket is the runtime's. */
class WebConnection implements Accepted {
  readonly direction = 'two-way'
  readonly encoder: Encoder
  readonly messages: Queue<Message> = createQueue<Message>()
  readonly #ending: Ending
  readonly #socket: Socket
  readonly #arrival: Arrival
  readonly #maxMessageBytes: number
  readonly #isPlain: boolean
  /** What was handed over. */
  #written = 0
  #total: number | undefined
  #decoder: Decoder | undefined
  #waiting: (() => void)[] | undefined

  constructor(socket: Socket, arrival: Arrival, maxMessageBytes: number, isPlain: boolean) {
    this.encoder = isPlain ? plainFrames : frames
    this.#socket = socket
    this.#arrival = arrival
    this.#maxMessageBytes = maxMessageBytes
    this.#isPlain = isPlain
    this.#ending = createEnding(() => {
      this.#total = this.bytesWritten
      this.messages.end()
      this.release()
    })
  }

  get url(): URL {
    return this.#arrival.url
  }
  get headers(): Headers {
    return this.#arrival.headers
  }
  get token(): string | undefined {
    return this.#arrival.token
  }
  get remote(): Remote | undefined {
    return this.#arrival.remote
  }
  get channels(): readonly string[] {
    return this.#arrival.channels
  }
  get lastEventId(): string {
    return this.#arrival.lastEventId
  }
  get closed(): Promise<Close> {
    return this.#ending.closed
  }
  get bytesWritten(): number {
    return this.#total ?? Math.max(0, this.#written - this.queuedBytes)
  }

  get queuedBytes(): number {
    return this.#socket.queuedBytes()
  }

  write(chunk: string | Uint8Array): number {
    if (this.#ending.close !== undefined) return 0
    if (chunk.length === 0) return this.queuedBytes
    const size = byteLength(chunk)
    this.#written += size + headBytes(size)
    try {
      this.#socket.send(chunk)
    } catch (error) {
      // It is closing already, and `closed` will say so; or it takes no more, and then it is of no use.
      this.#leave({
        code: closeCode.serverError,
        reason: fitReason(`the socket takes no more: ${String(error)}`),
      })
      return 0
    }
    return this.queuedBytes
  }

  async drained(): Promise<void> {
    if (this.#socket.tellsDrained) {
      if (this.#ending.close !== undefined || this.queuedBytes < highWaterBytes) return
      await new Promise<void>((resolve) => {
        this.#waiting ??= []
        this.#waiting.push(resolve)
      })
      return
    }
    while (this.#ending.close === undefined && this.queuedBytes >= highWaterBytes) {
      await new Promise((resolve) => setTimeout(resolve, lookMs))
    }
  }

  close(close: Close = { code: closeCode.normal, reason: '' }): void {
    checkClose(close)
    this.#leave(close)
  }

  release(): void {
    const released = this.#waiting ?? []
    this.#waiting = undefined
    for (const resolve of released) resolve()
  }

  gone(close: Close): void {
    this.#ending.finish(close)
  }

  read(data: string | Uint8Array): void {
    if (this.#ending.close !== undefined) return
    this.#decoder ??= (this.#isPlain ? plain : codec).decoder({ maxMessageBytes: this.#maxMessageBytes })
    try {
      for (const frame of this.#decoder.push(data)) {
        // The protocol's own frames come from servers only; a newer client's are passed over.
        if (frame.type !== 'message') continue
        if (frame.message.event.length > maxNameBytes || frame.message.id.length > maxIdBytes) {
          const reason = `an event is at most ${maxNameBytes} bytes, an id ${maxIdBytes}`
          this.#leave({ code: closeCode.protocolError, reason })
          return
        }
        const waiting = this.messages.push(frame.message, costOf(frame.message))
        if (waiting > Math.max(maxWaitingBytes, 2 * this.#maxMessageBytes)) {
          this.#leave({ code: closeCode.tooMany, reason: `${waiting} bytes wait to be handled` })
          return
        }
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#leave({ code: error.closeCode, reason: fitReason(error.message) })
    }
  }

  #leave(close: Close): void {
    if (this.#ending.close !== undefined) return
    this.#ending.finish(close)
    this.messages.drop()
    this.#socket.close(close.code, close.reason)
  }
}
