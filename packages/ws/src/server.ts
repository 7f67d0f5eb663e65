import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  type Accepted,
  AcceptedLink,
  type Admission,
  type Admit,
  byteLength,
  type Close,
  type Compression,
  checkClose,
  checkNumber,
  closeCode,
  createCork,
  type Decoder,
  type Encoder,
  fitReason,
  type Gate,
  Inbox,
  type Limits,
  type Message,
  malformed,
  maxMessageBytesOf,
  type Owner,
  oversized,
  ProtocolError,
  type Queue,
  type Refusal,
  type RequestArrival,
  requestArrival,
  thresholdOf,
  turnAway,
  type Waiting,
} from '@eitherway/core'
import { type RawData, type Server, type ServerOptions, WebSocket, WebSocketServer } from 'ws'
import { closeOfError, codec, headRoomBytes, maxPayloadBytes, plain, subprotocol } from './codec.ts'
import { createDeflate, offersDeflate } from './compression.ts'
import { framed, frames, ping, plainFrames } from './framing.ts'

/** Settings of {@link createListener}. */
export interface ListenerOptions extends Limits {
  /** Decides on each request before `admit` does; a refusal is told as that of `admit` is. @defaultValue all get through */
  readonly gate?: Gate
  /** Hears of each request that is refused before `admit` is asked. */
  readonly onRefused?: (refusal: Refusal) => void
  /**
   * How long a closing handshake may take, in milliseconds, up to 600,000; then the socket is destroyed.
   *
   * @defaultValue 5,000
   */
  readonly closeMs?: number
  /**
   * Whether clients that offer permessage-deflate get it. A message is compressed once for all of them. Keep it off where one
   * message may hold a secret and what an attacker chose: the size would tell.
   *
   * @defaultValue false
   */
  readonly compression?: Compression
}

/** `close` follows, and says it all. */
const ignore = (): void => undefined

/**
 * How many times its size what a client compresses may be, over all that it sends: a kilobyte that becomes a megabyte of JSON
 * keeps a core busy for longer than it takes to send. Honest text is 3 to 20 times its size.
 */
const maxInflation = 100

/**
 * The server's side of WebSocket, for the `upgrade` event of Node's http: shakes hands and hands each link on.
 *
 * A client that offers the subprotocol `eitherway.v1` gets it. One that offers none gets a plain link: a message is its
 * data and nothing more.
 *
 * @param admit - decides on each request before it is answered, and says who takes the link. A client that offered our
 * subprotocol learns a refusal by the close code that says the same, since a browser shows no status of a refused upgrade;
 * any other learns the HTTP status.
 * @returns a listener for upgrade requests; whoever mounts it chooses them.
 * @throws TypeError for a setting that is none.
 */
export function createListener(
  admit: Admit,
  options: ListenerOptions = {},
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const { gate, onRefused, closeMs = 5000, compression } = options
  checkNumber('closeMs', closeMs, 0, 600_000)
  const maxMessageBytes = maxMessageBytesOf(options)
  const thresholdBytes = thresholdOf(compression)
  const settings = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: Math.min(maxMessageBytes + headRoomBytes, maxPayloadBytes),
    closeTimeout: closeMs,
    WebSocket: Link,
    handleProtocols: (offered: Set<string>) => (offered.has(subprotocol) ? subprotocol : false),
  } as const
  const uncompressed: Kind = {
    server: new WebSocketServer<typeof Link>(settings),
    ours: frames,
    plain: plainFrames,
  }
  const compressed = thresholdBytes === undefined ? undefined : createCompressed(settings, thresholdBytes)
  return (request, socket, head) => {
    // The bytes that the handshake itself takes count as the connection's.
    const before = bytesWrittenOf(socket)
    // `ws` listens only while it owns the socket, which it does not between the event and the handshake.
    socket.on('error', ignore)
    const improper = malformed(request) ?? malformedUpgrade(request)
    const arrival = requestArrival(request)
    if (improper !== undefined || arrival === undefined) {
      const refusal = improper ?? { status: 400, reason: 'the request names no valid URL' }
      onRefused?.(refusal)
      refuseUpgrade(socket, refusal)
      return
    }
    const arrived = arrival
    const unwelcome = gate?.(request) ?? oversized(request)
    if (unwelcome !== undefined) onRefused?.(unwelcome)
    const admission = unwelcome ?? admit(arrived)
    if (admission instanceof Promise) void admission.then(answer)
    else answer(admission)

    function answer(admission: Admission): void {
      const isRefused = typeof admission !== 'function'
      if (isRefused && !offersOurs(request)) {
        refuseUpgrade(socket, admission)
        return
      }
      corkTurn(socket)
      const kind = compressed !== undefined && offersDeflate(request.headers) ? compressed : uncompressed
      kind.server.handleUpgrade(request, socket, head, (link) => {
        // From here on `ws` listens itself.
        socket.removeListener('error', ignore)
        const connection = new WsConnection(link, socket, arrived, maxMessageBytes, before, kind)
        if (isRefused) turnAway(connection, admission)
        else admission(connection)
      })
    }
  }
}

/**
 * The handshake and the greeting leave in one write. A `nextTick` from a microtask comes after all other microtasks.
 */
const corkTurn = createCork((run) => queueMicrotask(() => process.nextTick(run)))

/**
 * What is wrong with a handshake, of which Node has read no more than its `Upgrade`. Answered by status always: what sends
 * this is no browser, and must not get a link.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
 */
function malformedUpgrade({ method, httpVersion, headers }: IncomingMessage): Refusal | undefined {
  if (method !== 'GET') return { status: 405, reason: `an upgrade is asked for by GET, not ${method}` }
  if (httpVersion !== '1.1') {
    return {
      status: 505,
      reason: `an upgrade takes HTTP/1.1, and this came by ${httpVersion}; a proxy may have to be told (nginx: proxy_http_version 1.1)`,
    }
  }
  const { upgrade = '', 'sec-websocket-version': version, 'sec-websocket-key': key = '' } = headers
  if (upgrade.toLowerCase() !== 'websocket') {
    return { status: 400, reason: 'an upgrade from here leads to websocket only' }
  }
  if (version !== '13') return { status: 426, reason: 'the version of WebSocket here is 13' }
  if (!/^[+/0-9A-Za-z]{22}==$/.test(key)) {
    return { status: 400, reason: 'sec-websocket-key must be 16 bytes in Base64' }
  }
  return undefined
}

/** Links that agreed on the same extensions, and so may share what is encoded for them. */
interface Kind {
  readonly server: Server<typeof Link>
  /** With our subprotocol. */
  readonly ours: Encoder
  /** Without. */
  readonly plain: Encoder
}

/**
 * Neither side keeps a context: we could share none, and an inflater starts each message of a client anew. `ws` itself has
 * nothing to compress, for it sends control frames only.
 */
function createCompressed(settings: ServerOptions<typeof Link>, thresholdBytes: number): Kind {
  const perMessageDeflate = { serverNoContextTakeover: true, clientNoContextTakeover: true }
  const deflate = createDeflate(thresholdBytes)
  return {
    server: new WebSocketServer<typeof Link>({ ...settings, perMessageDeflate }),
    ours: framed(codec, { deflate }),
    plain: framed(plain, { deflate, heartbeat: ping }),
  }
}

function offersOurs({ headers }: IncomingMessage): boolean {
  const offered = headers['sec-websocket-protocol'] ?? ''
  return offered.split(',').some((name) => name.trim() === subprotocol)
}

/**
 * Answers an upgrade that gets no link with an HTTP status, and lets go of the socket.
 *
 * @param socket - as the `upgrade` event handed it over.
 */
export function refuseUpgrade(socket: Duplex, { status, reason, retryAfterMs }: Refusal): void {
  const text = `${reason}\n`
  const wait = retryAfterMs === undefined ? '' : `Retry-After: ${Math.ceil(retryAfterMs / 1000)}\r\n`
  socket.on('error', () => {
    // It is on its way out.
  })
  // Sockets of Node's http are half open by choice: one whose client goes on writing would stay for ever.
  socket.once('finish', () => socket.destroy())
  const version = status === 426 ? 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' : ''
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\nConnection: close\r\n${wait}${version}` +
      `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${byteLength(text)}\r\n\r\n${text}`,
  )
}

/** A link of `ws`, which knows the connection that is made of it: listeners of its own for each would be most of what it keeps. */
class Link extends WebSocket {
  connection: WsConnection | undefined
}

/** `ws` says that its listeners are called on any WebSocket; ours are all of this kind. */
const connectionOf = (link: WebSocket): WsConnection | undefined => (link as Link).connection

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  // With the default `binaryType` a message is one Buffer.
  connectionOf(this)?.read(data as Buffer, isBinary)
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  connectionOf(this)?.end({ code, reason: reason.toString() })
}

function onError(this: WebSocket, error: Error): void {
  // `close` follows and knows less: 1006, for what this side itself closed with 1009.
  const close = closeOfError(error)
  if (close !== undefined) connectionOf(this)?.end(close)
}

/** How a client is read, from its first message on. */
interface Reading {
  readonly inbox: Inbox
  readonly decoder: Decoder
  /** Bytes of messages, inflated. */
  inflatedBytes: number
}

/** A connection of `ws`, whose frames go past it to the socket. */
class WsConnection extends AcceptedLink implements Accepted {
  readonly encoder: Encoder
  readonly #link: Link
  readonly #socket: Duplex
  readonly #maxMessageBytes: number
  /** The bytes that had left on this socket before. */
  readonly #before: number
  #reading: Reading | undefined

  constructor(
    link: Link,
    socket: Duplex,
    arrival: RequestArrival,
    maxMessageBytes: number,
    before: number,
    { ours, plain }: Kind,
  ) {
    super(arrival)
    arrival.compact()
    this.encoder = link.protocol === subprotocol ? ours : plain
    this.#link = link
    this.#socket = socket
    this.#maxMessageBytes = maxMessageBytes
    this.#before = before
    link.connection = this
    link.on('message', onMessage)
    link.on('close', onClose)
    link.on('error', onError)
  }

  get direction(): 'two-way' {
    return 'two-way'
  }
  get messages(): Queue<Message> {
    return this.#opened.inbox.messages
  }
  get bytesWritten(): number {
    return bytesWrittenOf(this.#socket) - this.#before
  }

  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  override attach(owner: Owner): void {
    super.attach(owner)
    if (this.#reading !== undefined) owner.arrived(this.#reading.inbox.messages)
  }

  write(chunk: string | Uint8Array): number {
    // Nothing may follow the close frame that `ws` has sent.
    if (this.ended !== undefined || this.#link.readyState !== WebSocket.OPEN) return 0
    if (chunk.length > 0) this.#socket.write(chunk)
    return this.#socket.writableLength
  }

  drained(): Promise<void> {
    // A `drain` may never come after a close. On purpose no race with `closed`, which would leave a listener behind for
    // each, for as long as the connection lives.
    if (this.ended !== undefined || !this.#socket.writableNeedDrain) return Promise.resolve()
    return this.room(() => this.#socket.once('drain', () => this.release()))
  }

  close(close: Close = { code: closeCode.normal, reason: '' }): void {
    checkClose(close)
    this.#leave(close)
  }

  /** The link has ended. */
  end(close: Close): void {
    this.finish(close)
  }

  /** The link brings a message. */
  read(bytes: Buffer, isBinary: boolean): void {
    if (this.ended !== undefined) return
    const reading = this.#opened
    reading.inflatedBytes += bytes.length
    if (reading.inflatedBytes > maxInflation * bytesReadOf(this.#socket) + 2 * this.#maxMessageBytes) {
      const reason = `what is sent compressed may be ${maxInflation} times as large once it is not`
      this.#leave({ code: closeCode.tooBig, reason })
      return
    }
    try {
      for (const frame of reading.decoder.push(isBinary ? bytes : bytes.toString())) {
        // The protocol's other frames come from servers only; a newer client's are passed over.
        const close = frame.type === 'message' ? reading.inbox.add(frame.message) : reading.inbox.pass()
        if (close !== undefined) this.#leave(close)
        if (this.ended !== undefined) return
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#leave({ code: error.closeCode, reason: fitReason(error.message) })
    }
  }

  protected override finish(close: Close): void {
    this.#reading?.inbox.messages.end()
    super.finish(close)
  }

  get #opened(): Reading {
    if (this.#reading === undefined) {
      const maxMessageBytes = this.#maxMessageBytes
      const decoder = (this.#link.protocol === subprotocol ? codec : plain).decoder({ maxMessageBytes })
      const onArrival = (waiting: Waiting) => this.tellArrived(waiting)
      const inbox = new Inbox({ maxMessageBytes, wire: this.#link, onArrival })
      if (this.ended !== undefined) inbox.messages.end()
      this.#reading = { inbox, decoder, inflatedBytes: 0 }
    }
    return this.#reading
  }

  #leave(close: Close): void {
    if (this.ended !== undefined) return
    this.finish(close)
    this.#reading?.inbox.messages.drop()
    this.#link.close(close.code, close.reason)
  }
}

const bytesWrittenOf = (socket: Duplex): number =>
  'bytesWritten' in socket ? Number(socket.bytesWritten) : 0

const bytesReadOf = (socket: Duplex): number =>
  'bytesRead' in socket ? Number(socket.bytesRead) : Number.POSITIVE_INFINITY
