import { addressOf } from '../address.ts'
import { type Close, checkClose, closeCode, closeCodeOfStatus } from '../close.ts'
import { ConnectError, ProtocolError } from '../errors.ts'
import type { Codec, Decoder, Frame } from '../frame.ts'
import { codec } from '../linked.ts'
import { byteLength, type Message } from '../message.ts'
import { createQueue } from '../queue.ts'
import { turnAway } from '../refusal.ts'
import { checkToken } from '../token.ts'
import type {
  Admit,
  Connection,
  ConnectOptions,
  Direction,
  ServerConnection,
  Transport,
} from '../transport.ts'
import { seeded } from './suite.ts'

/** How frames cross a simulated network. */
export interface Wire<D extends Direction = Direction> {
  readonly name: string
  readonly direction: D
  readonly codec: Codec
  /** `bytes`: a stream that arrives cut and joined anywhere, as SSE does; `messages`: whole or not at all, as on WebSocket. */
  readonly unit: 'bytes' | 'messages'
}

/** What a network needs of a clock. */
export interface Timers {
  set(run: () => void, ms: number): unknown
  clear(timer: unknown): void
}

/** What the next request for a link meets. */
export type Meeting =
  /** Nobody listens, it seems. */
  | 'refused'
  /** The server does not want this client, now or later (403). */
  | 'forbidden'
  /** Packets vanish on the way there: the server never hears of it. */
  | 'unheard'
  /** Packets vanish on the way back: the server has a link, and the client waits. */
  | 'unanswered'
  /** The request reaches the server twice, of which the client has one link. */
  | 'doubled'
  /** The link is cut within the first bytes that it brings, at any of them. */
  | 'shortened'

/** Settings of {@link createNetwork}. Left out, there is no fault. */
export interface NetworkOptions {
  /** In [0, 1); a seed repeats it. @defaultValue `seeded(1)` */
  readonly random?: () => number
  /** @defaultValue `setTimeout` and `clearTimeout` as they are when one is set, so that those of a fake clock count */
  readonly timers?: Timers
  /** The longest that anything takes on its way, in milliseconds. @defaultValue 0 */
  readonly delayMs?: number
  /** How likely an arrival is of a part of what is under way. @defaultValue 0 */
  readonly splits?: number
  /** The longest that one end learns of an end of the link after the other. @defaultValue 0 */
  readonly skewMs?: number
  /** What may be under way or unread before the rest waits at the writer. @defaultValue 64 KiB */
  readonly windowBytes?: number
  /** Hears what happens to the links. */
  readonly onTrace?: (event: string) => void
}

/** One link of a network, to do harm to. */
export interface NetworkLink {
  readonly number: number
  /** Breaks it at any byte without a goodbye. Each end learns of it in its own time. */
  cut(): void
  /** Half-open from now on: all that is written vanishes, and nobody is told. */
  stall(): void
  /** Nothing arrives for so long; then all of it does. As a reader that stands still, this fills the window. */
  hold(ms: number): void
}

/** A network within one process, whose faults a seed repeats. */
export interface Network {
  /** Serves a host; `undefined`: nobody does any more. */
  listen(host: string, server: { readonly admit: Admit } | undefined): void
  /** A transport over it: by its direction alone where it matters not how frames are written. */
  transport<D extends Direction>(wire: D | Wire<D>): Transport<D>
  /** The links of which an end still lives. */
  readonly links: ReadonlySet<NetworkLink>
  /** What the next requests meet, in this order. */
  meet(...meetings: readonly Meeting[]): void
  /** Nothing is left to be met, and links that were to be cut some time are cut now. */
  calm(): void
}

/** The bytes within which a link that is shortened ends: a greeting, a gap and some messages. */
const shortBytes = 400

/** How long a closed link may take to carry its last bytes away. */
const closeMs = 5_000

/** What may wait to be sent before a `send` holds back. */
const highWaterBytes = 64 * 1024

/**
 * Makes a network that exists only in memory and time that is given: transports whose links delay, split, stall and
 * break, as the seed of `random` has it.
 */
export function createNetwork(given: NetworkOptions = {}): Network {
  const options = { random: seeded(1), timers: globalTimers, ...given }
  const { random, timers, delayMs = 0, onTrace = () => undefined } = options
  const servers = new Map<string, { readonly admit: Admit }>()
  const links = new Set<NetworkLink>()
  const shortened = new Set<Link>()
  const meetings: Meeting[] = []
  let count = 0

  /** Some time passes, or the signal aborts. */
  function pass(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        timers.clear(timer)
        reject(signal.reason)
      }
      const timer = timers.set(() => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  async function dial(wire: Wire, url: URL, request: ConnectOptions): Promise<Connection> {
    const { signal } = request
    signal.throwIfAborted()
    if (request.token !== undefined) checkToken(request.token)
    const address = addressOf(url, wire.unit === 'bytes' ? 'http' : 'ws', request)
    const meeting = meetings.shift()
    await pass(random() * delayMs, signal)
    if (meeting === 'unheard') return never(signal)
    const server = servers.get(address.host)
    if (server === undefined || meeting === 'refused') {
      throw new ConnectError(`${address.host} could not be reached`, { retryable: true })
    }
    if (meeting === 'forbidden') throw refusal(address, 403)
    const made = () => {
      count += 1
      return createLink(count, wire, address, request, options, links)
    }
    if (meeting === 'doubled') {
      const ghost = made()
      const admission = await server.admit(ghost.server)
      if (typeof admission === 'function') admission(ghost.server)
      ghost.leave()
    }
    const link = made()
    const admission = await server.admit(link.server)
    onTrace(`link ${link.number} (${wire.name}) from "${request.lastEventId}"`)
    if (typeof admission === 'function') {
      admission(link.server)
    } else if (wire.unit === 'bytes') {
      link.leave()
      throw refusal(address, admission.status, admission.retryAfterMs)
    } else {
      turnAway(link.server, admission)
    }
    if (meeting === 'shortened') {
      shortened.add(link)
      link.shorten(Math.floor(random() * shortBytes))
    }
    if (meeting === 'unanswered') {
      link.stall()
      return never(signal)
    }
    await pass(random() * delayMs, signal)
    return link.client
  }

  return {
    links,
    meet: (...more) => void meetings.push(...more),
    calm() {
      meetings.length = 0
      for (const link of shortened) if (links.has(link)) link.cut()
      shortened.clear()
    },
    listen(host, server) {
      if (server === undefined) servers.delete(host)
      else servers.set(host, server)
    },
    transport<D extends Direction>(given: D | Wire<D>): Transport<D> {
      const wire = typeof given === 'object' ? given : wireOf(given)
      return {
        name: wire.name,
        direction: wire.direction,
        connect: (url, request) => dial(wire, url, request) as Promise<Connection<D>>,
      }
    },
  }
}

const globalTimers: Timers = {
  set: (run, ms) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
}

function wireOf<D extends Direction>(direction: D): Wire<D> {
  return { name: 'network', direction, codec, unit: 'messages' }
}

function refusal(address: URL, status: number, retryAfterMs?: number): ConnectError {
  const code = closeCodeOfStatus(status)
  return new ConnectError(`${address.origin} answered ${status}`, {
    retryable: code < 4500,
    status,
    closeCode: code,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

function never(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** A link with both of its ends. */
interface Link extends NetworkLink {
  readonly client: Connection
  readonly server: ServerConnection
  /** The client is gone, and the server learns of it some time. */
  leave(): void
  /** It is cut once so many bytes have come down. */
  shorten(bytes: number): void
}

function createLink(
  number: number,
  wire: Wire,
  address: URL,
  { signal, channels, lastEventId, limits, token }: ConnectOptions,
  options: NetworkOptions & Pick<Required<NetworkOptions>, 'random' | 'timers'>,
  links: Set<NetworkLink>,
): Link {
  const { random, timers, delayMs = 0, splits = 0, skewMs = 0, windowBytes = 64 * 1024 } = options
  const { onTrace = () => undefined } = options
  const pending = new Set<unknown>()
  const inbox = createQueue<Uint8Array | string>()
  const messages = createQueue<{ readonly message: Message; readonly bytes: number }>()
  /** Nobody hears any more what the other side says. */
  let broken = false
  /** The application has left, so nothing more comes out. */
  let left = false
  let clientEnd: Close | undefined
  let serverEnd: Close | undefined
  let settleClient: (close: Close) => void
  let settleServer: (close: Close) => void
  const clientClosed = new Promise<Close>((resolve) => {
    settleClient = resolve
  })
  const serverClosed = new Promise<Close>((resolve) => {
    settleServer = resolve
  })

  function later(ms: number, run: () => void): void {
    const timer = timers.set(() => {
      pending.delete(timer)
      run()
    }, ms)
    pending.add(timer)
  }
  const soon = () => random() * skewMs
  /** At once, or a little later. */
  function skewed(run: () => void): void {
    if (skewMs === 0 || random() < 0.5) run()
    else timers.set(run, soon())
  }

  function endClient(close: Close, tell: (run: () => void) => void = (run) => run()): void {
    if (clientEnd !== undefined) return
    clientEnd = close
    signal.removeEventListener('abort', onAbort)
    // Either may be told first: that the iteration is over, or why.
    tell(() => inbox.end())
    tell(() => settleClient(close))
    forget()
  }
  function endServer(close: Close): void {
    if (serverEnd !== undefined) return
    serverEnd = close
    messages.end()
    settleServer(close)
    down.release()
    forget()
  }
  /** Once neither end lives, nothing more happens. */
  function forget(): void {
    if (clientEnd === undefined || serverEnd === undefined) return
    for (const timer of pending) timers.clear(timer)
    pending.clear()
    links.delete(link)
  }

  const pipeOptions = { unit: wire.unit, random, later, delayMs, splits, windowBytes }
  const down = createPipe({
    ...pipeOptions,
    arrive(parcel) {
      if (clientEnd !== undefined) return
      if (parcel.type === 'content') inbox.push(parcel.content, parcel.bytes)
      else if (parcel.type === 'end') inbox.end()
      else endClient(parcel.close)
    },
  })
  const upward = wire.codec.decoder()
  const up = createPipe({
    ...pipeOptions,
    arrive(parcel) {
      if (serverEnd !== undefined) return
      if (parcel.type === 'close') endServer(parcel.close)
      else if (parcel.type === 'end') endServer(gone)
      else {
        for (const frame of decode(upward, parcel.content).decoded) {
          if (frame.type === 'message')
            messages.push({ message: frame.message, bytes: parcel.bytes }, parcel.bytes)
        }
      }
    },
  })

  function leave(close: Close): void {
    left = true
    if (clientEnd !== undefined) {
      // The news of its end may still be on the way.
      settleClient(clientEnd)
    } else {
      endClient(close)
      if (!broken) up.push(wire.unit === 'messages' ? { type: 'close', close, bytes: 0 } : endOfStream)
    }
    inbox.drop()
  }
  const onAbort = () => leave({ code: closeCode.normal, reason: 'aborted' })
  signal.addEventListener('abort', onAbort)

  async function* frames(): AsyncGenerator<Frame, void, undefined> {
    const decoder = wire.codec.decoder(limits)
    for await (const content of inbox) {
      down.take(byteLength(content))
      const { decoded, failure } = decode(decoder, content)
      // Bytes that complete no frame are a sign of life.
      if (decoded.length === 0 && failure === undefined) yield { type: 'heartbeat', partial: true }
      for (const frame of decoded) {
        if (frame.type === 'close') return endClient(frame.close)
        yield frame
        if (left) return
      }
      if (failure !== undefined) return leave({ code: failure.closeCode, reason: failure.message })
    }
    endClient({ code: closeCode.abnormal, reason: 'the stream ended' })
  }

  async function* received(): AsyncGenerator<Message, void, undefined> {
    for await (const { message, bytes } of messages) {
      up.take(bytes)
      yield message
    }
  }

  /** Both ends learn of it, each in its own time. */
  function destroy(): void {
    broken = true
    down.die()
    up.die()
    const isReset = random() < 0.5
    const close = { code: closeCode.abnormal, reason: isReset ? 'reset' : 'broken' }
    later(soon(), () => {
      // A reset throws away what has arrived and was not read.
      if (isReset && clientEnd === undefined) inbox.drop()
      endClient(close, skewed)
    })
    later(soon(), () => endServer(close))
  }

  const connection = {
    closed: clientClosed,
    close(close: Close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      leave(close)
    },
    [Symbol.asyncIterator]: frames,
  }
  async function send(message: Message): Promise<void> {
    if (clientEnd !== undefined) {
      throw new ConnectError(`the link has ended (${clientEnd.code} ${clientEnd.reason})`, {
        retryable: true,
      })
    }
    up.push(contentOf(wire, wire.codec.encode({ type: 'message', message })))
    await Promise.race([up.below(highWaterBytes), clientClosed])
  }

  const accepted = {
    encoder: wire.codec,
    url: withPosition(address, wire, lastEventId),
    headers: new Headers(),
    token,
    remote: undefined,
    channels: [...new Set(channels)],
    lastEventId,
    closed: serverClosed,
    get bytesWritten() {
      return down.sent
    },
    get queuedBytes() {
      return down.queued
    },
    write(chunk: string | Uint8Array) {
      if (serverEnd !== undefined) return 0
      if (chunk.length > 0) down.push(contentOf(wire, chunk))
      return down.queued
    },
    drained: () => (serverEnd === undefined ? down.below(1) : Promise.resolve()),
    close(close: Close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      if (serverEnd !== undefined) return
      if (wire.unit === 'messages') down.push({ type: 'close', close, bytes: 0 })
      else {
        down.push(contentOf(wire, wire.codec.encode({ type: 'close', close })))
        down.push(endOfStream)
      }
      endServer(close)
      if (clientEnd !== undefined) return
      // A reader that stands still would keep the link and all that waits in it for ever.
      later(closeMs, () => {
        if (!broken) destroy()
      })
    },
  }

  const link: Link = {
    number,
    client: (wire.direction === 'one-way'
      ? { ...connection, direction: 'one-way' }
      : { ...connection, direction: 'two-way', send }) as Connection,
    // Assigned, not spread: spreading would freeze `bytesWritten` at its first value.
    server: Object.assign(
      accepted,
      wire.direction === 'one-way'
        ? { direction: 'one-way' as const }
        : { direction: 'two-way' as const, messages: received() },
    ),
    leave() {
      endClient(gone)
      later(soon(), () => endServer(gone))
    },
    shorten(bytes) {
      down.allow(bytes, () => {
        if (broken) return
        onTrace(`link ${number} is cut after ${bytes} bytes`)
        destroy()
      })
    },
    cut() {
      if (broken) return
      onTrace(`link ${number} is cut`)
      down.land(Math.floor(random() * (down.flying + 1)))
      up.land(Math.floor(random() * (up.flying + 1)))
      destroy()
    },
    stall() {
      if (broken) return
      onTrace(`link ${number} stalls`)
      broken = true
      down.die()
      up.die()
    },
    hold(ms) {
      onTrace(`link ${number} holds for ${Math.round(ms)} ms`)
      down.hold(ms)
      up.hold(ms)
    },
  }
  links.add(link)
  return link
}

const gone: Close = { code: closeCode.abnormal, reason: 'the client went away' }

/** A browser's WebSocket has no headers, so its position goes in the query. */
function withPosition(address: URL, { unit }: Wire, lastEventId: string): URL {
  const url = new URL(address)
  if (unit === 'messages' && lastEventId !== '') url.searchParams.set('lastEventId', lastEventId)
  return url
}

function decode(
  decoder: Decoder,
  content: string | Uint8Array,
): { readonly decoded: readonly Frame[]; readonly failure?: ProtocolError } {
  try {
    return { decoded: decoder.push(content) }
  } catch (error) {
    if (error instanceof ProtocolError) return { decoded: error.frames, failure: error }
    throw error
  }
}

type Parcel =
  | { readonly type: 'content'; readonly content: string | Uint8Array; readonly bytes: number }
  /** A wire of messages says why it ends. */
  | { readonly type: 'close'; readonly close: Close; readonly bytes: 0 }
  | { readonly type: 'end'; readonly bytes: 0 }

const endOfStream: Parcel = { type: 'end', bytes: 0 }
const utf8 = new TextEncoder()

function contentOf({ unit }: Wire, content: string | Uint8Array): Parcel {
  const fitting = unit === 'bytes' && typeof content === 'string' ? utf8.encode(content) : content
  return { type: 'content', content: fitting, bytes: byteLength(fitting) }
}

interface PipeOptions {
  readonly unit: Wire['unit']
  readonly random: () => number
  readonly delayMs: number
  readonly splits: number
  readonly windowBytes: number
  later(ms: number, run: () => void): void
  arrive(parcel: Parcel): void
}

/** One direction of a link. */
interface Pipe {
  /** Bytes that wait at the writer. */
  readonly queued: number
  /** Bytes that are under way. */
  readonly flying: number
  /** Bytes that left the writer. */
  readonly sent: number
  push(parcel: Parcel): void
  /** The reader took so many bytes, which makes room. */
  take(bytes: number): void
  /** Fulfils when less than so many bytes wait at the writer. */
  below(bytes: number): Promise<void>
  /** Lets go whoever waits for room. */
  release(): void
  /** At most so many bytes of what is under way arrive now. */
  land(bytes: number): void
  /** No more than so many bytes arrive from now on; then `spent` runs. */
  allow(bytes: number, spent: () => void): void
  hold(ms: number): void
  /** Nothing arrives any more. What is written vanishes, once the window is full at the writer. */
  die(): void
}

function createPipe({ unit, random, delayMs, splits, windowBytes, later, arrive }: PipeOptions): Pipe {
  const waiting: Parcel[] = []
  const flight: Parcel[] = []
  let rooms: { readonly bytes: number; resolve(): void }[] = []
  let queued = 0
  let flying = 0
  let unread = 0
  let sent = 0
  let armed = false
  let holds = 0
  let dead = false
  let allowance = Infinity
  let onSpent: () => void = () => undefined

  function fill(): void {
    for (let next = waiting[0]; next !== undefined && unread < windowBytes; next = waiting[0]) {
      waiting.shift()
      queued -= next.bytes
      flying += next.bytes
      unread += next.bytes
      sent += next.bytes
      flight.push(next)
    }
    const free = rooms.filter(({ bytes }) => queued < bytes)
    if (free.length > 0) rooms = rooms.filter((room) => !free.includes(room))
    for (const room of free) room.resolve()
    arm()
  }

  function arm(): void {
    if (armed || dead || holds > 0 || flight.length === 0) return
    armed = true
    later(random() * delayMs, () => {
      armed = false
      if (dead || holds > 0) return
      land(splits > 0 && random() < splits ? Math.max(atLeast(), Math.floor(random() * flying)) : flying)
      arm()
    })
  }

  const atLeast = () => (unit === 'bytes' ? 1 : (flight[0]?.bytes ?? 0))

  function land(limit: number): void {
    let room = Math.min(limit, allowance)
    const before = room
    let joined: Uint8Array[] = []
    const deliver = () => {
      if (joined.length === 0) return
      const content = join(joined)
      joined = []
      arrive({ type: 'content', content, bytes: content.byteLength })
    }
    for (let next = flight[0]; next !== undefined; next = flight[0]) {
      const { bytes } = next
      if (unit === 'bytes' && next.type === 'content') {
        const content = next.content as Uint8Array
        const part = Math.min(bytes, room)
        if (part > 0) joined.push(content.subarray(0, part))
        room -= part
        flying -= part
        if (part < bytes) {
          flight[0] = { type: 'content', content: content.subarray(part), bytes: bytes - part }
          break
        }
        flight.shift()
        continue
      }
      if (bytes > room) break
      deliver()
      flight.shift()
      room -= bytes
      flying -= bytes
      arrive(next)
    }
    deliver()
    allowance -= before - room
    if (flight.length > 0 && allowance < atLeast()) onSpent()
  }

  return {
    get queued() {
      return queued
    },
    get flying() {
      return flying
    },
    get sent() {
      return sent
    },
    push(parcel) {
      waiting.push(parcel)
      queued += parcel.bytes
      fill()
    },
    take(bytes) {
      unread -= bytes
      fill()
    },
    below(bytes) {
      if (queued < bytes) return Promise.resolve()
      return new Promise((resolve) => rooms.push({ bytes, resolve }))
    },
    release() {
      for (const { resolve } of rooms) resolve()
      rooms = []
    },
    land,
    allow(bytes, spent) {
      allowance = bytes
      onSpent = spent
    },
    hold(ms) {
      holds += 1
      later(ms, () => {
        holds -= 1
        arm()
      })
    },
    die() {
      dead = true
    },
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  if (parts.length === 1 && first !== undefined) return first
  const all = new Uint8Array(parts.reduce((bytes, part) => bytes + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.byteLength
  }
  return all
}
