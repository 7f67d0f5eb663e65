import { expect, test } from 'vitest'
import { geometricMean, quantile, spreadOf, verdictOf } from '../spread.mjs'

test.each([
  [[], undefined],
  [[3], { median: 3, low: 3, high: 3, rounds: 1 }],
  [[10, 9], { median: 9.5, low: 9, high: 10, rounds: 2 }],
  [[6, 5, 4, 3, 2, 1], { median: 3.5, low: 1, high: 6, rounds: 6 }],
  // From seven on, the outermost do not count.
  [[100, 2, 3, 4, 5, 6, -100], { median: 4, low: 2, high: 6, rounds: 7 }],
])('the spread of %j', (values, spread) => {
  expect(spreadOf(values)).toEqual(spread)
})

test('a quantile between two values is as far between them', () => {
  const sorted = [0, 10, 20, 30, 40]
  expect([0, 0.25, 0.5, 0.99, 1].map((share) => quantile(sorted, share))).toEqual([0, 10, 20, 39.6, 40])
})

test('twice as much and half as much are the same on the geometric mean', () => {
  expect(geometricMean([0.5, 2])).toBeCloseTo(1)
  expect(geometricMean([2, 8])).toBeCloseTo(4)
})

/** So many rounds above, then so many below. */
const rounds = (above: number, below: number, by = 0.1) => [
  ...Array(above).fill(1 + by),
  ...Array(below).fill(1 - by),
]

test.each([
  ['all of seven above', rounds(7, 0), 'slower'],
  ['all of seven below', rounds(0, 7), 'faster'],
  ['all of six, which chance does too', rounds(6, 0), 'tie'],
  ['six of seven', rounds(6, 1), 'tie'],
  ['nine of ten', rounds(9, 1), 'slower'],
  ['twelve of fifteen', rounds(12, 3), 'tie'],
  ['thirteen of fifteen', rounds(13, 2), 'slower'],
  ['thirteen of fifteen below', rounds(2, 13), 'faster'],
  ['half and half', rounds(8, 7), 'tie'],
  ['all of fifteen, by 2 %', rounds(15, 0, 0.02), 'tie'],
  ['all of fifteen, by 4 %', rounds(15, 0, 0.04), 'slower'],
  ['all the same', rounds(15, 0, 0), 'tie'],
  ['none', [], 'tie'],
])('%s', (_, ratios, verdict) => {
  expect(verdictOf(ratios)).toBe(verdict)
})
