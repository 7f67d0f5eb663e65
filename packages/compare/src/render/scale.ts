/** Where a value lies between the two ends of a plot. */
export interface Scale {
  readonly isLog: boolean
  /** In percent of the width. */
  at(value: number): number
  readonly ticks: readonly number[]
}

/** From so many times the least on, a linear scale would press the small ones into one point. */
const logFrom = 100

/** @param values - all that is to be shown; at least one. */
export function scaleOf(values: readonly number[]): Scale {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return least > 0 && most / least > logFrom ? logScale(least, most) : linearScale(least, most)
}

function linearScale(least: number, most: number): Scale {
  const from = Math.min(0, least)
  const to = Math.max(0, most)
  const width = to - from || 1
  const step = stepOf(width)
  const first = Math.ceil(from / step - 1e-9)
  const count = Math.floor(to / step + 1e-9) - first + 1
  return {
    isLog: false,
    at: (value) => (100 * (value - from)) / width,
    ticks: Array.from({ length: count }, (_, index) => Number(((first + index) * step).toPrecision(6)) + 0),
  }
}

/** 1, 2 or 5 times a power of ten, so that the few that there are have room on a phone. */
function stepOf(width: number): number {
  const raw = width / 3.5
  const power = 10 ** Math.floor(Math.log10(raw))
  const factor = [1, 2, 5, 10].find((one) => one * power >= raw) ?? 10
  return factor * power
}

function logScale(least: number, most: number): Scale {
  const [from, to] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))]
  const every = Math.ceil((to - from) / 3)
  return {
    isLog: true,
    at: (value) => (100 * (Math.log10(value) - from)) / (to - from),
    ticks: Array.from(
      { length: Math.floor((to - from) / every) + 1 },
      (_, index) => 10 ** (from + index * every),
    ),
  }
}
