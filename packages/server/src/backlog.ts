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
  /** Adds the newest. @returns `false` when it is more than may wait, and nothing else may be given up for it. */
  add(waiting: Waiting): boolean
  /** Takes the oldest. */
  shift(): Waiting | undefined
  /** The channels of which some were given up since this was last asked. */
  takeLost(): readonly string[]
}

/** The chunk may be shared with other peers, the place in line is not. */
const costOf = ({ chunk }: Waiting): number => chunk.length + 64

/** Makes an empty backlog. @internal */
export function createBacklog(maxBytes: number): Backlog {
  // A set keeps the order and gives up any one at once.
  const entries = new Set<Waiting>()
  const newest = new Map<string, Map<string, Waiting>>()
  const lost = new Set<string>()
  let bytes = 0

  function remove(waiting: Waiting): void {
    if (!entries.delete(waiting)) return
    bytes -= costOf(waiting)
    const events = newest.get(waiting.channel)
    if (events?.get(waiting.message.event) !== waiting) return
    events.delete(waiting.message.event)
    if (events.size === 0) newest.delete(waiting.channel)
  }

  function conflate(waiting: Waiting): void {
    const events = newest.get(waiting.channel) ?? new Map<string, Waiting>()
    const before = events.get(waiting.message.event)
    if (before !== undefined) remove(before)
    newest.set(waiting.channel, events.set(waiting.message.event, waiting))
  }

  return {
    add(waiting) {
      if (waiting.policy === 'conflate') conflate(waiting)
      entries.add(waiting)
      bytes += costOf(waiting)
      for (const entry of entries) {
        if (bytes <= maxBytes) return true
        if (entry.policy !== 'drop-oldest' || entry === waiting) continue
        remove(entry)
        lost.add(entry.channel)
      }
      return bytes <= maxBytes
    },
    shift() {
      const [first] = entries
      if (first !== undefined) remove(first)
      return first
    },
    takeLost() {
      const channels = [...lost]
      lost.clear()
      return channels
    },
  }
}
