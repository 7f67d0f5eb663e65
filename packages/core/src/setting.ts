import { show } from './message.ts'

/**
 * Checks a size or a count.
 *
 * @param most - where it is Infinity, so may the value be: no limit.
 * @throws TypeError when it is no whole number from `least` to `most`.
 * @internal
 */
export function checkWhole(
  name: string,
  value: number,
  least = 1,
  most: number = Number.MAX_SAFE_INTEGER,
): void {
  const isWhole = Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY
  if (!isWhole || value < least || value > most) throw improper('whole number', name, value, least, most)
}

/**
 * Checks a duration, or what else may have a fraction.
 *
 * @param most - where it is Infinity, so may the value be.
 * @throws TypeError when it is no number from `least` to `most`.
 * @internal
 */
export function checkNumber(
  name: string,
  value: number,
  least = 0,
  most: number = Number.POSITIVE_INFINITY,
): void {
  const holds = typeof value === 'number' && value >= least && value <= most
  if (!holds) throw improper('number', name, value, least, most)
}

function improper(what: string, name: string, value: unknown, least: number, most: number): TypeError {
  const bounds = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of ${least} or more`
  return new TypeError(`\`${name}\` must be a ${what} ${bounds}, got ${show(value)}`)
}
