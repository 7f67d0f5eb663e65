import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createExpiries, type Expiring } from '../src/expiries.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 10_200, toFake: ['Date', 'setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** When each expired. */
function start(...times: readonly number[]) {
  const expiries = createExpiries(() => Date.now())
  const ended: (readonly [number, number])[] = []
  const who = times.map((at): Expiring => ({ expire: () => ended.push([at, Date.now()]) }))
  for (const [index, at] of times.entries()) expiries.add(who[index] as Expiring, at)
  return { expiries, ended, who }
}

test('none before its time, and each within a second of it', () => {
  const times = Array.from({ length: 400 }, (_, at) => 10_201 + at * 37)
  const { ended } = start(...times)
  vi.advanceTimersByTime(20_000)
  expect(ended.map(([at]) => at)).toEqual(times)
  for (const [at, when] of ended) {
    expect(when).toBeGreaterThanOrEqual(at)
    expect(when - at).toBeLessThan(1_000)
  }
})

test('10,000 have one timer, and none when they are gone', () => {
  const { expiries, who } = start(...Array.from({ length: 10_000 }, (_, at) => 11_000 + at))
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(1_000)
  expect(vi.getTimerCount()).toBe(1)
  for (const one of who) expiries.delete(one)
  expect(vi.getTimerCount()).toBe(0)
})

test('one that was taken out does not expire', () => {
  const { expiries, ended, who } = start(11_000, 11_000)
  expiries.delete(who[0] as Expiring)
  expiries.delete(who[0] as Expiring)
  vi.advanceTimersByTime(5_000)
  expect(ended).toHaveLength(1)
})

test('goes by the clock, when the machine has slept', () => {
  const { ended } = start(3_600_000)
  vi.setSystemTime(4_000_000)
  vi.advanceTimersByTime(1_000)
  expect(ended).toHaveLength(1)
})

test('after a stop nothing expires', () => {
  const { expiries, ended } = start(11_000)
  expiries.stop()
  vi.advanceTimersByTime(5_000)
  expect(ended).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

test('its timer keeps no process alive', () => {
  vi.useRealTimers()
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const expiries = createExpiries(() => Date.now())
  expiries.add({ expire: () => undefined }, Date.now() + 60_000)
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(before)
  expiries.stop()
})
