import { fewestRounds } from '../figure.ts'
import { formatValue } from '../format.ts'
import { type Field, type Group, groupsOf, headOf } from '../render/grid.ts'
import type { Result } from '../report.ts'
import { element, prose } from './element.ts'
import { none } from './format.ts'
import { type Scale, scaleOf } from './scale.ts'
import { verdictOf } from './verdict.ts'

/** Where a result stands in the page: another of the same scenario and place takes its place. */
export function anchorOf({ scenario, place }: Pick<Result, 'scenario' | 'place'>): string {
  return `result-${scenario}-${place.kind}`
}

/** Makes the card of one result: what it means, and the table with a bar in each cell. */
export function renderResult(result: Result): HTMLElement {
  const { title, question, place, explanation, notes, cells } = result
  const rounds = Math.max(0, ...cells.map(({ values }) => values.length))
  const id = anchorOf(result)
  const where =
    place.kind === 'node' ? `${place.name} on the server’s machine` : `this browser, ${place.name}`
  const card = element(
    'article',
    { id, class: 'result', tabindex: '-1', 'aria-labelledby': `${id}-title` },
    element(
      'header',
      {},
      element('h3', { id: `${id}-title` }, title),
      element('p', { class: 'question' }, question),
      element('p', { class: 'meta' }, `${where} · ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`),
    ),
  )
  if (explanation !== '') card.append(element('p', { class: 'explanation' }, ...prose(explanation)))
  const groups = groupsOf(result).filter(({ rows }) => rows.length > 0)
  if (groups.length > 0) card.append(tableOf(result, groups))
  if (rounds > 0 && rounds < fewestRounds) card.append(element('p', { class: 'hint quick' }, quickHint))
  if (notes.length > 0) card.append(notesOf(result))
  return card
}

const quickHint =
  'So few rounds tell nothing of noise, so no difference counts. A full run says which ones do, and which are ties.'

/** Roles are said again, because a table that is laid out as blocks on a phone loses them in some browsers. */
function tableOf(result: Result, groups: readonly Group[]): HTMLElement {
  const { figures, title } = result
  const scales = figures.map((_, index) =>
    scaleOf(groups.flatMap(({ rows }) => rows.flatMap(({ fields }) => ends(fields[index])))),
  )
  const head = element(
    'tr',
    { role: 'row' },
    element('td', { role: 'cell' }),
    ...figures.map((figure, index) =>
      element(
        'th',
        { scope: 'col', role: 'columnheader' },
        headOf(figure),
        ...(scales[index]?.isLogarithmic ? [element('small', {}, 'bars: log scale')] : []),
      ),
    ),
  )
  return element(
    'div',
    { class: 'figures', 'data-columns': String(Math.min(6, figures.length)) },
    element(
      'table',
      { role: 'table' },
      element('caption', { class: 'hidden' }, `${title}: median of each figure, and its spread in brackets`),
      element('thead', { role: 'rowgroup' }, head),
      ...groups.map((group) => bodyOf(result, group, scales)),
    ),
  )
}

function bodyOf(result: Result, { title, rows }: Group, scales: readonly Scale[]): HTMLElement {
  const { figures } = result
  const body = element('tbody', { role: 'rowgroup' })
  if (title !== '') {
    const attributes = { colspan: String(figures.length + 1), scope: 'colgroup', role: 'rowheader' }
    body.append(element('tr', { class: 'case', role: 'row' }, element('th', attributes, title)))
  }
  for (const row of rows) {
    const attributes = {
      role: 'row',
      ...(row.transport && { 'data-flag': row.transport }),
      ...(row.control && { class: 'control' }),
    }
    const name = element(
      'th',
      { scope: 'row', role: 'rowheader' },
      element('span', { class: 'swatch' }),
      row.title,
    )
    body.append(
      element('tr', attributes, name, ...row.fields.map((field, index) => cellOf(field, scales[index]))),
    )
  }
  const verdicts = figures.map((figure) => verdictOf(result, figure, title))
  // Said once below the table, and not in each case.
  if (verdicts.some((verdict) => verdict !== undefined) && !verdicts.some((verdict) => verdict?.isOpen)) {
    body.append(
      element(
        'tr',
        { class: 'verdict', role: 'row' },
        element('th', { scope: 'row', role: 'rowheader' }, 'SSE or WebSocket'),
        ...verdicts.map((verdict, index) => {
          const label = { role: 'cell', 'data-label': labelOf(result, index) }
          if (verdict === undefined) return element('td', label, none)
          const { winner, text } = verdict
          const flag = winner === undefined ? {} : { 'data-flag': winner }
          return element('td', label, element('span', { class: 'chip', ...flag }, text))
        }),
      ),
    )
  }
  return body
}

const labelOf = ({ figures }: Result, index: number): string => {
  const figure = figures[index]
  return figure === undefined ? '' : headOf(figure)
}

const ends = (field: Field | undefined): number[] =>
  field?.spread === undefined ? [] : [field.spread.low, field.spread.high]

function cellOf({ figure, spread, best }: Field, scale: Scale | undefined): HTMLElement {
  const cell = element('td', { role: 'cell', 'data-label': headOf(figure) })
  if (spread === undefined || scale === undefined) {
    cell.append(none)
    return cell
  }
  const [low, median, high] = [spread.low, spread.median, spread.high].map(formatValue)
  const value = element('span', { class: 'median' }, element(best ? 'strong' : 'span', {}, median ?? ''))
  if (low !== high) value.append(' ', element('small', {}, `(${low}–${high})`))
  if (scale.isEmpty) {
    cell.append(value)
    return cell
  }
  const bar = element('span', { class: 'bar', 'aria-hidden': 'true' }, element('i'), element('b'))
  bar.style.setProperty('--low', String(scale.share(spread.low)))
  bar.style.setProperty('--mid', String(scale.share(spread.median)))
  bar.style.setProperty('--high', String(scale.share(spread.high)))
  cell.append(element('span', { class: 'cell' }, value, bar))
  return cell
}

function notesOf({ notes }: Result): HTMLElement {
  return element(
    'details',
    { class: 'missing' },
    element('summary', {}, `Not measured, or to be known: ${notes.length}`),
    element('ul', {}, ...notes.map(({ what, why }) => element('li', {}, element('b', {}, what), `: ${why}`))),
  )
}
