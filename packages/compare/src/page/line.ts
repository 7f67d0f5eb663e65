/** A line of readings, for a plot: `null` where it is broken. */
export interface Line {
  readonly times: readonly number[]
  readonly values: readonly (number | null)[]
}

/** Breaks the line wherever no reading was taken for longer than `pauseMs`: a bridge would claim to know. */
export function breakLine(times: readonly number[], values: readonly number[], pauseMs: number): Line {
  const line: { times: number[]; values: (number | null)[] } = { times: [], values: [] }
  times.forEach((at, index) => {
    const before = times[index - 1]
    if (before !== undefined && at - before > pauseMs) {
      line.times.push((before + at) / 2)
      line.values.push(null)
    }
    line.times.push(at)
    line.values.push(values[index] ?? null)
  })
  return line
}
