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
  return new Once(onFinish)
}

/** A class, since a server has one for each connection. */
class Once implements Ending {
  readonly closed: Promise<Close>
  close: Close | undefined
  readonly #onFinish: () => void
  #settle: ((close: Close) => void) | undefined

  constructor(onFinish: () => void) {
    this.#onFinish = onFinish
    this.closed = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  finish(close: Close): void {
    if (this.close !== undefined) return
    this.close = close
    this.#onFinish()
    this.#settle?.(close)
  }
}
