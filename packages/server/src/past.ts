import type { Broker, Encoder, Gap, History, Message } from '@eitherway/core'

/** A piece of history that a peer missed: about as much as it may be given before it is asked whether it has room. */
export interface Page {
  readonly messages: readonly Message[]
  readonly gap: Gap | undefined
  /** Where the reading as a whole ends. */
  readonly position: string
  /** Where the next page begins, if there is one. */
  readonly next: string | undefined
  /** As few chunks as this wire allows, made once however many peers are given this page. */
  chunksFor(encoder: Encoder): readonly (string | Uint8Array)[]
}

/** What lies behind, read once for all who come at one time: after a restart thousands ask for the same. */
export interface Past {
  /** The id after which the next message will be. */
  position(): string | Promise<string>
  /** A piece of what followed `after` in these channels, up to `until` or the newest. */
  page(channels: readonly string[], after: string, until?: string): Promise<Page>
  /** Whether an id comes after another. */
  isAfter(id: string, other: string): boolean
  /** A message was heard: what has been read is no longer all. Whoever asks from here on is given what is read anew. */
  changed(): void
}

/** Consecutive messages as one wire has them. */
interface Joined {
  readonly last: Message
  readonly chunks: readonly (string | Uint8Array)[]
}

/** A page is about so large. */
const pageBytes = 64 * 1024

/** What is read is kept for no longer than this, or history would seem to outlive its age. */
const keptMs = 100

/** What is encoded is kept for the next to come; beyond this it starts over. */
const maxKeptBytes = 8 * 1024 * 1024

/** As many readings as are kept at most, however little is in them. */
const maxPages = 256

/**
 * Reads through a broker, and keeps what it read for as long as it is the whole truth.
 *
 * That is until the hub hears the next message: a peer follows its channels before it asks, so what is stored and not heard
 * yet will reach it as it is heard.
 *
 * @param now - milliseconds, from whenever.
 */
export function createPast(broker: Broker, now: () => number): Past {
  let position: string | Promise<string> | undefined
  let pages = new Map<string, Promise<Page>>()
  let readAt = 0
  /** Each message for each kind of wire: pages that begin elsewhere overlap. */
  let encoded = new Map<Encoder, Map<Message, string | Uint8Array>>()
  /**
   * By the channels that they are of, and the first message of each: what begins and ends alike need not be alike in between.
   * Where the wire compresses, that is done as a chunk is first written, and kept with it.
   */
  let joined = new Map<Encoder, Map<string, Map<Message, Joined>>>()
  /** Where full pages ended, for each set of channels: who comes from elsewhere has only the first page for itself. */
  let ends = new Map<string, Set<string>>()
  let bytes = 0

  function forget(): void {
    position = undefined
    if (pages.size > 0) pages = new Map()
  }

  function count(size: number): void {
    bytes += size
    if (bytes <= maxKeptBytes) return
    encoded = new Map()
    joined = new Map()
    ends = new Map()
    forget()
    bytes = size
  }

  /**
   * Ends a page where another has ended: the last of those that it reaches, so that two pages together are never smaller than
   * one would be. By the first of them, whoever asked from many places would leave others a page for each message.
   */
  function align(key: string, { messages, next }: History): Pick<History, 'messages' | 'next'> {
    const known = ends.get(key)
    const end = known === undefined ? -1 : messages.findLastIndex(({ id }) => known.has(id))
    const last = messages[end]
    if (last !== undefined && end < messages.length - 1) {
      return { messages: messages.slice(0, end + 1), next: last.id }
    }
    if (next === undefined) return { messages }
    if (last !== undefined) return { messages, next }
    count(next.length + (known === undefined ? key.length : 0))
    ends.set(key, (ends.get(key) ?? new Set()).add(next))
    return { messages, next }
  }

  function join(
    key: string,
    messages: readonly Message[],
    encoder: Encoder,
  ): readonly (string | Uint8Array)[] {
    const [first] = messages
    const last = messages.at(-1)
    if (first === undefined || last === undefined) return []
    const given = joined.get(encoder)?.get(key)?.get(first)
    if (given?.last === last) return given.chunks
    const each = messages.map((message) => encode(message, encoder))
    if (encoder.join === undefined || each.length < 2) return each
    const chunk = encoder.join(each)
    count(chunk.length + key.length)
    const ofKind = joined.get(encoder) ?? new Map<string, Map<Message, Joined>>()
    const ofChannels = ofKind.get(key) ?? new Map<Message, Joined>()
    const chunks = [chunk]
    joined.set(encoder, ofKind.set(key, ofChannels.set(first, { last, chunks })))
    return chunks
  }

  /** Nothing that failed is kept: the next to come tries anew. */
  function kept<T>(reading: Promise<T>): Promise<T> {
    reading.catch(forget)
    return reading
  }

  function freshen(): void {
    const isOld = now() - readAt > keptMs
    if (isOld || pages.size >= maxPages) forget()
    if (isOld) readAt = now()
  }

  function encode(message: Message, encoder: Encoder): string | Uint8Array {
    const given = encoded.get(encoder)?.get(message)
    if (given !== undefined) return given
    const chunk = encoder.encode({ type: 'message', message })
    count(chunk.length)
    const chunks = encoded.get(encoder) ?? new Map<Message, string | Uint8Array>()
    encoded.set(encoder, chunks.set(message, chunk))
    return chunk
  }

  async function read(channels: readonly string[], after: string, until: string | undefined): Promise<Page> {
    const bounds = { maxBytes: pageBytes, ...(until === undefined ? {} : { until }) }
    const history = await broker.history(channels, after, bounds)
    const lost = new Set(history.gap?.channels)
    const key = JSON.stringify(channels.filter((channel) => !lost.has(channel)))
    const { messages, next } = align(key, history)
    return {
      messages,
      gap: history.gap,
      position: history.position,
      next,
      chunksFor: (encoder) => join(key, messages, encoder),
    }
  }

  return {
    position() {
      freshen()
      if (position === undefined) {
        const found = broker.position()
        position = typeof found === 'string' ? found : kept(found)
      }
      return position
    },
    page(channels, after, until) {
      freshen()
      const key = JSON.stringify([after, until, ...channels])
      let page = pages.get(key)
      if (page === undefined) {
        page = kept(read(channels, after, until))
        pages.set(key, page)
      }
      return page
    },
    isAfter: (id, other) => broker.isAfter(id, other),
    changed: forget,
  }
}
