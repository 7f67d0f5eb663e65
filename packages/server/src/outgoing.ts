import type { Encoder, Message } from '@eitherway/core'
import type { SlowPolicy } from './backlog.ts'
import { createEncodings, type Encodings } from './encodings.ts'

/** One message on its way to the followers of its channel. */
export interface Parcel {
  readonly channel: string
  readonly policy: SlowPolicy
  readonly message: Message
  /** As each kind of wire has it. */
  readonly encodings: Encodings
}

/** What one peer is given in one turn, shared with all that follow the same of today's channels. */
export interface Batch {
  readonly parcels: readonly Parcel[]
  /** Whether any of it may wait, or be given up, by its channel's policy. */
  readonly mayWait: boolean
  /** All of them for this kind of wire, as few chunks as it allows. */
  chunksFor(encoder: Encoder): readonly (string | Uint8Array)[]
}

/** A follower, as far as a turn's messages go. */
export interface Follower {
  /** Which of the turn's channels it follows, a bit for each; 0 between turns. */
  marks: number
  take(batch: Batch): void
}

/**
 * What was published in this turn of the event loop, and leaves at its end: each message encoded once for each kind of
 * wire, each peer's messages in one write, and the same buffer to all peers that get the same.
 */
export interface Outgoing {
  add(channel: string, message: Message, policy: SlowPolicy): void
  /** Gives out what waits, now: before anything changes who follows what, or is to come after it. */
  flush(): void
}

/** As many as a number has bits. */
const maxChannels = 31

/** So much leaves at once, whatever else the turn may bring. At a quarter of it, ten messages of 16 KiB cost a fifth more. */
const maxBytes = 256 * 1024

/**
 * Makes an empty one.
 *
 * @param followersOf - the followers of a channel, if any.
 */
export function createOutgoing(followersOf: (channel: string) => Iterable<Follower> | undefined): Outgoing {
  let parcels: Parcel[] = []
  /** The turn's channels, in the order in which they came up, each with its bit. */
  const marks = new Map<string, number>()
  let bytes = 0

  let isGiving = false

  /** What is published while it gives out, by a wire that calls back, comes after: each follower hears one order. */
  function flush(): void {
    if (isGiving) return
    isGiving = true
    try {
      while (parcels.length > 0) give()
    } finally {
      isGiving = false
    }
  }

  function give(): void {
    const given = parcels
    parcels = []
    bytes = 0
    const [first] = marks.keys()
    const channels = marks.size === 1 && first !== undefined ? undefined : [...marks]
    marks.clear()
    if (channels === undefined) giveAll(followersOf(first as string), createBatch(given))
    else giveByMarks(channels, given)
  }

  function giveAll(followers: Iterable<Follower> | undefined, batch: Batch): void {
    for (const follower of followers ?? []) follower.take(batch)
  }

  /** Peers that follow the same of these channels share a batch. */
  function giveByMarks(channels: readonly (readonly [string, number])[], given: readonly Parcel[]): void {
    const touched: Follower[] = []
    for (const [channel, mark] of channels) {
      for (const follower of followersOf(channel) ?? []) {
        if (follower.marks === 0) touched.push(follower)
        follower.marks |= mark
      }
    }
    // Cleared before anybody is given anything: whoever fails must not spoil the next turn of the others.
    const shares = touched.map((follower) => {
      const mine = follower.marks
      follower.marks = 0
      return [follower, mine] as const
    })
    const markOf = new Map(channels)
    const batches = new Map<number, Batch>()
    for (const [follower, mine] of shares) {
      let batch = batches.get(mine)
      if (batch === undefined) {
        batch = createBatch(given.filter(({ channel }) => ((markOf.get(channel) ?? 0) & mine) !== 0))
        batches.set(mine, batch)
      }
      follower.take(batch)
    }
  }

  return {
    add(channel, message, policy) {
      if (followersOf(channel) === undefined) return
      if (!marks.has(channel)) {
        if (marks.size === maxChannels) flush()
        marks.set(channel, 1 << marks.size)
      }
      if (parcels.length === 0) atEndOfTurn(flush)
      parcels.push({ channel, policy, message, encodings: createEncodings({ type: 'message', message }) })
      // Roughly, and also of one without data: to count exactly would cost as much as to encode.
      bytes += message.data.length + message.event.length + 64
      if (bytes > maxBytes) flush()
    },
    flush,
  }
}

function createBatch(parcels: readonly Parcel[]): Batch {
  const known = new Map<Encoder, readonly (string | Uint8Array)[]>()
  // Peers of one kind often stand beside each other, and this is asked once for each.
  let last: { readonly encoder: Encoder; readonly chunks: readonly (string | Uint8Array)[] } | undefined
  return {
    parcels,
    mayWait: parcels.some(({ policy }) => policy !== 'disconnect'),
    chunksFor(encoder) {
      if (last?.encoder === encoder) return last.chunks
      let chunks = known.get(encoder)
      if (chunks === undefined) {
        const each = parcels.map(({ encodings }) => encodings.for(encoder))
        chunks = encoder.join === undefined || each.length === 1 ? each : [encoder.join(each)]
        known.set(encoder, chunks)
      }
      last = { encoder, chunks }
      return chunks
    },
  }
}

/**
 * Runs when all that this turn of the event loop has led to is done, promises included: whoever awaits each `publish` of a
 * burst has its messages in one write as well. Where there is no such moment, at the end of the running microtask.
 */
function atEndOfTurn(run: () => void): void {
  // From within a microtask, `nextTick` comes after all other microtasks, those included that they add.
  queueMicrotask(() => (typeof process === 'object' ? process.nextTick(run) : run()))
}
