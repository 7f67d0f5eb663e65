import type { Message } from '@eitherway/core'

/**
 * What becomes of a channel's messages for a peer that reads too slowly.
 *
 * - `disconnect`: they are queued up to `maxQueuedBytes`; beyond it the peer is closed (4008), comes back, and resumes from
 *   history. Nothing is lost.
 * - `conflate`: only the newest of each event is kept until there is room. For prices and positions.
 * - `drop-oldest`: the oldest go, and the peer is told by a gap of reason `slow`.
 */
export type SlowPolicy = 'disconnect' | 'conflate' | 'drop-oldest'

/** One message that waits for a peer. */
export interface Waiting {
  readonly channel: string
  readonly policy: SlowPolicy
  readonly message: Message
  /** As this peer's wire has it. */
  readonly chunk: string | Uint8Array
}

/** What waits for one peer, in order, within its bound. */
export interface Backlog {
  /** What waits, the place in line included. */
  readonly bytes: number
  /** Adds the newest. @returns `false` when it is more than may wait, and nothing else may be given up for it. */
  add(waiting: Waiting): boolean
  /** Gives up the oldest, for as long as they are old to this peer. */
  forget(isOld: (id: string) => boolean): void
  /** Takes the oldest. */
  shift(): Waiting | undefined
  /** The channels of which some were given up since this was last asked. */
  takeLost(): readonly string[]
}

/** The chunk may be shared with other peers, the place in line is not. */
const costOf = ({ chunk }: Waiting): number => chunk.length + 64

/** Makes an empty backlog. @internal */
export function createBacklog(maxBytes: number): Backlog {
  // In order. One that was given up leaves an empty place, which is passed over: to close up would cost a walk each time.
  let entries: (Waiting | undefined)[] = []
  let head = 0
  /** Counts places since the beginning, so that a place keeps its number when the list is cut. */
  let cut = 0
  const newest = new Map<string, Map<string, number>>()
  /** Places of messages that may be given up, the oldest first. */
  let droppable: number[] = []
  let oldest = 0
  const lost = new Set<string>()
  let bytes = 0

  function removeAt(place: number): Waiting | undefined {
    const waiting = entries[place - cut]
    if (waiting === undefined) return undefined
    entries[place - cut] = undefined
    bytes -= costOf(waiting)
    const events = newest.get(waiting.channel)
    if (events?.get(waiting.message.event) === place) {
      events.delete(waiting.message.event)
      if (events.size === 0) newest.delete(waiting.channel)
    }
    return waiting
  }

  function conflate({ channel, message }: Waiting, place: number): void {
    const events = newest.get(channel) ?? new Map<string, number>()
    const before = events.get(message.event)
    if (before !== undefined) removeAt(before)
    newest.set(channel, events.set(message.event, place))
  }

  /** Cuts off what lies behind, when it is the larger part: linear over all. */
  function trim(): void {
    if (head > 64 && head * 2 > entries.length) {
      entries = entries.slice(head)
      cut += head
      head = 0
    }
    if (oldest > 64 && oldest * 2 > droppable.length) {
      droppable = droppable.slice(oldest)
      oldest = 0
    }
  }

  function shift(): Waiting | undefined {
    while (head < entries.length) {
      const waiting = removeAt(cut + head)
      head += 1
      trim()
      if (waiting !== undefined) return waiting
    }
    return undefined
  }

  return {
    get bytes() {
      return bytes
    },
    add(waiting) {
      const place = cut + entries.length
      if (waiting.policy === 'conflate') conflate(waiting, place)
      if (waiting.policy === 'drop-oldest') droppable.push(place)
      entries.push(waiting)
      bytes += costOf(waiting)
      while (bytes > maxBytes) {
        const next = droppable[oldest]
        if (next === undefined || next === place) break
        oldest += 1
        const given = removeAt(next)
        if (given !== undefined) lost.add(given.channel)
      }
      // Places that were given up before they were reached would pile up under a reader that never reads.
      while (head < entries.length && entries[head] === undefined) head += 1
      trim()
      return bytes <= maxBytes
    },
    forget(isOld) {
      for (; head < entries.length; head += 1) {
        const waiting = entries[head]
        if (waiting === undefined) continue
        if (!isOld(waiting.message.id)) break
        removeAt(cut + head)
      }
      trim()
    },
    shift,
    takeLost() {
      const channels = [...lost]
      lost.clear()
      return channels
    },
  }
}
