import {
  type Agreement,
  type Close,
  checkId,
  checkOptions,
  checkWhole,
  closeCode,
  createMessage,
  type Direction,
  type Encoder,
  type Format,
  type Frame,
  type Gap,
  type Message,
  maxRetryMs,
  type OptionNames,
  type Owner,
  type Remote,
  type ServerConnection,
  type Waiting,
} from '@eitherway/core'
import { type Backlog, createBacklog } from './backlog.ts'
import type { Send } from './contract.ts'
import type { Talk } from './inbound.ts'
import type { Batch, Follower, Parcel } from './outgoing.ts'

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

const sendNames: OptionNames<SendOptions> = { id: true, retryMs: true }

/** The hub's view of one connection. */
export interface Peer<Context = undefined, A extends Agreement | undefined = undefined> {
  /** What `authorize` said of it. */
  readonly context: Context
  readonly direction: Direction
  /** The request's URL. */
  readonly url: URL
  readonly headers: Headers
  /**
   * The other end of the socket, where there is one: the client, or the proxy before it. Ask while it lives: what was never
   * asked for cannot be told any more once it has ended.
   */
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
  readonly send: Send<A>
  /** Ends the connection. @defaultValue `{ code: 1000, reason: '' }`: the client does not come back. */
  close(close?: Close): void
}

/** What a hub's peers have in common. */
export interface PeerSettings<Context> {
  readonly format: Format
  readonly maxQueuedBytes: number
  /** Gives out what this turn has published so far: it comes before what is written next. */
  readonly flush: () => void
  /** Hears of a transport that failed in what it may not fail in. */
  readonly tell: (error: unknown) => void
  /** More waits for this peer than it takes at once. */
  readonly onBehind: (peer: HubPeer<Context>) => void
  /** It is closed for that. */
  readonly onSlow: (peer: HubPeer<Context>, queuedBytes: number) => void
  readonly onGap: (peer: HubPeer<Context>, gap: Gap) => void
  /** It has sent something. */
  readonly onArrival: (peer: HubPeer<Context>, waiting: Waiting) => void
  readonly onEnd: (peer: HubPeer<Context>, close: Close) => void
}

/** What may be queued before a `send` waits, or a message of a channel whose policy lets it. */
export const highWaterBytes: number = 64 * 1024

/**
 * The peer of a connection, and what the hub can do with it beyond what the application can. A class, and what is seldom
 * needed made when it is: a hub has thousands that are silent. @internal
 */
export class HubPeer<Context> implements Peer<Context>, Follower, Owner {
  marks = 0
  /** The group in which it hears heartbeats. */
  slot = 0
  /** Whether its messages are handled as they come; before, they wait. */
  isListenedTo = false
  /** Made with its first message. */
  talk: Talk | undefined
  readonly context: Context
  /** What it occupies of the hub's places. */
  readonly place: string
  readonly #connection: ServerConnection
  readonly #channels: readonly string[]
  readonly #settings: PeerSettings<Context>
  #ended: AbortController | undefined
  #hasEnded = false
  /** While it is, every message waits its turn, of whatever channel: ids must not go out of order. */
  #held = false
  #isLetGo = false
  #backlog: Backlog | undefined

  constructor(
    connection: ServerConnection,
    context: Context,
    place: string,
    settings: PeerSettings<Context>,
  ) {
    this.#connection = connection
    this.context = context
    this.place = place
    this.#settings = settings
    this.#channels = connection.channels
  }

  get direction(): Direction {
    return this.#connection.direction
  }
  get url(): URL {
    return this.#connection.url
  }
  get channels(): ReadonlySet<string> {
    return new Set(this.#channels)
  }
  get headers(): Headers {
    return this.#connection.headers
  }
  get remote(): Remote | undefined {
    return this.#connection.remote
  }
  get lastEventId(): string {
    return this.#connection.lastEventId
  }
  get closed(): Promise<Close> {
    return this.#connection.closed
  }
  get bytesWritten(): number {
    return this.#connection.bytesWritten
  }
  /** On its way, and held back until there is room. */
  get queuedBytes(): number {
    return this.#connection.queuedBytes + (this.#backlog?.bytes ?? 0)
  }
  get encoder(): Encoder {
    return this.#connection.encoder
  }
  /** The channels, without a set made anew. */
  get names(): readonly string[] {
    return this.#channels
  }
  /** What is published waits. */
  get isHeld(): boolean {
    return this.#held
  }
  get hasEnded(): boolean {
    return this.#hasEnded
  }
  get signal(): AbortSignal {
    if (this.#ended === undefined) {
      this.#ended = new AbortController()
      if (this.#hasEnded) this.#ended.abort()
    }
    return this.#ended.signal
  }

  async send(event: string, data: unknown, options?: SendOptions): Promise<void> {
    if (options !== undefined) checkOptions<SendOptions>('send', options, sendNames)
    const { id = '', retryMs } = options ?? {}
    if (id !== '') {
      checkId(id)
      if (this.#channels.length > 0) {
        throw new TypeError(
          `\`id\` is for peers without channels; this one follows ${this.#channels.length}, whose ids mark its position`,
        )
      }
    }
    const message = createMessage(event, this.#settings.format.encode(data), id)
    if (retryMs !== undefined) checkRetryMs(retryMs)
    if (this.#channels.length > 0) this.#settings.flush()
    if (retryMs !== undefined) this.writeFrame({ type: 'retry', retryMs })
    await this.pace({ type: 'message', message })
  }

  /** Sends the answer to a request: as `send` does, so that nothing drops, conflates or stores it. */
  async answer(message: Message): Promise<void> {
    if (this.#channels.length > 0) this.#settings.flush()
    await this.pace({ type: 'message', message })
  }

  close(close?: Close): void {
    if (this.#channels.length > 0) this.#settings.flush()
    this.#connection.close(close)
  }

  ended(close: Close): void {
    this.#hasEnded = true
    this.#backlog = undefined
    this.#ended?.abort()
    this.#settings.onEnd(this, close)
  }

  arrived(waiting: Waiting): void {
    this.#settings.onArrival(this, waiting)
  }

  /** Hands over a chunk as it is. @returns the bytes that wait to be read. */
  write(chunk: string | Uint8Array): number {
    if (chunk.length === 0) return 0
    let queued: number
    try {
      queued = this.#connection.write(chunk)
    } catch (error) {
      // A transport's `write` does not throw, but what an application has put in its place may: the others go on.
      this.#settings.tell(error)
      this.#connection.close({ code: closeCode.serverError, reason: 'what was to be sent could not be' })
      return 0
    }
    // What waited before: a large message is no sign of a slow reader. Where the wire compresses, the chunk took less, and so
    // somewhat more may wait.
    if (queued - chunk.length > this.#settings.maxQueuedBytes) this.#closeAsTooSlow()
    else if (queued > highWaterBytes) this.#settings.onBehind(this)
    return queued
  }

  writeFrame(frame: Frame): void {
    this.write(this.encoder.encode(frame))
  }

  /** Writes a frame and waits until there is room for another. */
  async pace(frame: Frame): Promise<void> {
    await this.paceChunk(this.encoder.encode(frame))
  }

  /** Writes a chunk and waits until there is room for another. */
  async paceChunk(chunk: string | Uint8Array): Promise<void> {
    if (this.write(chunk) > highWaterBytes) await this.#connection.drained()
  }

  /** Takes a turn's messages: at once, or when it has room, as their channels' policies have it. */
  take(batch: Batch): void {
    const left = this.#held ? batch.parcels : this.#give(batch)
    if (left.length === 0) return
    for (const { channel, policy, message, encodings } of left) {
      this.#backlog ??= createBacklog(this.#settings.maxQueuedBytes)
      const chunk = encodings.for(this.encoder)
      if (!this.#backlog.add({ channel, policy, message, chunk })) this.#closeAsTooSlow()
    }
    if (this.queuedBytes > highWaterBytes) this.#settings.onBehind(this)
  }

  /** @returns what has to wait. */
  #give(batch: Batch): readonly Parcel[] {
    const chunks = batch.chunksFor(this.encoder)
    let given = 0
    for (const chunk of chunks) {
      given += 1
      if (this.write(chunk) <= highWaterBytes || !batch.mayWait) continue
      this.#held = true
      void this.#connection.drained().then(() => this.release())
      // Of a joined chunk nothing is left; a wire that takes each frame by itself has as many chunks as frames.
      return chunks.length === batch.parcels.length ? batch.parcels.slice(given) : []
    }
    return []
  }

  /** Holds back what is published from now on. */
  hold(): void {
    this.#held = true
  }

  /**
   * Gives what was held back, and takes messages at once again.
   *
   * @param isOld - which ids it has been given, or told of in a gap. @defaultValue none of what was held back
   * @returns `undefined` where that is done at once.
   */
  release(isOld?: (id: string) => boolean): Promise<void> | undefined {
    // What is published and still on its way here may be old as well.
    this.#settings.flush()
    if (isOld !== undefined) this.#backlog?.forget(isOld)
    if (this.#backlog !== undefined) return this.#unload()
    this.#held = false
    return undefined
  }

  async #unload(): Promise<void> {
    for (let next = this.#backlog?.shift(); next !== undefined; next = this.#backlog?.shift()) {
      this.#tellLost()
      await this.paceChunk(next.chunk)
    }
    this.#tellLost()
    // In the same turn as the last look, so that no message can slip in between.
    this.#held = false
    this.#backlog = undefined
  }

  /** Told before what follows the hole, and without a position: what follows has it. */
  #tellLost(): void {
    const channels = this.#backlog?.takeLost() ?? []
    if (channels.length === 0) return
    this.tellGap('', { reason: 'slow', channels })
  }

  /** @param id - the position behind it, or `''`. */
  tellGap(id: string, gap: Gap): void {
    this.#settings.onGap(this, gap)
    this.writeFrame({ type: 'gap', id, gap })
  }

  #closeAsTooSlow(): void {
    this.closeAsSlow(`more than ${this.#settings.maxQueuedBytes} bytes wait to be read`)
  }

  /** It reads too slowly; it may come back and resume. */
  closeAsSlow(reason: string): void {
    if (this.#hasEnded || this.#isLetGo) return
    this.#isLetGo = true
    this.#settings.onSlow(this, this.queuedBytes)
    this.#connection.close({ code: closeCode.slowReader, reason })
  }

  /** What it showed to be let in counts no longer; it may come back and show something new. */
  expire(): void {
    this.close({ code: closeCode.expired, reason: 'what was shown has expired' })
  }
}

/** @throws TypeError when a client would not follow it. @internal */
export function checkRetryMs(retryMs: number): void {
  checkWhole('retryMs', retryMs, 0, maxRetryMs)
}
