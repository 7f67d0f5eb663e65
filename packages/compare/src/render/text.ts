import { formatSpread } from '../format.ts'
import type { Report, Result } from '../report.ts'
import {
  clean,
  dateOf,
  groupsOf,
  headOf,
  machineLine,
  paragraphsOf,
  placesOf,
  serverLine,
  warningOf,
} from './grid.ts'

/** The report for a terminal. @param columns - its width. @defaultValue 100 */
export function renderText(report: Report, columns = 100): string {
  const width = Math.max(40, Math.min(columns, 120))
  return [
    `${clean(dateOf(report))} · ${clean(placesOf(report))}\nServer: ${clean(serverLine(report))}\n${clean(machineLine(report.machine))}`,
    ...report.results.map((result) => renderResult(result, width)),
    report.results.some((result) => groupsOf(result).some(({ rows }) => rows.some(isMarked))) ? legend : '',
    ...warningOf(report),
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n')
}

const legend = '* better than every other row of its kind, beyond the noise'

const isMarked = ({ fields }: { readonly fields: readonly { readonly best: boolean }[] }): boolean =>
  fields.some(({ best }) => best)

/** One scenario. */
function renderResult(result: Result, width: number): string {
  const title = `${clean(result.title)} (${clean(result.place.name)})`
  return [
    `${title}\n${'─'.repeat(Math.min(width, title.length))}\n${wrap(clean(result.question), width)}`,
    ...tablesOf(result, width),
    ...paragraphsOf(result).map((paragraph) => wrap(clean(paragraph), width)),
    result.notes
      .map(({ what, why }) => wrap(`- note: ${clean(what)}: ${clean(why)}`, width, '  '))
      .join('\n'),
  ]
    .filter(Boolean)
    .join('\n\n')
}

/** As many figures side by side as there is room for; the others below. */
function tablesOf(result: Result, width: number): string[] {
  const groups = groupsOf(result).filter(({ rows }) => rows.length > 0)
  const labels = groups.flatMap(({ rows }) => rows.map(({ title }) => clean(title)))
  const labelWidth = Math.max(0, ...labels.map(lengthOf), ...result.cases.map((title) => clean(title).length))
  const columns = result.figures.map((figure, index) => {
    const texts = groups.flatMap(({ rows }) => rows.map(({ fields }) => textOf(fields[index])))
    return {
      index,
      head: clean(headOf(figure)),
      width: Math.max(headOf(figure).length, ...texts.map(lengthOf)),
    }
  })
  const chunks: (typeof columns)[] = []
  let room = 0
  for (const column of columns) {
    room -= column.width + 2
    if (room < 0) {
      chunks.push([])
      room = width - labelWidth - indent.length - column.width - 2
    }
    chunks.at(-1)?.push(column)
  }
  return chunks.map((chunk) =>
    [
      ' '.repeat(labelWidth + indent.length) +
        chunk.map(({ head, width }) => `  ${head.padStart(width)}`).join(''),
      ...groups.flatMap(({ title, rows }) => [
        ...(title === '' ? [] : [clean(title)]),
        ...rows.map(
          (row) =>
            indent +
            clean(row.title).padEnd(labelWidth) +
            chunk.map(({ index, width }) => `  ${textOf(row.fields[index]).padStart(width)}`).join(''),
        ),
      ]),
    ]
      .map((line) => line.trimEnd())
      .join('\n'),
  )
}

const indent = '  '

const lengthOf = (text: string): number => text.length

function textOf(
  field: ReturnType<typeof groupsOf>[number]['rows'][number]['fields'][number] | undefined,
): string {
  if (field?.spread === undefined) return '–'
  return `${field.best ? '* ' : ''}${formatSpread(field.spread)}`
}

function wrap(text: string, width: number, hang = ''): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').filter(Boolean)) {
    const longer = line === '' ? `${lines.length > 0 ? hang : ''}${word}` : `${line} ${word}`
    if (line !== '' && longer.length > width) {
      lines.push(line)
      line = `${hang}${word}`
    } else line = longer
  }
  return [...lines, line].join('\n')
}
