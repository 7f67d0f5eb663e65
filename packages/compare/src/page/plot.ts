import uPlot from 'uplot'

/** A plot over the last seconds. */
export interface Plot {
  /**
   * @param now - the right edge; both times on one clock, in milliseconds.
   * @param values - `null` breaks the line.
   */
  draw(now: number, times: readonly number[], values: readonly (number | null)[]): void
}

/** Settings of {@link createPlot}. */
export interface PlotOptions {
  /** What the plot shows, for those who cannot see it. */
  readonly label: string
  readonly kind: 'line' | 'dots'
  readonly spanMs: number
  /** From the smallest to the largest value on the axis. */
  readonly range: (largest: number) => [low: number, high: number]
  readonly ticks: (low: number, high: number) => number[]
  readonly logarithmic?: boolean
}

const font = '11px system-ui, sans-serif'

/** Draws into an element whose size the style sheet sets. */
export function createPlot(host: HTMLElement, options: PlotOptions): Plot {
  const { kind, spanMs, range, ticks, logarithmic = false } = options
  host.setAttribute('role', 'img')
  host.setAttribute('aria-label', options.label)
  const style = getComputedStyle(host)
  const color = (name: string) => style.getPropertyValue(name).trim()
  const grid = { stroke: () => color('--line'), width: 1 }
  const axis = { font, stroke: () => color('--muted'), grid, ticks: { show: false } }

  const plot = new uPlot(
    {
      width: host.clientWidth || 300,
      height: host.clientHeight,
      pxAlign: false,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 14, 0, 0],
      scales: {
        x: { time: false, auto: false },
        y: {
          distr: logarithmic ? 3 : 1,
          range: (_, __, largest) => range(largest ?? 0),
        },
      },
      axes: [
        {
          ...axis,
          size: 26,
          gap: 8,
          splits: (_, __, from, to) => [0, 1, 2, 3].map((third) => from + ((to - from) * third) / 3),
          values: (_, splits) =>
            splits.map((at) => {
              const seconds = Math.round(((splits.at(-1) ?? at) - at) / 1000)
              return seconds === 0 ? 'now' : `${seconds} s`
            }),
        },
        {
          ...axis,
          size: 42,
          gap: 6,
          splits: (_, __, low, high) => ticks(low, high),
          filter: (_, splits) => splits,
          values: (_, splits) => splits.map(String),
        },
      ],
      series: [
        {},
        kind === 'line'
          ? {
              stroke: () => color('--accent'),
              fill: () => color('--accent-soft'),
              width: 1.5,
              points: { show: false },
            }
          : {
              stroke: () => color('--accent'),
              paths: () => null,
              points: { show: true, size: 3.5, width: 0, fill: () => color('--accent') },
            },
      ],
    },
    [[], []],
    host,
  )
  new ResizeObserver(() => {
    plot.setSize({ width: host.clientWidth, height: host.clientHeight })
  }).observe(host)

  return {
    draw(now, times, values) {
      plot.batch(() => {
        plot.setData([[...times], [...values]], false)
        plot.setScale('x', { min: now - spanMs, max: now })
      })
    },
  }
}
