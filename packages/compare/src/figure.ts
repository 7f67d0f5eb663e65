/** What a figure is counted in. */
export type Unit = 'ms' | 'µs' | 'B' | 'KiB' | '/s' | '%' | ''

/** One thing that a scenario measures: a column of its table. */
export interface Figure {
  /** For programs: `p50`. */
  readonly name: string
  /** For people: `Latency, median`. */
  readonly title: string
  readonly unit: Unit
  readonly better: 'less' | 'more' | 'neither'
}

/** The values of one figure for one contender in one case, one for each round. */
export interface Cell {
  /** `''` where the scenario has one case only. */
  readonly case: string
  /** The contender's name. */
  readonly row: string
  readonly figure: string
  readonly values: readonly number[]
}

/** What stands for a cell: the middle of its values, and the lowest and the highest of them. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly rounds: number
}

/** Fewer rounds than these tell nothing of noise. */
export const fewestRounds = 4

/** @returns `undefined` of no values. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const all = Float64Array.from(values).sort()
  const low = all[0]
  const high = all.at(-1)
  if (low === undefined || high === undefined) return undefined
  const half = all.length >> 1
  const median =
    all.length % 2 === 1 ? (all[half] as number) : ((all[half - 1] as number) + (all[half] as number)) / 2
  return { median, low, high, rounds: all.length }
}

/** How one cell stands to another. */
export interface Comparison {
  /** `tie` where the difference lies within the noise, `open` where there are too few rounds to tell. */
  readonly verdict: 'less' | 'more' | 'tie' | 'open'
  /** The one median to the other; `undefined` where the other is 0. */
  readonly ratio: number | undefined
}

/**
 * Compares one cell with another: a difference counts where the two spreads do not touch, over at least four rounds each.
 * Two contenders that are the same would pass for different in fewer than 3 of 100 cases (4 and 4 values in order: 2 of
 * 70 ways).
 *
 * @returns `undefined` where one of them has no value.
 */
export function compareCells(one: readonly number[], other: readonly number[]): Comparison | undefined {
  const a = spreadOf(one)
  const b = spreadOf(other)
  if (a === undefined || b === undefined) return undefined
  const ratio = b.median === 0 ? undefined : a.median / b.median
  if (Math.min(a.rounds, b.rounds) < fewestRounds) return { verdict: 'open', ratio }
  return { verdict: a.high < b.low ? 'less' : a.low > b.high ? 'more' : 'tie', ratio }
}

/** What stands behind two figures in a sentence, where neither is ahead; or `''`. */
export function remarkOn({ verdict }: Comparison): string {
  return verdict === 'tie' ? ', a tie' : verdict === 'open' ? ', too few rounds to tell' : ''
}
