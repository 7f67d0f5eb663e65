import { replyCode } from './errors.ts'
import { isAfter, nowhere, type Position } from './position.ts'

/** What this process knows of what was published: where Redis knows of less, it has lost some. */
export interface Knowledge {
  /** The newest message that was confirmed here. */
  readonly stored: Position
  /** A message was confirmed. */
  store(position: Position): void
  /** What each script is told first. */
  args(): string[]
  /** Hears what a script failed with, or that it did not. */
  hear(error: unknown): void
}

/**
 * After a restart of Redis, who knows nothing waits for so long for one who does: nodes ask within two seconds. If nobody comes, all
 * that was published before is a gap.
 */
const unsureMs = 3_000

/** @param heard - the newest message that was heard here. */
export function createKnowledge(heard: () => Position): Knowledge {
  let stored = nowhere
  let unsureSince: number | undefined
  return {
    get stored() {
      return stored
    },
    store(position) {
      if (isAfter(position, stored)) stored = position
    },
    args() {
      const { epoch, number } = isAfter(stored, heard()) ? stored : heard()
      const hasWaited = unsureSince !== undefined && performance.now() - unsureSince > unsureMs
      return [String(epoch), String(number), hasWaited ? '1' : '0']
    },
    hear(error) {
      if (replyCode(error) === 'UNSURE') unsureSince ??= performance.now()
      // Who hears nothing from Redis knows as much as before.
      else if (replyCode(error) !== undefined || error === undefined) unsureSince = undefined
    },
  }
}
