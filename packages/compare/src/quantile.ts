/**
 * The smallest value that at least this share of all values does not exceed (nearest rank, no interpolation).
 *
 * @param share - over 0, up to 1: 0.5 for the median.
 * @returns `undefined` where there is no value.
 */
export function quantileOf(values: readonly number[], share: number): number | undefined {
  return Float64Array.from(values).sort()[Math.max(0, Math.ceil(share * values.length) - 1)]
}
