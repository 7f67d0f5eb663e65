import type { Message } from '@eitherway/core'
import type { Link } from './link.ts'
import { fromEntryId, idsOf, isAfter, type Position, toEntryId } from './position.ts'
import { unpack } from './record.ts'

/** Hears all that is published to a hub, in order, and knows when it may have missed something. */
export interface Reader {
  /** The newest message that was heard, or the one before the first; `undefined` before Redis has said where it stands. */
  readonly position: Position | undefined
  /** @returns once all up to there was heard. @throws (by rejection) Error when that takes too long. */
  reached(position: Position, ms: number): Promise<void>
  /** @returns once there is a position. */
  opened(ms: number): Promise<void>
  /**
   * Goes on from there, and says so: what is in between is not heard. For one who knows that this much has been published for a
   * while already.
   */
  skip(to: Position): void
  end(): void
}

/** An entry of a stream. */
export type Entry = readonly [id: string, fields: readonly Buffer[]]

/** What it needs to know of the world. */
export interface ReaderOptions {
  readonly link: Link
  readonly log: string
  readonly inbox: string
  /** Asks where Redis stands, telling it what is known here. */
  readonly check: () => Promise<Position>
  readonly onMessage: (channel: string, message: Message) => void
  /** What came after this was not heard, and will not be. */
  readonly onLost: (after: Position) => void
  /** Something was put into the inbox. */
  readonly onPost: (fields: readonly Buffer[]) => void
}

/** How long Redis waits for something to read before it answers with nothing. */
const blockMs = 5_000
/** Without a word for so much longer the connection is dead. */
const graceMs = 3_000
const firstWaitMs = 20
const longestWaitMs = 1_000
const maxEntries = '64'

interface Awaited {
  readonly position: Position | undefined
  resolve(): void
}

/** Makes one, which begins to read at once. */
export function createReader(options: ReaderOptions): Reader {
  const { link, log, inbox, check, onMessage, onLost, onPost } = options
  let position: Position | undefined
  let inboxId = '0-0'
  /** Counts where it went on from elsewhere: what was asked for before that is no longer wanted. */
  let skips = 0
  let hasEnded = false
  /** Redis was away, and may have lost what is known here: before anything newer is read, it is told. */
  let isToTell = true
  const waiting = new Set<Awaited>()

  function moveTo(next: Position): void {
    position = next
    for (const one of waiting) {
      if (one.position === undefined || !isAfter(one.position, next)) one.resolve()
    }
  }

  function skip(to: Position): void {
    const after = position
    skips += 1
    // Redis may be another, and count from elsewhere.
    inboxId = '0-0'
    if (after !== undefined) {
      moveTo(to)
      onLost(after)
    }
  }

  /** @returns whether the next entry may be taken: it follows what was heard. */
  function take([id, fields]: Entry): boolean {
    const next = fromEntryId(id)
    const before = fromEntryId(String(fields[1]))
    if (next === undefined || position === undefined || before === undefined) return false
    if (before.epoch !== position.epoch || before.number !== position.number) return false
    const batch = fields[3]
    if (batch !== undefined) {
      const idOf = idsOf(next.epoch)
      const first = before.number + 1
      for (const { channel, message } of unpack(batch, (place) => idOf(first + place)))
        onMessage(channel, message)
    }
    moveTo(next)
    return true
  }

  async function read(): Promise<void> {
    if (isToTell) {
      const found = await check()
      isToTell = false
      if (position === undefined) moveTo(found)
    }
    const asked = skips
    const from = position as unknown as Position
    const command = ['XREAD', 'COUNT', maxEntries, 'BLOCK', String(blockMs), 'STREAMS']
    const reply = await link.send([...command, log, inbox, toEntryId(from), inboxId], blockMs + graceMs)
    for (const [key, entries] of streamsOf(reply)) {
      if (hasEnded) return
      if (key === inbox) hear(entries)
      else if (asked !== skips) continue
      else if (!entries.every(take)) await recover()
    }
  }

  function hear(entries: readonly Entry[]): void {
    for (const [id, fields] of entries) {
      inboxId = id
      onPost(fields)
    }
    // Nobody reads it again. What is not cleared now is by the next, or by its age.
    link
      .send(
        ['XTRIM', inbox, 'MINID', inboxId.replace(/[0-9]+$/, (number) => String(Number(number) + 1))],
        blockMs,
      )
      .catch(() => undefined)
  }

  /** The log does not go on from where this stands: it was cut off here, or Redis has lost what was heard. */
  async function recover(): Promise<void> {
    const asked = skips
    // Tells Redis what is known here, before it is forgotten.
    const found = await check()
    if (asked === skips) skip(found)
  }

  async function run(): Promise<void> {
    for (let waitMs = firstWaitMs; !hasEnded; ) {
      try {
        await read()
        waitMs = firstWaitMs
      } catch {
        isToTell = true
        // Redis is away, and whoever publishes or reads history is told. This goes on from where it stands when it is back.
        if (hasEnded) return
        await new Promise((resolve) => {
          setTimeout(resolve, waitMs)
        })
        waitMs = Math.min(longestWaitMs, waitMs * 2)
      }
    }
  }

  function until(wanted: Position | undefined, ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(one)
        reject(new Error(`Redis was not heard for ${Math.round(ms)} ms`))
      }, ms)
      const one = {
        position: wanted,
        resolve() {
          clearTimeout(timer)
          waiting.delete(one)
          resolve()
        },
      }
      waiting.add(one)
    })
  }

  // Once whoever makes it has it.
  queueMicrotask(() => void run())
  return {
    get position() {
      return position
    },
    async reached(wanted, ms) {
      if (position === undefined || isAfter(wanted, position)) await until(wanted, ms)
    },
    async opened(ms) {
      if (position === undefined) await until(undefined, ms)
    },
    skip,
    end() {
      hasEnded = true
      link.end()
    },
  }
}

/** What XREAD found: in lists, or flat, as RESP 3's map comes out. */
function streamsOf(reply: unknown): (readonly [key: string, entries: readonly Entry[]])[] {
  if (!Array.isArray(reply)) return []
  const pairs = Array.isArray(reply[0]) ? (reply as unknown[][]) : pairsOf(reply)
  return pairs.map(([key, entries]) => [
    String(key),
    (entries as [Buffer, Buffer[]][]).map(([id, fields]) => [String(id), fields] as const),
  ])
}

function pairsOf(list: readonly unknown[]): unknown[][] {
  return list.flatMap((item, at) => (at % 2 === 0 ? [[item, list[at + 1]]] : []))
}
