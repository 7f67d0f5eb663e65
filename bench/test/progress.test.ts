import { expect, test } from 'vitest'
import { createProgress, inWords } from '../progress.mjs'

test('what is left is what was expected, at first', () => {
  const progress = createProgress([10_000, 20_000, 30_000])
  progress.begin(0, 0)
  expect(progress.leftMs(0)).toBe(60_000)
  expect(progress.leftMs(4000)).toBe(56_000)
})

test('on a machine that took twice as long, the rest does too', () => {
  const progress = createProgress([10_000, 20_000, 30_000])
  progress.begin(1, 20_000)
  expect(progress.leftMs(20_000)).toBe(100_000)
  // The part is late: only those after it are left.
  expect(progress.leftMs(90_000)).toBe(60_000)
})

test('long times are minutes', () => {
  expect([0, 98_600, 100_000, 1_860_000].map(inWords)).toEqual(['0 s', '99 s', '2 min', '31 min'])
})
