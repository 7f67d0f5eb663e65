/**
 * How long a run still takes, by what its parts were expected to take and by how much those that are done took longer.
 * @param {readonly number[]} estimatesMs - of each part, in their order
 */
export function createProgress(estimatesMs) {
  const sum = (/** @type {readonly number[]} */ all) => all.reduce((total, one) => total + one, 0)
  let part = 0
  let beganMs = 0
  /** Of the machine, beside the one that the estimates come from. */
  let slowness = 1
  return {
    /**
     * The next part begins.
     * @param {number} index
     * @param {number} nowMs - since the run began
     */
    begin(index, nowMs) {
      part = index
      beganMs = nowMs
      const expectedMs = sum(estimatesMs.slice(0, index))
      if (expectedMs > 0) slowness = nowMs / expectedMs
    },
    /** @param {number} nowMs */
    leftMs(nowMs) {
      const current = (estimatesMs[part] ?? 0) * slowness - (nowMs - beganMs)
      return Math.max(0, current) + sum(estimatesMs.slice(part + 1)) * slowness
    },
  }
}

/**
 * @param {number} ms
 * @returns {string} as one says it
 */
export function inWords(ms) {
  const seconds = Math.round(ms / 1000)
  return seconds < 100 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}
