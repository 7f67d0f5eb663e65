import { expect, test } from 'vitest'
import type { Figure } from '../src/figure.ts'
import { scaleOf } from '../src/page/scale.ts'
import { verdictOf } from '../src/page/verdict.ts'
import type { Findings } from '../src/report.ts'

const about = (better: Figure['better']): Figure => ({ name: 'figure', title: 'Figure', unit: 'ms', better })

function findings(figure: Figure, sse: readonly number[], ws: readonly number[]): Findings {
  return {
    scenario: 'any',
    title: 'Any',
    question: '?',
    place: { kind: 'node', name: 'Node' },
    figures: [figure],
    rows: [],
    cases: [''],
    cells: [
      { case: '', row: 'sse', figure: 'figure', values: sse },
      { case: '', row: 'ws', figure: 'figure', values: ws },
    ],
    notes: [],
    ms: 1,
  }
}

test.each([
  ['less', [1, 1, 1.1, 1], [2, 2, 2, 2.1], 'sse', 'SSE 2.0 × less'],
  ['less', [20, 20, 20, 20], [1, 1, 1, 1], 'ws', 'WebSocket 20 × less'],
  ['more', [1, 1, 1, 1], [3, 3, 3, 3], 'ws', 'WebSocket 3.0 × more'],
  ['more', [104, 104, 104, 104], [100, 100, 100, 100], 'sse', 'SSE 4.0 % more'],
  ['neither', [2, 2, 2, 2], [1, 1, 1, 1], undefined, 'SSE 2.0 × more'],
  ['less', [0, 0, 0, 0], [3, 3, 3, 3], 'sse', 'SSE less'],
  ['less', [1, 2, 3, 4], [2, 3, 4, 5], undefined, 'a tie'],
  ['less', [1, 1], [9, 9], undefined, 'too few rounds'],
  ['less', [35, 35], [35, 35], undefined, 'the same'],
] as const)('%s is better, %j against %j: %s', (better, sse, ws, winner, text) => {
  const figure = about(better)
  expect(verdictOf(findings(figure, sse, ws), figure, '')).toMatchObject({ winner, text })
})

test('where one of the two was not measured, there is no verdict', () => {
  const figure = about('less')
  expect(verdictOf(findings(figure, [1, 1, 1, 1], []), figure, '')).toBeUndefined()
})

test.each([
  [[1, 2, 4], false, [0.25, 0.5, 1]],
  [[0, 2, 4], false, [0, 0.5, 1]],
  [[0, 0], false, [0, 0]],
  [[], false, []],
  [[1, 10, 100], true, [0, 0.5, 1]],
  // A logarithm has no place for 0.
  [[0, 1, 100], false, [0, 0.01, 1]],
])('%j lie along a bar, by decades %s, at %j', (values, isLogarithmic, shares) => {
  const scale = scaleOf(values)
  expect(scale.isLogarithmic).toBe(isLogarithmic)
  values.forEach((value, index) => {
    expect(scale.share(value)).toBeCloseTo(shares[index] ?? Number.NaN)
  })
})
