import { expect, test } from 'vitest'
import { busyPercent, createGauge } from '../src/vitals.ts'

test.each([
  ['half of the time', { busyMs: 0, totalMs: 0 }, { busyMs: 50, totalMs: 100 }, 50],
  ['no step of the kernel yet', { busyMs: 5, totalMs: 10 }, { busyMs: 5, totalMs: 10 }, 0],
  ['a counter that fell back', { busyMs: 5, totalMs: 10 }, { busyMs: 4, totalMs: 20 }, 0],
  ['an idle counter that fell back', { busyMs: 5, totalMs: 100 }, { busyMs: 15, totalMs: 105 }, 100],
])('busy: %s', (_, before, after, expected) => {
  expect(busyPercent([before], [after])).toEqual([expected])
})

test('a processor that was switched on meanwhile counts from then', () => {
  expect(busyPercent([], [{ busyMs: 10, totalMs: 40 }])).toEqual([25])
})

test('a gauge reads this host', () => {
  const gauge = createGauge()
  try {
    const { cpu, cores, memoryUsedBytes, memoryTotalBytes } = gauge.readVitals()
    for (const percent of [cpu, ...cores]) {
      expect(percent).toBeGreaterThanOrEqual(0)
      expect(percent).toBeLessThanOrEqual(100)
    }
    expect(memoryUsedBytes).toBeGreaterThan(0)
    expect(memoryUsedBytes).toBeLessThan(memoryTotalBytes)
    expect(gauge.readLoad().averages).toHaveLength(3)
    expect(gauge.readLoad().loopDelayMs).toBeGreaterThanOrEqual(0)
  } finally {
    gauge.close()
  }
})
