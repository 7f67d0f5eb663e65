import type { Close } from './close.ts'

/** How one end of a link ends: once, with a value. */
export interface Ending {
  /** Fulfils with the reason. Never rejects. */
  readonly closed: Promise<Close>
  /** The reason, once there is one. */
  readonly close: Close | undefined
  /** Ends it. A second call changes nothing. */
  finish(close: Close): void
}

/**
 * Makes an ending that has not come yet.
 *
 * @param onFinish - lets go of what the link held. It runs once, in the turn of `finish`.
 */
export function createEnding(onFinish: () => void): Ending {
  let close: Close | undefined
  let settle: (close: Close) => void
  const closed = new Promise<Close>((resolve) => {
    settle = resolve
  })
  return {
    closed,
    get close() {
      return close
    },
    finish(reason) {
      if (close !== undefined) return
      close = reason
      onFinish()
      settle(reason)
    },
  }
}
