/** Stands where there is no figure yet. */
export const none = '–'

/** Three digits that matter, and a width that hardly changes. */
export function ms(value: number | undefined): string {
  if (value === undefined) return none
  const size = Math.abs(value)
  const text = value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0)
  return text.replace('-', '\u2212')
}

export function decimal(value: number | undefined, digits: number): string {
  return value === undefined ? none : value.toFixed(digits)
}

export function whole(value: number): string {
  return value.toLocaleString('en')
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** Three digits that matter at most, so that it is never wider than `999 MiB`. */
export function bytes(value: number | undefined): string {
  if (value === undefined) return none
  let step = 0
  let size = value
  // What would round to four digits goes up as well: 0.98 GiB, not 1000 MiB.
  for (; size >= 999.5 && step < units.length - 1; step += 1) size /= 1024
  const digits = step === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2
  return `${size.toFixed(digits)} ${units[step]}`
}
