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

export function bytes(value: number | undefined): string {
  if (value === undefined) return none
  if (value < 1024) return `${value} B`
  if (value < 1024 ** 2) return `${(value / 1024).toFixed(1)} KiB`
  if (value < 1024 ** 3) return `${(value / 1024 ** 2).toFixed(1)} MiB`
  return `${(value / 1024 ** 3).toFixed(1)} GiB`
}
