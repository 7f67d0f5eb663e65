import type { Encoder } from '@eitherway/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createHeartbeats } from '../src/heartbeats.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }))
afterEach(() => void vi.useRealTimers())

const encoder: Encoder = { encode: ({ type }) => type }

function createReader() {
  const at: number[] = []
  const startedAt = performance.now()
  return { encoder, slot: 0, at, write: () => void at.push(performance.now() - startedAt) }
}

test.each([10, 99, 1000, 25_000])('with %i ms every peer hears that often, whenever it came', (everyMs) => {
  const heartbeats = createHeartbeats(everyMs)
  const readers = Array.from({ length: 40 }, () => {
    const reader = createReader()
    heartbeats.add(reader)
    vi.advanceTimersByTime(everyMs / 20)
    return reader
  })
  vi.advanceTimersByTime(3 * everyMs)
  for (const { at } of readers) {
    const gaps = at.map((time, index) => time - (at[index - 1] ?? 0))
    expect(at.length).toBeGreaterThanOrEqual(3)
    // Timers keep whole milliseconds.
    for (const gap of gaps) expect(gap).toBeLessThanOrEqual(everyMs + 1)
  }
  heartbeats.stop()
})

test('peers that came at different times are not written to in one moment', () => {
  const heartbeats = createHeartbeats(3200)
  const readers = [createReader(), createReader()] as const
  heartbeats.add(readers[0])
  vi.advanceTimersByTime(1600)
  heartbeats.add(readers[1])
  vi.advanceTimersByTime(3200)
  expect(readers[0].at).toEqual([3200])
  expect(readers[1].at).toEqual([4800])
  heartbeats.stop()
})

test('is one timer, whoever listens, and none when it never beats', () => {
  const never = createHeartbeats(0)
  never.add(createReader())
  expect(vi.getTimerCount()).toBe(0)
  const heartbeats = createHeartbeats(1000)
  for (let count = 0; count < 1000; count += 1) heartbeats.add(createReader())
  expect(vi.getTimerCount()).toBe(1)
  heartbeats.stop()
  expect(vi.getTimerCount()).toBe(0)
})

test('whoever has left hears none', () => {
  const heartbeats = createHeartbeats(1000)
  const reader = createReader()
  heartbeats.add(reader)
  heartbeats.delete(reader)
  vi.advanceTimersByTime(5000)
  expect(reader.at).toEqual([])
  heartbeats.stop()
})
