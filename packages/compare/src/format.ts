import type { Spread, Unit } from './figure.ts'

/** A value with three digits that matter, without its unit. */
export function formatValue(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && size < 0.01) return value.toPrecision(1).replace('-', '−')
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2
  return value
    .toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    .replace('-', '−')
}

/** `1.24 ms` */
export function formatFigure(value: number, unit: Unit): string {
  return unit === '' ? formatValue(value) : `${formatValue(value)} ${unit}`
}

/** `1.24 (1.20–1.31)`: the median, and between which values it lies. */
export function formatSpread({ median, low, high }: Spread): string {
  const [middle, from, to] = [formatValue(median), formatValue(low), formatValue(high)]
  return from === to ? middle : `${middle} (${from}–${to})`
}
