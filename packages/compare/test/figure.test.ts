import { expect, test } from 'vitest'
import { compareCells, remarkOn, spreadOf } from '../src/figure.ts'

test.each([
  [[], undefined],
  [[3], { median: 3, low: 3, high: 3, rounds: 1 }],
  [[4, 1, 3, 2], { median: 2.5, low: 1, high: 4, rounds: 4 }],
  // What happens in one round of seven is a finding, not an outlier.
  [[0, 0, 0, 0, 0, 0, 25], { median: 0, low: 0, high: 25, rounds: 7 }],
  [[-9, 1, 1, 1, 1, 1, 1], { median: 1, low: -9, high: 1, rounds: 7 }],
])('the spread of %j', (values, spread) => {
  expect(spreadOf(values)).toEqual(spread)
})

test.each([
  [[1, 1, 1, 1], [2, 2, 2, 2], 'less', ''],
  [[3, 3, 3, 3], [2, 2, 2, 2], 'more', ''],
  [[1, 2, 3, 4], [4, 5, 6, 7], 'tie', ', a tie'],
  [[1, 1, 1, 1, 1, 1, 9], [2, 2, 2, 2, 2, 2, 2], 'tie', ', a tie'],
  [[1, 1, 1], [2, 2, 2, 2], 'open', ', too few rounds to tell'],
  [[1, 1, 1, 1], [1], 'open', ', too few rounds to tell'],
] as const)('%j beside %j: %s', (one, other, verdict, remark) => {
  const compared = compareCells(one, other)
  expect(compared?.verdict).toBe(verdict)
  expect(compared && remarkOn(compared)).toBe(remark)
})

test('where one of the two has no value, there is no comparison', () => {
  expect(compareCells([], [1, 1, 1, 1])).toBeUndefined()
})
