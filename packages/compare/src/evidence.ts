import { type Comparison, compareCells, type Figure, remarkOn, type Spread, spreadOf } from './figure.ts'
import { formatFigure, formatSpread } from './format.ts'
import { type Findings, type Place, type Report, valuesOf } from './report.ts'

/** What a sentence stands on, so that a page can link to it. */
export interface Source {
  readonly scenario: string
  readonly figures: readonly string[]
}

/** Where to look for a figure. */
export interface Lookup {
  readonly scenario: string
  readonly figure: string
  /** The case's title, or what it has to match. @defaultValue the first case that was measured over both */
  readonly of?: string | RegExp
  /** Of the control rows, which are without our code. @defaultValue false */
  readonly control?: boolean
}

/** One figure over both transports, in one case. */
export interface Contest {
  readonly scenario: string
  readonly figure: Figure
  /** `''` where the scenario has one case only. */
  readonly case: string
  readonly place: Place
  /** At least one of the two is there. */
  readonly sse: Spread | undefined
  readonly ws: Spread | undefined
  /** How SSE stands to WebSocket. */
  readonly comparison: Comparison | undefined
}

/** All cases of a figure that have a value. A report may hold the same scenario from several places. */
export function contestsFor(
  report: Report | undefined,
  { scenario, figure, of, control = false }: Lookup,
): readonly Contest[] {
  const results = report?.results.filter((result) => result.scenario === scenario) ?? []
  return results.flatMap((result) =>
    result.figures
      .filter(({ name }) => name === figure)
      .flatMap((declared) => casesOf(result, of).map((title) => contestIn(result, declared, title, control)))
      .filter(({ sse, ws }) => sse !== undefined || ws !== undefined),
  )
}

/**
 * The first of them that was measured over both transports, or else over one.
 *
 * @returns `undefined` where the scenario was not in the run, or found nothing of this figure.
 */
export function contestOf(report: Report | undefined, lookup: Lookup): Contest | undefined {
  return firstOf(contestsFor(report, lookup))
}

/** The same for each place that measured it. */
export function contestsByPlace(report: Report, lookup: Lookup): readonly Contest[] {
  const all = contestsFor(report, lookup)
  const places = [...new Set(all.map(({ place }) => place.name))]
  return places.flatMap((name) => firstOf(all.filter(({ place }) => place.name === name)) ?? [])
}

function firstOf(contests: readonly Contest[]): Contest | undefined {
  return contests.find(({ comparison }) => comparison !== undefined) ?? contests[0]
}

function casesOf({ cases }: Findings, of: Lookup['of']): readonly string[] {
  if (of === undefined) return cases
  return cases.filter((title) => (typeof of === 'string' ? title === of : of.test(title)))
}

/** Of each result the first figure that is a contest, in each case that was measured over both transports. */
export function contestsOf(report: Report): readonly Contest[] {
  return report.results.flatMap((result) => {
    const main = result.figures.find(({ better }) => better !== 'neither')
    if (main === undefined) return []
    return result.cases
      .map((title) => contestIn(result, main, title))
      .filter(({ comparison }) => comparison !== undefined)
  })
}

function contestIn(result: Findings, figure: Figure, title: string, control = false): Contest {
  const suffix = control ? '-bare' : ''
  const sse = valuesOf(result, `sse${suffix}`, figure.name, title)
  const ws = valuesOf(result, `ws${suffix}`, figure.name, title)
  return {
    scenario: result.scenario,
    figure,
    case: title,
    place: result.place,
    sse: spreadOf(sse),
    ws: spreadOf(ws),
    comparison: compareCells(sse, ws),
  }
}

/** @returns the transport that is better in this figure beyond noise; `undefined` of anything else. */
export function aheadIn({ figure, comparison }: Contest): 'sse' | 'ws' | undefined {
  const verdict = comparison?.verdict
  if (figure.better === 'neither' || (verdict !== 'less' && verdict !== 'more')) return undefined
  return verdict === figure.better ? 'sse' : 'ws'
}

/** `100 B, in Chromium 141`: what a figure was measured at, where that is not plain; or `''`. */
export function whereOf(contest: Contest): string {
  const { place } = contest
  return [contest.case, place.kind === 'page' && `in ${place.name}`].filter(Boolean).join(', ')
}

/** `1.24 (1.20–1.31) ms over SSE and 1.30 (1.22–1.40) ms over WebSocket, a tie` */
export function inWords({ figure, sse, ws, comparison }: Contest): string {
  const [one, other] = [sse && spreadInWords(sse, figure), ws && spreadInWords(ws, figure)]
  if (one === undefined) return `${other} over WebSocket, no value over SSE`
  if (other === undefined) return `${one} over SSE, no value over WebSocket`
  return `${one} over SSE and ${other} over WebSocket${comparison ? remarkOn(comparison) : ''}`
}

function spreadInWords(spread: Spread, { unit }: Figure): string {
  return spread.low === spread.high
    ? formatFigure(spread.median, unit)
    : [formatSpread(spread), unit].filter(Boolean).join(' ')
}
