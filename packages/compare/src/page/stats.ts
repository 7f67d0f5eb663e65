import { quantileOf } from '../quantile.ts'

/** The values of the last so many milliseconds. Times are given in ascending order. */
export interface SlidingWindow {
  add(at: number, value: number): void
  /**
   * The smallest value that at least this share of all values does not exceed (nearest rank, no interpolation).
   *
   * @param share - over 0, up to 1: 0.5 for the median.
   * @returns `undefined` where there is no value.
   */
  quantile(share: number, now: number): number | undefined
  /** Values per second. The window counts as no longer than it has been open. */
  rate(now: number): number
}

/** Makes an empty window. @param openedAt - when it begins to count, on the same clock as every `at`. */
export function createWindow(spanMs: number, openedAt: number): SlidingWindow {
  let entries: { at: number; value: number }[] = []

  function expire(now: number): void {
    const first = entries.findIndex(({ at }) => now - at < spanMs)
    entries = first === -1 ? [] : entries.slice(first)
  }

  return {
    add(at, value) {
      expire(at)
      entries.push({ at, value })
    },
    quantile(share, now) {
      expire(now)
      return quantileOf(
        entries.map(({ value }) => value),
        share,
      )
    },
    rate(now) {
      expire(now)
      const seconds = Math.min(spanMs, now - openedAt) / 1000
      return seconds <= 0 ? 0 : entries.length / seconds
    },
  }
}
