import type { Figure, Spread } from '../figure.ts'
import { formatFigure, formatValue } from '../format.ts'
import { escapeHtml } from './escape.ts'
import type { Group, Row } from './grid.ts'
import { type Scale, scaleOf } from './scale.ts'

interface Mark {
  readonly row: Row
  readonly spread: Spread
}

/**
 * One figure over all cases and rows: a dot for the median, on the range of its spread. Text is HTML and lengths are in
 * percent, so that it is as readable on a phone as on a wall.
 *
 * @returns `''` where there is nothing to show.
 */
export function renderPlot(figure: Figure, groups: readonly Group[]): string {
  const shown = groups
    .map(({ title, rows }) => ({ title, marks: rows.flatMap((row) => markOf(row, figure)) }))
    .filter(({ marks }) => marks.length > 0)
  const values = shown.flatMap(({ marks }) => marks.flatMap(({ spread }) => [spread.low, spread.high]))
  // Where all are the same there is nothing to see; the table says it.
  if (Math.min(...values) >= Math.max(...values)) return ''
  const scale = scaleOf(values)
  const unit = figure.unit === '' ? '' : ` <span class="unit">${escapeHtml(figure.unit)}</span>`
  const hint = [betterWords[figure.better], scale.isLog ? 'logarithmic' : ''].filter(Boolean).join(', ')
  return `<figure class="plot">
<figcaption><b>${escapeHtml(figure.title)}</b>${unit}<span class="hint">${hint}</span></figcaption>
<div class="lanes">
${shown
  .map(({ title, marks }) =>
    [
      title === '' ? '' : `<p class="case">${escapeHtml(title)}</p>`,
      ...marks.map((mark) => laneOf(mark, figure, scale)),
    ].join('\n'),
  )
  .join('\n')}
${axisOf(scale)}
</div>
</figure>`
}

const betterWords = { less: 'less is better', more: 'more is better', neither: '' } as const

function markOf(row: Row, figure: Figure): Mark[] {
  const spread = row.fields.find((field) => field.figure.name === figure.name)?.spread
  return spread === undefined ? [] : [{ row, spread }]
}

function laneOf({ row, spread }: Mark, figure: Figure, scale: Scale): string {
  const { median, low, high } = spread
  const x = (value: number) => `${Number(scale.at(value).toFixed(2))}%`
  const line = (name: string, from: string, to: string, y1 = '50%', y2 = y1) =>
    `<line class="${name}" x1="${from}" x2="${to}" y1="${y1}" y2="${y2}"/>`
  const said = `${row.title}: ${formatFigure(median, figure.unit)}, from ${formatValue(low)} to ${formatValue(high)}`
  return `<span class="label ${lookOf(row)}" aria-hidden="true">${escapeHtml(row.title)}</span>
<svg class="lane ${lookOf(row)}" role="img" width="100%" height="20"><title>${escapeHtml(said)}</title>${[
    ...scale.ticks.map((tick) => line('tick', x(tick), x(tick), '0', '100%')),
    scale.isLog ? '' : line('stem', x(0), x(median)),
    line('range', x(low), x(high)),
    `<circle class="dot" cx="${x(median)}" cy="50%" r="4.5"/>`,
  ].join('')}</svg>
<span class="value" aria-hidden="true">${formatValue(median)}</span>`
}

/** The classes of a row: its colour, and lighter where it is a control row. */
export function lookOf({ transport, control }: Row): string {
  return [transport ?? 'other', control ? 'control' : ''].filter(Boolean).join(' ')
}

function axisOf(scale: Scale): string {
  const texts = scale.ticks.map((tick) => {
    const at = scale.at(tick)
    return `<text x="${Number(at.toFixed(2))}%" y="12" text-anchor="middle">${formatTick(tick)}</text>`
  })
  return `<span></span><svg class="axis" aria-hidden="true" width="100%" height="16">${texts.join('')}</svg><span></span>`
}

/** Short, and without digits that say nothing: `0.5`, `20k`. */
function formatTick(value: number): string {
  const size = Math.abs(value)
  const [scaled, suffix] = size >= 1e6 ? [value / 1e6, 'M'] : size >= 1e4 ? [value / 1e3, 'k'] : [value, '']
  return `${Number(scaled.toPrecision(3)).toLocaleString('en', { maximumFractionDigits: 6 }).replace('-', '−')}${suffix}`
}
