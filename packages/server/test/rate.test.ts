import { expect, test } from 'vitest'
import { createRate } from '../src/rate.ts'

/** How many of `count` messages pass, one each `everyMs`. */
function passed(perSecond: number, count: number, everyMs: number): number {
  let now = 5_000
  const rate = createRate(perSecond, () => now)
  let within = 0
  for (let at = 0; at < count; at += 1) {
    if (rate.count()) within += 1
    now += everyMs
  }
  return within
}

test.each([
  ["a second's worth at once", 10, 10, 0, 10],
  ['one more than that', 10, 11, 0, 10],
  ['a flood', 10, 10_000, 0, 10],
  ['as fast as it may, for long', 10, 1_000, 100, 1_000],
  ['a tenth of it', 10, 1_000, 1_000, 1_000],
  ['twice as fast: a burst, and then every other', 10, 1_000, 50, 509],
  ['one in a second', 1, 5, 1_000, 5],
  ['no limit', Number.POSITIVE_INFINITY, 100_000, 0, 100_000],
] as const)('%s', (_, perSecond, count, everyMs, expected) => {
  expect(Math.abs(passed(perSecond, count, everyMs) - expected)).toBeLessThanOrEqual(everyMs === 50 ? 2 : 0)
})

test('a long silence saves up no more than a second', () => {
  let now = 0
  const rate = createRate(5, () => now)
  now = 3_600_000
  expect(Array.from({ length: 7 }, () => rate.count())).toEqual([true, true, true, true, true, false, false])
})
