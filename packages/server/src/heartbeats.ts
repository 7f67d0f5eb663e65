import type { Encoder } from '@eitherway/core'
import { createEncodings } from './encodings.ts'

/** Whoever is to hear them. */
export interface Reader {
  readonly encoder: Encoder
  /** Its group in the wheel. */
  slot: number
  write(chunk: string | Uint8Array): void
}

/** Speaks to each peer once in a while, by one timer for all. */
export interface Heartbeats {
  add(reader: Reader): void
  delete(reader: Reader): void
  stop(): void
}

/** So many groups take turns, so that thousands of peers are not all written to in one moment. */
const groupCount = 32

/** A slot shorter than this would cost more in timers than it smooths. */
const minSlotMs = 50

/** Starts the wheel. @param everyMs - how often each peer hears; 0 for never. */
export function createHeartbeats(everyMs: number): Heartbeats {
  const count = Math.max(1, Math.min(groupCount, Math.floor(everyMs / minSlotMs)))
  const groups = Array.from({ length: count }, () => new Set<Reader>())
  let turn = 0

  const timer =
    everyMs === 0
      ? undefined
      : setInterval(() => {
          turn = (turn + 1) % count
          const encodings = createEncodings({ type: 'heartbeat' })
          for (const reader of groups[turn] ?? []) reader.write(encodings.for(reader.encoder))
        }, everyMs / count)
  // A timer must not keep alive a process that has nothing else to do.
  timer?.unref()

  return {
    add(reader) {
      if (timer === undefined) return
      // The group whose turn has just been: the first heartbeat comes after a whole round.
      reader.slot = turn
      groups[turn]?.add(reader)
    },
    delete(reader) {
      groups[reader.slot]?.delete(reader)
    },
    stop: () => clearInterval(timer),
  }
}
