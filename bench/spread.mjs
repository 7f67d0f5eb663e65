/**
 * What stands for many values: the middle, and between which they lie. From seven on, the lowest and the highest do not
 * count: anything may happen to a machine once. As in packages/compare/src/figure.ts.
 * @typedef {{ median: number, low: number, high: number, rounds: number }} Spread
 */

/**
 * @param {readonly number[]} values
 * @returns {Spread | undefined}
 */
export function spreadOf(values) {
  const all = Float64Array.from(values).sort()
  const kept = all.length >= 7 ? all.subarray(1, -1) : all
  const low = kept[0]
  const high = kept.at(-1)
  if (low === undefined || high === undefined) return undefined
  return { median: quantile(all, 0.5), low, high, rounds: all.length }
}

/**
 * @param {ArrayLike<number>} sorted - not empty
 * @param {number} share
 */
export function quantile(sorted, share) {
  const place = (sorted.length - 1) * share
  const low = Number(sorted[Math.floor(place)])
  return low + (Number(sorted[Math.ceil(place)]) - low) * (place % 1)
}

/** @param {readonly number[]} values */
export function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

/** Smaller differences than this are the luck of a process: where its code and its memory came to lie. */
const smallest = 0.03

/**
 * What ratios of new to old, one for each round, say. A difference counts where so many rounds agree on its direction as
 * by chance would happen in fewer than 3 of 100 runs: seven at least.
 * @param {readonly number[]} ratios
 * @returns {'slower' | 'faster' | 'tie'}
 */
export function verdictOf(ratios) {
  const above = ratios.filter((ratio) => ratio > 1).length
  const agreeing = Math.max(above, ratios.length - above)
  const median = spreadOf(ratios)?.median ?? 1
  if (Math.abs(median - 1) < smallest || chanceOf(agreeing, ratios.length) >= 0.03) return 'tie'
  return median > 1 ? 'slower' : 'faster'
}

/**
 * How likely so many or more of a number of coins fall on one side.
 * @param {number} agreeing
 * @param {number} all
 */
function chanceOf(agreeing, all) {
  let ways = 0
  let choose = 1
  for (let picked = 0; picked <= all; picked++) {
    if (picked >= agreeing) ways += choose
    choose = (choose * (all - picked)) / (picked + 1)
  }
  return Math.min(1, (2 * ways) / 2 ** all)
}
