/** Where values lie along a bar. */
export interface Scale {
  readonly isLogarithmic: boolean
  /** Whether there is nothing to see: no value, or none over 0. */
  readonly isEmpty: boolean
  /** From 0 to 1. */
  share(value: number): number
}

/** From here on the small ones would be invisible beside the large ones. */
const wide = 40

/** One scale for all bars of a column, so that they can be compared: from 0, or by decades where values are far apart. */
export function scaleOf(values: readonly number[]): Scale {
  const largest = Math.max(0, ...values)
  const least = Math.min(...values.filter((value) => value > 0))
  if (largest <= 0) return { isLogarithmic: false, isEmpty: true, share: () => 0 }
  if (values.every((value) => value > 0) && largest / least >= wide) {
    const low = 10 ** Math.floor(Math.log10(least))
    const span = Math.log(largest / low)
    return {
      isLogarithmic: true,
      isEmpty: false,
      share: (value) => Math.min(1, Math.max(0, Math.log(value / low) / span)),
    }
  }
  return { isLogarithmic: false, isEmpty: false, share: (value) => Math.min(1, Math.max(0, value / largest)) }
}
