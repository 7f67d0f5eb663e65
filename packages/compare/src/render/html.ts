import { type Answer, answersOf } from '../answers.ts'
import { formatValue } from '../format.ts'
import type { Report, Result } from '../report.ts'
import { escapeHtml } from './escape.ts'
import {
  dateOf,
  type Field,
  type Group,
  groupsOf,
  headOf,
  machineLine,
  methodOf,
  paragraphsOf,
  placesOf,
  serverLine,
} from './grid.ts'
import { lookOf, renderPlot } from './plot.ts'
import { style } from './style.ts'

/** The report as one page that needs nothing beside itself: no script, no font, no picture, no network. */
export function renderHtml(report: Report): string {
  const sections = report.results.map((result, index) => ({ result, id: idOf(result, index, report) }))
  const anchorOf = (scenario: string) => sections.find(({ result }) => result.scenario === scenario)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>SSE and WebSocket, measured</title>
<style>${style}</style>
</head>
<body>
<header>
<p class="eyebrow">A report of the Eitherway lab</p>
<h1><span class="sse">SSE</span> and <span class="ws">WebSocket</span>, measured</h1>
<dl class="facts">
${[
  ['Measured', dateOf(report)],
  ['Clients', placesOf(report)],
  ['Server', serverLine(report)],
  ['Machine', machineLine(report.machine)],
]
  .map(([name = '', value = '']) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`)
  .join('\n')}
</dl>
<p class="method">${methodOf(report).map(escapeHtml).join(' ')}</p>
${sections.length > 1 ? contentsOf(sections) : ''}
</header>
<main>
<section aria-labelledby="answers">
<h2 id="answers">The seven questions</h2>
<ol class="answers">
${answersOf(report)
  .map((answer) => renderAnswer(answer, anchorOf))
  .join('\n')}
</ol>
</section>
${sections.map(renderSection).join('\n')}
</main>
</body>
</html>
`
}

interface Section {
  readonly result: Result
  readonly id: string
}

/** A scenario that ran in several places has several sections. */
function idOf({ scenario }: Result, index: number, { results }: Report): string {
  const before = results.slice(0, index).filter((other) => other.scenario === scenario).length
  const name = scenario.replace(/[^\w-]+/g, '-')
  return `scenario-${name}${before === 0 ? '' : `-${before + 1}`}`
}

function contentsOf(sections: readonly Section[]): string {
  const places = new Set(sections.map(({ result }) => result.place.name))
  const links = sections.map(({ result, id }) => {
    const place = places.size > 1 ? ` <small>${escapeHtml(result.place.name)}</small>` : ''
    return `<li><a href="#${escapeHtml(id)}">${escapeHtml(result.title)}${place}</a></li>`
  })
  return `<nav aria-label="Measurements"><ul>${links.join('')}</ul></nav>`
}

function renderAnswer(
  { question, answer, from }: Answer,
  anchorOf: (scenario: string) => Section | undefined,
): string {
  const section = from === undefined ? undefined : anchorOf(from.scenario)
  const link =
    section === undefined
      ? ''
      : ` <a href="#${escapeHtml(section.id)}">${escapeHtml(section.result.title)}: the figures</a>`
  return `<li><h3>${prose(question)}</h3><p>${prose(answer)}${link}</p></li>`
}

function renderSection({ result, id }: Section): string {
  const groups = groupsOf(result).filter(({ rows }) => rows.length > 0)
  const plots = result.figures.map((figure) => renderPlot(figure, groups)).filter(Boolean)
  const lanes = groups.reduce((sum, { rows }) => sum + rows.length, 0)
  return `<section class="card" aria-labelledby="${escapeHtml(id)}">
<p class="eyebrow">${escapeHtml(result.place.name)}</p>
<h2 id="${escapeHtml(id)}">${escapeHtml(result.title)}</h2>
<p class="question">${escapeHtml(result.question)}</p>
${paragraphsOf(result)
  .map((paragraph) => `<p class="explanation">${prose(paragraph)}</p>`)
  .join('\n')}
${renderPlots(plots, lanes)}
${groups.length === 0 ? '' : renderTable(result, groups)}
${renderNotes(result)}
</section>`
}

/** More lanes than these in one plot are looked up, not looked at. */
const manyLanes = 32

function renderPlots(plots: readonly string[], lanes: number): string {
  if (plots.length === 0) return ''
  const all = `<div class="plots">\n${plots.join('\n')}\n</div>`
  return lanes > manyLanes ? `<details><summary>Plots</summary>${all}</details>` : all
}

function renderTable(result: Result, groups: readonly Group[]): string {
  const label = escapeHtml(`${result.title}, figures`)
  const heads = result.figures.map((figure) => `<th scope="col">${escapeHtml(headOf(figure))}</th>`)
  const bodies = groups.map(
    ({ title, rows }) => `<tbody>
${title === '' ? '' : `<tr><th class="case" scope="rowgroup" colspan="${result.figures.length + 1}"><span>${escapeHtml(title)}</span></th></tr>`}
${rows
  .map(
    (row) =>
      `<tr><th scope="row" class="${lookOf(row)}">${escapeHtml(row.title)}</th>${row.fields.map(renderField).join('')}</tr>`,
  )
  .join('\n')}
</tbody>`,
  )
  // To be scrolled by keyboard, what scrolls must take the focus.
  return `<div class="scroll" role="region" aria-label="${label}" tabindex="0"><table>
<thead><tr><td></td>${heads.join('')}</tr></thead>
${bodies.join('\n')}
</table></div>`
}

function renderField({ spread, best }: Field): string {
  if (spread === undefined) return '<td>–</td>'
  const [middle, low, high] = [spread.median, spread.low, spread.high].map(formatValue)
  const range = low === high ? '' : ` <small>(${low}–${high})</small>`
  return best
    ? `<td class="best"><span class="mark" role="img" aria-label="best">✓</span> ${middle}${range}</td>`
    : `<td>${middle}${range}</td>`
}

function renderNotes({ notes }: Result): string {
  if (notes.length === 0) return ''
  const items = notes.map(({ what, why }) => `<li><b>${escapeHtml(what)}</b>: ${escapeHtml(why)}</li>`)
  return `<div class="notes"><h3>Notes: what was not measured, and why</h3><ul>${items.join('\n')}</ul></div>`
}

/** A sentence with names of code in backticks. */
function prose(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>')
}
