// The server's end: a socket becomes a connection, which the hub takes.
import type { Socket } from 'node:net'
import {
  type Accept,
  type Accepted,
  AcceptedLink,
  type Arrival,
  type Close,
  checkClose,
  closeCode,
  defaultMaxMessageBytes,
  fitReason,
  Inbox,
  type Limits,
  type Owner,
  ProtocolError,
} from '@eitherway/core'
import { codec, parseLine } from './codec.ts'

/** How long a client may take to say what it wants, and to hang up once it was told to. */
const patienceMs = 5_000
const maxHeadBytes = 32 * 1024

/** A listener for `net.createServer`. @param accept - a hub's. */
export function createListener(accept: Accept, limits: Limits = {}): (socket: Socket) => void {
  return (socket) => {
    socket.setNoDelay(true)
    // `close` follows, and says it all.
    socket.on('error', () => undefined)
    const impatience = setTimeout(() => socket.destroy(), patienceMs)
    socket.once('close', () => clearTimeout(impatience))
    let head = Buffer.alloc(0)
    socket.on('data', function onHead(chunk: Buffer) {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\n')
      if (end === -1 && head.length <= maxHeadBytes) return
      socket.off('data', onHead)
      clearTimeout(impatience)
      try {
        const connection = new TcpConnection(socket, arrivalOf(head.toString('utf8', 0, end), socket), limits)
        accept(connection)
        connection.read(head.subarray(end + 1))
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        socket.destroy()
      }
    })
  }
}

/** What the first line asks for. The hub checks the rest: names, who may, how many. */
function arrivalOf(line: string, { remoteAddress: address, remotePort: port }: Socket): Arrival {
  const [href = '', lastEventId = '', token = ''] = parseLine(line)
  if (!URL.canParse(href)) throw new ProtocolError('the first line names no URL')
  const url = new URL(href)
  return {
    url,
    headers: new Headers(),
    token: token || undefined,
    remote: address === undefined || port === undefined ? undefined : { address, port },
    channels: [...new Set(url.searchParams.getAll('channel'))],
    lastEventId,
  }
}

class TcpConnection extends AcceptedLink implements Accepted {
  readonly direction = 'two-way'
  readonly encoder = codec
  readonly #socket: Socket
  readonly #decoder
  readonly #inbox: Inbox

  constructor(socket: Socket, arrival: Arrival, { maxMessageBytes = defaultMaxMessageBytes }: Limits) {
    super(arrival)
    this.#socket = socket
    this.#decoder = codec.decoder({ maxMessageBytes })
    const onArrival = () => this.tellArrived(this.messages)
    this.#inbox = new Inbox({ maxMessageBytes, wire: socket, onArrival })
    socket.on('data', (chunk) => this.read(chunk))
    socket.on('drain', () => this.release())
    socket.on('close', () => this.#end({ code: closeCode.abnormal, reason: '' }))
  }

  get messages() {
    return this.#inbox.messages
  }
  get bytesWritten() {
    return this.#socket.bytesWritten
  }
  get queuedBytes() {
    return this.#socket.writableLength
  }

  override attach(owner: Owner): void {
    super.attach(owner)
    owner.arrived(this.messages)
  }

  write(chunk: string | Uint8Array): number {
    if (this.ended !== undefined) return 0
    this.#socket.write(chunk)
    return this.#socket.writableLength
  }

  drained(): Promise<void> {
    if (this.ended !== undefined || !this.#socket.writableNeedDrain) return Promise.resolve()
    return this.room(() => undefined)
  }

  close(close: Close = { code: closeCode.normal, reason: '' }): void {
    checkClose(close)
    this.#leave(close)
  }

  read(chunk: Uint8Array): void {
    if (this.ended !== undefined) return
    try {
      for (const frame of this.#decoder.push(chunk)) {
        if (frame.type === 'close') this.#end(frame.close)
        // Other frames of the protocol are the server's to send; a newer client's are passed over.
        const close = frame.type === 'message' ? this.#inbox.add(frame.message) : undefined
        if (close !== undefined) this.#leave(close)
        if (this.ended !== undefined) return
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#leave({ code: error.closeCode, reason: fitReason(error.message) })
    }
  }

  /** What has arrived can still be read. */
  #end(close: Close): void {
    this.finish(close)
    this.messages.end()
  }

  /** What has arrived counts for nothing. */
  #leave(close: Close): void {
    if (this.ended !== undefined) return
    this.finish(close)
    this.messages.drop()
    this.#socket.end(codec.encode({ type: 'close', close }))
    this.#socket.resume()
    this.#socket.setTimeout(patienceMs, () => this.#socket.destroy())
  }
}
