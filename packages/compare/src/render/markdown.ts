import { answersOf } from '../answers.ts'
import { formatSpread } from '../format.ts'
import type { Report, Result } from '../report.ts'
import {
  clean,
  dateOf,
  type Field,
  groupsOf,
  headOf,
  machineLine,
  methodOf,
  notesOf,
  paragraphsOf,
  placesOf,
  serverLine,
} from './grid.ts'

/** The report as Markdown, with the tables of GitHub. */
export function renderMarkdown(report: Report): string {
  return [
    '# SSE and WebSocket, measured',
    [
      `- Measured: ${plain(dateOf(report))}`,
      `- Clients: ${plain(placesOf(report))}`,
      `- Server: ${plain(serverLine(report))}`,
      `- Machine: ${plain(machineLine(report.machine))}`,
    ].join('\n'),
    methodOf(report).map(plain).join(' '),
    '## The seven questions',
    ...answersOf(report).map(({ question, answer }) => `**${plain(question)}** ${plain(answer)}`),
    ...report.results.flatMap(sectionOf),
    ...notes(report),
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n')
}

function sectionOf(result: Result): string[] {
  return [
    `## ${plain(result.title)} (${plain(result.place.name)})`,
    `*${plain(result.question)}*`,
    ...paragraphsOf(result).map(plain),
    tableOf(result),
  ]
}

function tableOf(result: Result): string {
  const hasCases = result.cases.some((title) => title !== '')
  const heads = [...(hasCases ? ['Case'] : []), 'Row', ...result.figures.map(headOf)]
  const lines = groupsOf(result).flatMap(({ title, rows }) =>
    rows.map((row, index) => [
      ...(hasCases ? [index === 0 ? plain(title) : ''] : []),
      row.control ? `*${plain(row.title)}*` : plain(row.title),
      ...row.fields.map(fieldOf),
    ]),
  )
  if (lines.length === 0) return ''
  const aligns = heads.map((_, index) => (index <= Number(hasCases) ? '---' : '---:'))
  return [heads.map(plain), aligns, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function fieldOf({ spread, best }: Field): string {
  if (spread === undefined) return '–'
  return best ? `**${formatSpread(spread)}**` : formatSpread(spread)
}

function notes(report: Report): string[] {
  const all = notesOf(report)
  if (all.length === 0) return []
  return [
    '## Notes: what was not measured, and why',
    all.map(({ title, what, why }) => `- ${plain(title)}: ${plain(what)}: ${plain(why)}`).join('\n'),
  ]
}

/** Text that says of itself what it is: no markup of its own, and no end of a table's field. */
function plain(text: string): string {
  return clean(text)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/[\\[\]*_|~#!]/g, '\\$&')
}
