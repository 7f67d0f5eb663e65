import { clampRetryMs } from '@eitherway/core'
import { seeded } from '@eitherway/core/testing'
import { expect, test } from 'vitest'
import { backoffMs } from '../src/backoff.ts'

test.each([
  [0, 250],
  [-1, 250],
  [249, 250],
  [250, 250],
  [15_000, 15_000],
  [300_000, 300_000],
  [300_001, 300_000],
  [4_294_967_297, 300_000],
  [Number.POSITIVE_INFINITY, 300_000],
  [Number.NaN, 250],
])('a server that asks for %d ms is followed with %d ms', (asked, followed) => {
  expect(clampRetryMs(asked)).toBe(followed)
})

const settings = { retryMs: 0, baseMs: 500, capMs: 30_000 }

test('the wait is never below the floor, nor above the window that doubles with each try', () => {
  const random = seeded(1)
  for (let attempt = 0; attempt < 2_000; attempt += 1) {
    const ms = backoffMs({ ...settings, attempt, random: random() })
    expect(ms).toBeGreaterThanOrEqual(250)
    expect(ms).toBeLessThanOrEqual(250 + Math.min(30_000, 500 * 2 ** Math.min(attempt, 30)))
  }
})

test("the server's wait is the least, and the jitter comes on top", () => {
  expect(backoffMs({ ...settings, retryMs: 15_000, attempt: 0, random: 0 })).toBe(15_000)
  expect(backoffMs({ ...settings, retryMs: 15_000, attempt: 0, random: 0.999 })).toBe(15_500)
})

test('a thousand clients that were cut at once come back spread over the whole window', () => {
  const random = seeded(7)
  const waits = Array.from({ length: 1_000 }, () => backoffMs({ ...settings, attempt: 4, random: random() }))
  const tenths = new Set(waits.map((ms) => Math.floor((ms - 250) / 800)))
  expect(tenths.size).toBe(10)
})
