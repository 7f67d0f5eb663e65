import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWindow } from '../src/page/stats.ts'
import { quantileOf } from '../src/quantile.ts'

/** By the definition, word for word: the smallest value that at least this share of all values does not exceed. */
function naive(values: readonly number[], share: number): number | undefined {
  const fitting = values.filter(
    (candidate) => values.filter((value) => value <= candidate).length >= share * values.length,
  )
  return fitting.length === 0 ? undefined : Math.min(...fitting)
}

const numbers = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value + 0))

test('a quantile is the one that the definition names', () => {
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 100 }), (values, percent) => {
      expect(quantileOf(values, percent / 100)).toBe(naive(values, percent / 100))
    }),
  )
})

test.each([
  [[], 0.5, undefined],
  [[7], 0.99, 7],
  [[3, 1, 2], 0.5, 2],
  [[4, 3, 2, 1], 0.5, 2],
  [[10, 9, -1, 100], 1, 100],
  [Array.from({ length: 100 }, (_, index) => index + 1), 0.99, 99],
])('of %j the quantile %d is %d', (values, share, expected) => {
  expect(quantileOf(values, share)).toBe(expected)
})

test('a window holds what is younger than its span, and nothing else', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: -1000, max: 1000 })))
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 1500 }), (arrivals, later) => {
      const window = createWindow(1000, 0)
      const all: { at: number; value: number }[] = []
      let now = 0
      for (const [passed, value] of arrivals) {
        now += passed
        window.add(now, value)
        all.push({ at: now, value })
      }
      now += later
      const young = all.filter(({ at }) => now - at < 1000).map(({ value }) => value)
      expect(window.quantile(0.5, now)).toBe(naive(young, 0.5))
      expect(window.quantile(0.99, now)).toBe(naive(young, 0.99))
      if (now >= 1000) expect(window.rate(now)).toBe(young.length)
    }),
  )
})

test('the rate of a window that has just been opened is over the time that it has been open', () => {
  const window = createWindow(10_000, 5000)
  expect(window.rate(5000)).toBe(0)
  for (let at = 5100; at <= 6000; at += 100) window.add(at, 0)
  expect(window.rate(6000)).toBe(10)
})
