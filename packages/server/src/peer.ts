import {
  type Close,
  checkId,
  closeCode,
  createMessage,
  type Direction,
  type Format,
  type Frame,
  type Message,
  maxRetryMs,
  type Remote,
  type ServerConnection,
} from '@eitherway/core'
import { createBacklog, type SlowPolicy } from './backlog.ts'
import type { Reader } from './dispatch.ts'

/** Settings of one `peer.send`. */
export interface SendOptions {
  /**
   * The message's position in this peer's own stream; the client names the last one when it comes back
   * ({@link Peer.lastEventId}). Only for peers that follow no channels, whose messages have ids of the hub.
   */
  readonly id?: string
  /** How long the client waits before it comes back, from now on, in milliseconds; 0 to 300,000. */
  readonly retryMs?: number
}

/** The hub's view of one connection. */
export interface Peer {
  readonly direction: Direction
  /** The request's URL. */
  readonly url: URL
  readonly headers: Headers
  /** The other end of the socket, where there is one: the client, or the proxy before it. */
  readonly remote: Remote | undefined
  /** The channels that it follows. */
  readonly channels: ReadonlySet<string>
  /** The position that the client named, or `''`. */
  readonly lastEventId: string
  /** Aborts when the connection has ended: give it to whatever works for this peer alone. */
  readonly signal: AbortSignal
  /** Fulfils with the reason once the connection has ended. */
  readonly closed: Promise<Close>
  /** Bytes that left for this peer so far, headers and framing included where the platform tells. */
  readonly bytesWritten: number
  /**
   * Sends to this peer alone. Nothing is stored: what it misses while it is away is gone.
   *
   * Fulfils when there is room for another: awaiting it keeps a fast stream at the reader's pace. After the end it does
   * nothing.
   *
   * @throws TypeError (by rejection) when the event, the id or the data cannot cross, or `retryMs` is out of bounds.
   */
  send(event: string, data: unknown, options?: SendOptions): Promise<void>
  /** Ends the connection. @defaultValue `{ code: 1000, reason: '' }`: the client does not come back. */
  close(close?: Close): void
}

/** What the hub can do with a peer beyond what the application can. */
export interface HubPeer extends Peer, Reader {
  readonly channels: Set<string>
  writeFrame(frame: Frame): void
  /** Writes a frame and waits until there is room for another. */
  pace(frame: Frame): Promise<void>
  /** Gives it a message of a channel: at once, or when it has room, as the channel's policy has it. */
  deliver(channel: string, message: Message, policy: SlowPolicy, chunk: string | Uint8Array): void
  /** Holds back what is delivered from now on. */
  hold(): void
  /** Lets it go, but for the messages of these ids, and delivers at once again. */
  release(known: ReadonlySet<string>): Promise<void>
}

const none: ReadonlySet<string> = new Set()

/** What may be queued before a `send` waits, or a message of a channel whose policy lets it. */
const highWaterBytes = 64 * 1024

/** Makes the peer of a connection. @internal */
export function createPeer(connection: ServerConnection, format: Format, maxQueuedBytes: number): HubPeer {
  const ended = new AbortController()
  const channels = new Set<string>()
  void connection.closed.then(() => ended.abort())

  function write(chunk: string | Uint8Array): number {
    if (chunk.length === 0) return 0
    const queued = connection.write(chunk)
    // What waited before: a large message is no sign of a slow reader.
    if (queued - chunk.length > maxQueuedBytes) closeAsSlow()
    return queued
  }
  function closeAsSlow(): void {
    const reason = `more than ${maxQueuedBytes} bytes wait to be read`
    connection.close({ code: closeCode.slowReader, reason })
  }

  const backlog = createBacklog(maxQueuedBytes)
  /** While it is, every message waits its turn, of whatever channel: ids must not go out of order. */
  let held = false

  function deliver(channel: string, message: Message, policy: SlowPolicy, chunk: string | Uint8Array): void {
    if (held) {
      if (!backlog.add({ channel, policy, message, chunk })) closeAsSlow()
      return
    }
    const queued = write(chunk)
    if (policy === 'disconnect' || queued <= highWaterBytes) return
    held = true
    void connection.drained().then(() => release(none))
  }

  async function release(known: ReadonlySet<string>): Promise<void> {
    backlog.forget(known)
    for (let next = backlog.shift(); next !== undefined; next = backlog.shift()) {
      tellLost()
      if (write(next.chunk) > highWaterBytes) await connection.drained()
    }
    tellLost()
    // In the same turn as the last look, so that no message can slip in between.
    held = false
  }

  /** Told before what follows the hole, and without a position: what follows has it. */
  function tellLost(): void {
    const channels = backlog.takeLost()
    if (channels.length === 0) return
    write(connection.encoder.encode({ type: 'gap', id: '', gap: { reason: 'slow', channels } }))
  }

  return {
    direction: connection.direction,
    url: connection.url,
    headers: connection.headers,
    remote: connection.remote,
    channels,
    lastEventId: connection.lastEventId,
    signal: ended.signal,
    closed: connection.closed,
    encoder: connection.encoder,
    get bytesWritten() {
      return connection.bytesWritten
    },
    write,
    deliver,
    hold() {
      held = true
    },
    release,
    writeFrame(frame) {
      write(connection.encoder.encode(frame))
    },
    async pace(frame) {
      if (write(connection.encoder.encode(frame)) > highWaterBytes) await connection.drained()
    },
    async send(event, data, { id = '', retryMs } = {}) {
      if (id !== '') {
        checkId(id)
        if (channels.size > 0) {
          throw new TypeError(
            `\`id\` is for peers without channels; this one follows ${channels.size}, whose ids mark its position`,
          )
        }
      }
      const message = createMessage(event, format.encode(data), id)
      if (retryMs !== undefined) checkRetryMs(retryMs)
      if (retryMs !== undefined) write(connection.encoder.encode({ type: 'retry', retryMs }))
      const chunk = connection.encoder.encode({ type: 'message', message })
      if (write(chunk) > highWaterBytes) await connection.drained()
    },
    close: (close) => connection.close(close),
  }
}

/** @throws TypeError when a client would not follow it. @internal */
export function checkRetryMs(retryMs: number): void {
  if (!Number.isInteger(retryMs) || retryMs < 0 || retryMs > maxRetryMs) {
    throw new TypeError(
      `\`retryMs\` must be a whole number of milliseconds from 0 to ${maxRetryMs}, got ${String(retryMs)}`,
    )
  }
}
