import { compareCells, type Figure, fewestRounds, type Spread, spreadOf } from '../figure.ts'
import type { Machine, Report, Result } from '../report.ts'

/** The figures of one case: what a table shows. */
export interface Group {
  readonly title: string
  readonly rows: readonly Row[]
}

export interface Row {
  readonly name: string
  readonly title: string
  readonly control: boolean
  readonly transport: 'sse' | 'ws' | undefined
  /** One for each figure of the scenario, in its order. */
  readonly fields: readonly Field[]
}

export interface Field {
  readonly figure: Figure
  readonly spread: Spread | undefined
  /** Whether it is better than every other row of its kind (ours, or control rows), beyond the noise. */
  readonly best: boolean
}

/** The result as tables, one for each case; rows without any figure in a case are left out of it. */
export function groupsOf(result: Result): readonly Group[] {
  const values = new Map(
    result.cells.map((cell) => [
      keyOf(cell.case, cell.row, cell.figure),
      cell.values.filter(Number.isFinite),
    ]),
  )
  const of = (title: string, row: string, figure: string) => values.get(keyOf(title, row, figure)) ?? []
  return result.cases.map((title) => ({
    title,
    rows: result.rows
      .map((row) => ({
        ...row,
        transport: transportOf(row.name),
        fields: result.figures.map((figure) => {
          const mine = of(title, row.name, figure.name)
          const others = result.rows
            .filter(({ name, control }) => name !== row.name && control === row.control)
            .map(({ name }) => of(title, name, figure.name))
            .filter(({ length }) => length > 0)
          return { figure, spread: spreadOf(mine), best: isBest(figure, mine, others) }
        }),
      }))
      .filter(({ fields }) => fields.some(({ spread }) => spread !== undefined)),
  }))
}

const keyOf = (...names: readonly string[]): string => JSON.stringify(names)

function isBest(figure: Figure, mine: readonly number[], others: readonly (readonly number[])[]): boolean {
  if (figure.better === 'neither' || others.length === 0) return false
  return others.every((other) => compareCells(mine, other)?.verdict === figure.better)
}

function transportOf(name: string): Row['transport'] {
  if (/sse/i.test(name)) return 'sse'
  return /ws|websocket/i.test(name) ? 'ws' : undefined
}

/** `Median, ms` */
export function headOf({ title, unit }: Figure): string {
  return unit === '' ? title : `${title}, ${unit}`
}

/** `2026-11-22 20:15 UTC` */
export function dateOf({ startedAt }: Report): string {
  return startedAt.replace('T', ' ').replace(/:\d\d(\.\d+)?Z$/, ' UTC')
}

/** `2 × Some Processor, 8 GiB, Linux 6.1, Node 20.20.2` */
export function machineLine({ node, system, processor, cores, memoryBytes }: Machine): string {
  return `${cores} × ${processor}, ${Math.round(memoryBytes / 1024 ** 3)} GiB, ${system}, Node ${node}`
}

/** Where the clients were, each place once. */
export function placesOf({ results }: Report): string {
  return [...new Set(results.map(({ place }) => place.name))].join(', ')
}

/** Which server was measured. */
export function serverLine({ target }: Report): string {
  if (target === undefined) return 'a process of its own on this machine, reached over loopback'
  return [target.sse, target.ws].filter((url) => url !== undefined).join(' and ')
}

/** How the figures came about, in plain sentences. */
export function methodOf(report: Report): readonly string[] {
  const { fewest, most } = roundsOf(report)
  const count = fewest === most ? `${most}` : `${fewest} to ${most}`
  return [
    `Each figure is the median of ${count} ${most === 1 ? 'round' : 'rounds'}, and in brackets its spread: the lowest and the highest round.`,
    'Rounds are interleaved: all rows take turns in each round, beginning with another one each time, so that what befalls the machine befalls them alike.',
    'A difference counts where the two spreads do not touch, over at least four rounds each; of so many rounds, anything else is a tie, and fewer are too few to tell. The best of a column is marked where it beats every other row of its kind in this way.',
    'Control rows are without our code: they show what the abstraction itself costs.',
    ...warningOf(report),
  ]
}

/** What is to be said of a run that cannot tell a difference from noise. */
export function warningOf(report: Report): readonly string[] {
  const { most } = roundsOf(report)
  if (most === 0 || most >= fewestRounds) return []
  return [
    `${most === 1 ? 'One round is' : `${most} rounds are`} too few to compare anything: they tell that it works, not which is better.`,
  ]
}

function roundsOf({ results }: Report): { readonly fewest: number; readonly most: number } {
  const rounds = results.flatMap(({ cells }) => cells.map(({ values }) => values.length))
  return { fewest: Math.min(...rounds, rounds[0] ?? 0), most: Math.max(0, ...rounds) }
}

/** An explanation's paragraphs, which a line feed divides. */
export function paragraphsOf({ explanation }: Result): readonly string[] {
  return explanation.split('\n').filter((paragraph) => paragraph.trim() !== '')
}

/** All notes, and of which scenario they are. */
export function notesOf({ results }: Report): readonly { title: string; what: string; why: string }[] {
  return results.flatMap(({ title, notes }) => notes.map(({ what, why }) => ({ title, what, why })))
}

/** Ordinary text on one line: nothing in it can steer a terminal or break out of its place. */
export function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come through
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ')
}
