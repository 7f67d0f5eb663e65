import { describe, expect, test } from 'vitest'
import { answersOf, questions } from '../src/answers.ts'
import { lookups } from '../src/recommend.ts'
import { care } from '../src/scenarios/care.ts'
import { cost } from '../src/scenarios/cost.ts'
import { direction } from '../src/scenarios/direction.ts'
import { handshake } from '../src/scenarios/handshake.ts'
import { latency } from '../src/scenarios/latency.ts'
import { proxies } from '../src/scenarios/proxies.ts'
import { tabs } from '../src/scenarios/tabs.ts'
import { throughput } from '../src/scenarios/throughput.ts'
import { wire } from '../src/scenarios/wire.ts'
import { about, type Measured, reportOf } from './reports.ts'

const names = ['direction', 'base', 'format', 'care', 'performance', 'browsers', 'use-cases']

const ofTarget = questions.flatMap(({ figures }) => figures.filter((lookup) => lookup.ofTarget))

/** Each figure that is cited, with its question, and a case that the citation asks for. */
const cited = questions.flatMap(({ name, figures }) =>
  figures
    .filter(({ ofTarget }) => ofTarget !== true)
    .map((lookup) => ({ question: name, ...lookup, case: caseOf(lookup.of) })),
)

function caseOf(of: string | RegExp | undefined): string {
  return of === undefined || typeof of === 'string' ? (of ?? '') : '100 subscribers, 100 B'
}

function measured(lookup: (typeof cited)[number], sse: readonly number[], ws: readonly number[]): Measured {
  const suffix = lookup.control === true ? '-bare' : ''
  return {
    scenario: lookup.scenario,
    figure: { name: lookup.figure, unit: 'ms', better: 'less' },
    case: lookup.case,
    rows: { [`sse${suffix}`]: sse, [`ws${suffix}`]: ws },
  }
}

const answerOf = (name: string, ...figures: readonly Measured[]) =>
  answersOf(reportOf(...figures)).find((answer) => answer.name === name)

test('there are seven answers, whatever was measured', () => {
  expect(answersOf(reportOf()).map(({ name }) => name)).toEqual(names)
})

test.each(names)('%s, of an empty run, says how to measure it and cites nothing', (name) => {
  const answer = answerOf(name)
  expect(answer?.answer).toMatch(/not measured in this run|nothing was measured/i)
  expect(answer?.answer).toMatch(/`eitherway-compare[^`]*`/)
  expect(answer).not.toHaveProperty('from')
})

describe.each(cited)('$question, with $scenario/$figure', (lookup) => {
  const { question, scenario, figure } = lookup

  test('cites the figure with its spread', () => {
    const answer = answerOf(question, measured(lookup, about(400), about(200)))
    expect(answer?.answer).toContain('400 (396–404) ms over SSE and 200 (198–202) ms over WebSocket')
    expect(answer?.answer).not.toContain('a tie')
    expect(answer?.from).toEqual({ scenario, figures: [figure] })
  })

  test('says of a tie that it is one', () => {
    const answer = answerOf(question, measured(lookup, [1, 2, 3, 4], [2, 3, 4, 5]))
    expect(answer?.answer).toContain('2.50 (1–4) ms over SSE and 3.50 (2–5) ms over WebSocket, a tie')
  })

  test('says of too few rounds that nothing can be told, and of no tie', () => {
    const answer = answerOf(question, measured(lookup, [1, 2, 3], [8, 9]))
    expect(answer?.answer).toContain(
      '2 (1–3) ms over SSE and 8.50 (8–9) ms over WebSocket, too few rounds to tell',
    )
    expect(answer?.answer).not.toContain('a tie')
  })

  test('does not compare what has one side only', () => {
    const answer = answerOf(question, measured(lookup, about(400), []))
    expect(answer?.answer).toContain('400 (396–404) ms over SSE, no value over WebSocket')
    expect(answer?.answer).not.toContain('a tie')
  })

  test('says why a scenario that ran found nothing', () => {
    const empty = { ...measured(lookup, [], []), notes: [{ what: 'all', why: 'there is no nginx' }] }
    const answer = answerOf(question, empty)
    expect(answer?.answer).toContain(`This run has no figure of ${scenario} for it (all: there is no nginx).`)
  })
})

test('what was measured in a page names the browser', () => {
  const tabs = cited.find(({ scenario }) => scenario === 'tabs')
  if (tabs === undefined) throw new Error('no question cites tabs')
  const place = { kind: 'page', name: 'Chromium 141' } as const
  const answer = answerOf('browsers', { ...measured(tabs, about(6), about(12)), place })
  expect(answer?.answer).toContain('in Chromium 141')
})

test('each place that measured a figure is cited', () => {
  const tabs = cited.find(({ scenario }) => scenario === 'tabs')
  if (tabs === undefined) throw new Error('no question cites tabs')
  const places = ['Chromium 141', 'Firefox 144'].map((name) => ({ kind: 'page', name }) as const)
  const found = places.map((place, at) => ({ ...measured(tabs, about(6 + at), about(12)), place }))
  const answer = answerOf('browsers', ...found)
  expect(answer?.answer).toMatch(/in Chromium 141\): 6 .* in Firefox 144\): 7 /)
  expect(answer?.from).toEqual({ scenario: 'tabs', figures: [tabs.figure] })
})

test('of several results of a place, the one that measured both comes first', () => {
  const [lookup] = cited
  if (lookup === undefined) throw new Error('no question cites anything')
  const half = measured(lookup, about(400), [])
  const answer = answerOf(lookup.question, half, measured(lookup, about(300), about(200)))
  expect(answer?.answer).toContain('300 (297–303) ms over SSE and 200 (198–202) ms over WebSocket')
})

test("a run against a user's own server is cited too", () => {
  const [lookup] = ofTarget
  const figure = { name: 'first', unit: 'ms', better: 'less' } as const
  const rows = { sse: about(400), ws: about(200) }
  const answer = answerOf('base', { scenario: 'server', figure, rows })
  expect(lookup).toMatchObject({ scenario: 'server', figure: 'first' })
  expect(answer?.answer).toContain('first message from your server: 400 (396–404) ms over SSE')
})

test('the use cases count who is ahead in each case, beyond noise, in what is a contest', () => {
  const figure = { name: 'a', unit: 'ms', better: 'less' } as const
  const run = (scenario: string, sse: number, ws: number, better: 'less' | 'more' | 'neither' = 'less') => ({
    scenario,
    figure: { ...figure, better },
    rows: { sse: about(sse), ws: about(ws) },
  })
  const answer = answerOf(
    'use-cases',
    run('one', 1, 2),
    run('two', 1, 2, 'more'),
    run('three', 1, 1),
    run('five', 1, 2),
    { ...run('five', 2, 1), case: 'another' },
    { ...run('five', 1, 1), case: 'a third' },
    { ...run('five', 1, 1), case: 'a fourth' },
    { ...run('six', 1, 2), rows: { sse: [1], ws: [2] } },
    { ...run('six', 1, 2), place: { kind: 'page', name: 'Firefox 144' } },
    run('four', 1, 2, 'neither'),
  )
  expect(answer?.answer).toContain(
    'one, a: SSE ahead in 1; two, a: WebSocket ahead in 1; three, a: a tie in 1; ' +
      'five, a: SSE ahead in 1, WebSocket ahead in 1, a tie in 2; ' +
      'six, a: too few rounds to tell in 1; six, a (in Firefox 144): SSE ahead in 1.',
  )
  expect(answer?.from).toEqual({ scenario: 'one', figures: ['a'] })
  expect(answer?.also?.map(({ scenario }) => scenario)).toEqual(['two', 'three', 'five', 'six'])
})

test('of a scenario with several figures, the use cases count the first that is a contest', () => {
  const [found] = reportOf({
    scenario: 'one',
    figure: { name: 'main', unit: 'B', better: 'less' },
    rows: { sse: about(2), ws: about(1) },
  }).results
  if (found === undefined) throw new Error('there is no result')
  const [main] = found.figures
  if (main === undefined) throw new Error('there is no figure')
  const second = found.cells.map((cell) => ({ ...cell, figure: 'same' }))
  const figures = [
    { ...main, name: 'beside', title: 'beside', better: 'neither' as const },
    main,
    { ...main, name: 'same', title: 'same' },
  ]
  const report = { ...reportOf(), results: [{ ...found, figures, cells: [...found.cells, ...second] }] }
  const answer = answersOf(report).find(({ name }) => name === 'use-cases')?.answer
  expect(answer).toMatch(/cases: one, main: WebSocket ahead in 1\.$/)
})

test('every figure that an answer or a reason cites is one that its scenario declares', () => {
  const declared = new Set(
    [care, cost, direction, handshake, latency, proxies, tabs, throughput, wire].flatMap(
      ({ name, figures }) => figures.map((figure) => `${name}/${figure.name}`),
    ),
  )
  const wanted = [...cited, ...Object.values(lookups)].map(({ scenario, figure }) => `${scenario}/${figure}`)
  expect(wanted.filter((one) => !declared.has(one))).toEqual([])
})
