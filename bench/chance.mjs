/**
 * A source of chance that a seed decides, so that a run's order can be had again.
 * @param {number} seed
 */
export function createChance(seed) {
  let state = seed >>> 0
  /** @see https://github.com/bryc/code/blob/master/jshash/PRNGs.md#mulberry32 */
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  return {
    /**
     * @template T
     * @param {readonly T[]} items
     * @returns {T[]}
     */
    shuffled(items) {
      const all = [...items]
      for (let last = all.length - 1; last > 0; last--) {
        const other = Math.floor(next() * (last + 1))
        const item = /** @type {T} */ (all[last])
        all[last] = /** @type {T} */ (all[other])
        all[other] = item
      }
      return all
    },
  }
}
