/** How fast one peer talks. */
export interface Rate {
  /** One more message. @returns whether it is still within the limit. */
  count(): boolean
}

/**
 * A bucket that holds a second's worth and fills as time passes: short bursts are fine, a flood is not.
 *
 * @param perSecond - messages, from 1; Infinity for no limit.
 * @param now - milliseconds, from whenever.
 */
export function createRate(perSecond: number, now: () => number): Rate {
  let left = perSecond
  let at = now()
  return {
    count() {
      if (perSecond === Number.POSITIVE_INFINITY) return true
      const time = now()
      left = Math.min(perSecond, left + ((time - at) / 1000) * perSecond)
      at = time
      if (left < 1) return false
      left -= 1
      return true
    },
  }
}
