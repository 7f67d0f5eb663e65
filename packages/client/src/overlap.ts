import type { Frame } from '@eitherway/core'

/**
 * What two links both bring while one takes over from the other.
 *
 * The second link was asked from the position of a moment; what the first has delivered since then comes over the second
 * again. Nobody but the server can compare ids, so the ids themselves are remembered.
 */
export interface Overlap {
  /** A second link is asked for, at today's position. */
  begin(): void
  /** It has taken over. */
  handed(): void
  /** It came to nothing. */
  kept(): void
  /**
   * The frame as the client is to take it: a message that was delivered already only moves the position. That it must, or a
   * cut in the middle would go back to where the first link was.
   */
  pass(frame: Frame): Frame
}

/** Makes the overlap of a client, in which no handover is under way. @internal */
export function createOverlap(): Overlap {
  /** In order, since the second link was asked for. */
  let recorded: Set<string> | undefined
  /** Delivered, and still to come again. */
  let known = new Set<string>()
  let last: string | undefined

  return {
    begin() {
      recorded = new Set()
    },
    handed() {
      // What is still to come again from the handover before is newer than all that came since.
      const isOver = known.size === 0
      for (const id of recorded ?? []) {
        known.add(id)
        if (isOver) last = id
      }
      recorded = undefined
    },
    kept() {
      recorded = undefined
    },
    pass(frame) {
      if (frame.type !== 'message' || (recorded === undefined && known.size === 0)) return frame
      const { id } = frame.message
      if (id === '') return frame
      // What is passed over counts as well: a link that takes over now was asked from before it.
      recorded?.add(id)
      if (!known.delete(id)) return frame
      // Links keep one order, so what has not come before the last will not come any more.
      if (id === last) known = new Set()
      return { type: 'position', id }
    },
  }
}
