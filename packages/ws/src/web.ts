import {
  type Accepted,
  AcceptedLink,
  type Admission,
  type Admit,
  type Arrival,
  byteLength,
  type Close,
  checkClose,
  closeCode,
  type Decoder,
  type Encoder,
  fitReason,
  type Gate,
  Inbox,
  type Limits,
  type Message,
  malformed,
  maxMessageBytesOf,
  type NodeRequest,
  type Owner,
  oversized,
  ProtocolError,
  type Queue,
  type Refusal,
  requestArrival,
  turnAway,
  type Waiting,
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
  const { gate, onRefused } = options
  const maxMessageBytes = maxMessageBytesOf(options)
  return async (asked) => {
    const improper = malformed(asked) ?? malformedUpgrade(asked)
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

/** What is wrong with a handshake, as far as it is shown: some runtimes keep its headers to themselves. */
function malformedUpgrade({ method, headers }: NodeRequest): Refusal | undefined {
  if (method !== 'GET') return { status: 405, reason: `an upgrade is asked for by GET, not ${method}` }
  const { 'sec-websocket-version': version = '13', 'sec-websocket-key': key } = headers
  if (version !== '13') return { status: 426, reason: 'the version of WebSocket here is 13' }
  if (key !== undefined && !/^[+/0-9A-Za-z]{22}==$/.test(key as string)) {
    return { status: 400, reason: 'sec-websocket-key must be 16 bytes in Base64' }
  }
  return undefined
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
    this.#connection?.hasRoom()
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

/** How often what waits is looked at where the socket does not say that it has left, and somebody waits for it. */
const lookMs = 5

/** What the head of a frame takes beside its payload. */
const headBytes = (size: number): number => (size < 126 ? 2 : size < 65_536 ? 4 : 10)

/** Such a socket is read in any case: what waits has its bound in the inbox. */
const unheld = { pause: (): void => undefined, resume: (): void => undefined }

/** How a client is read, from its first message on. */
interface Reading {
  readonly inbox: Inbox
  readonly decoder: Decoder
}

/** A link whose socket is the runtime's. */
class WebConnection extends AcceptedLink implements Accepted {
  readonly direction = 'two-way'
  readonly encoder: Encoder
  readonly #socket: Socket
  readonly #maxMessageBytes: number
  readonly #isPlain: boolean
  /** What was handed over. */
  #written = 0
  #total: number | undefined
  #reading: Reading | undefined

  constructor(socket: Socket, arrival: Arrival, maxMessageBytes: number, isPlain: boolean) {
    super(arrival)
    this.encoder = isPlain ? plainFrames : frames
    this.#socket = socket
    this.#maxMessageBytes = maxMessageBytes
    this.#isPlain = isPlain
  }

  get messages(): Queue<Message> {
    return this.#opened.inbox.messages
  }
  get bytesWritten(): number {
    return this.#total ?? Math.max(0, this.#written - this.queuedBytes)
  }

  get queuedBytes(): number {
    return this.#socket.queuedBytes()
  }

  override attach(owner: Owner): void {
    super.attach(owner)
    if (this.#reading !== undefined) owner.arrived(this.#reading.inbox.messages)
  }

  write(chunk: string | Uint8Array): number {
    if (this.ended !== undefined) return 0
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

  drained(): Promise<void> {
    if (this.ended !== undefined || this.queuedBytes < highWaterBytes) return Promise.resolve()
    return this.room(() => {
      if (!this.#socket.tellsDrained) this.#look()
    })
  }

  close(close: Close = { code: closeCode.normal, reason: '' }): void {
    checkClose(close)
    this.#leave(close)
  }

  /** The socket says that there is room again. */
  hasRoom(): void {
    this.release()
  }

  gone(close: Close): void {
    this.finish(close)
  }

  read(data: string | Uint8Array): void {
    if (this.ended !== undefined) return
    const { inbox, decoder } = this.#opened
    try {
      for (const frame of decoder.push(data)) {
        // The protocol's other frames come from servers only; a newer client's are passed over.
        const close = frame.type === 'message' ? inbox.add(frame.message) : inbox.pass()
        if (close !== undefined) this.#leave(close)
        if (this.ended !== undefined) return
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#leave({ code: error.closeCode, reason: fitReason(error.message) })
    }
  }

  protected override finish(close: Close): void {
    this.#total ??= this.bytesWritten
    this.#reading?.inbox.messages.end()
    super.finish(close)
  }

  get #opened(): Reading {
    if (this.#reading === undefined) {
      const maxMessageBytes = this.#maxMessageBytes
      const decoder = (this.#isPlain ? plain : codec).decoder({ maxMessageBytes })
      const onArrival = (waiting: Waiting) => this.tellArrived(waiting)
      const inbox = new Inbox({ maxMessageBytes, wire: unheld, onArrival })
      if (this.ended !== undefined) inbox.messages.end()
      this.#reading = { inbox, decoder }
    }
    return this.#reading
  }

  #look(): void {
    if (this.ended !== undefined) return
    if (this.queuedBytes < highWaterBytes) this.release()
    else setTimeout(() => this.#look(), lookMs)
  }

  #leave(close: Close): void {
    if (this.ended !== undefined) return
    this.finish(close)
    this.#reading?.inbox.messages.drop()
    this.#socket.close(close.code, close.reason)
  }
}
