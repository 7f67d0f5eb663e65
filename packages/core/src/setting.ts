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

/**
 * Checks what is called only later, where one that is none would fail far from its cause.
 *
 * @throws TypeError when it is no function.
 * @internal
 */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`\`${name}\` must be a function, got ${show(value)}`)
}

/** The names of all that an options type holds, which the compiler keeps complete. @internal */
export type OptionNames<O> = { readonly [Name in keyof O]-?: true }

/**
 * Checks the names of what is set: one that is misspelt would otherwise do nothing, in silence.
 *
 * @param of - whose options they are, for the error.
 * @throws TypeError for a name that is none of these, and for options that are no object.
 * @internal
 */
export function checkOptions<O extends object>(
  of: string,
  options: O | undefined,
  names: OptionNames<O>,
): void {
  if (typeof (options ?? {}) !== 'object') {
    throw new TypeError(`the options of \`${of}\` must be an object, got ${show(options)}`)
  }
  for (const name of Object.keys(options ?? {})) {
    if (Object.hasOwn(names, name)) continue
    const known = Object.keys(names).map((each) => `\`${each}\``)
    throw new TypeError(`\`${of}\` has no option ${show(name)}; it has ${known.join(', ')}`)
  }
}
