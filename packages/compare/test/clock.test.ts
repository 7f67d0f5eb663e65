import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createClock } from '../src/page/clock.ts'

test('however unequal the two ways are, the true offset is within the stated error', () => {
  const delay = fc.double({ min: 0, max: 500, noNaN: true })
  const trips = fc.array(fc.tuple(delay, delay, fc.integer({ min: 0, max: 5000 })), { minLength: 1 })
  fc.assert(
    fc.property(
      fc.integer({ min: -1e9, max: 1e9 }),
      fc.double({ min: -15e-6, max: 15e-6, noNaN: true }),
      trips,
      (planted, drift, ways) => {
        const clock = createClock()
        const serverClock = (now: number) => now + planted + now * drift
        let now = 0
        for (const [there, back, pause] of ways) {
          const sentAt = now
          now += there
          const serverAt = serverClock(now)
          now += back
          clock.add({ sentAt, serverAt, receivedAt: now })
          const offset = clock.offset(now)
          expect(offset).toBeDefined()
          expect(Math.abs((offset?.ms ?? 0) - (planted + now * drift))).toBeLessThanOrEqual(
            (offset?.errorMs ?? 0) + 1e-6,
          )
          now += pause
        }
      },
    ),
  )
})

test('the tightest round trip is the one that counts', () => {
  const clock = createClock()
  clock.add({ sentAt: 0, serverAt: 1080, receivedAt: 100 })
  clock.add({ sentAt: 200, serverAt: 1202, receivedAt: 204 })
  clock.add({ sentAt: 300, serverAt: 1310, receivedAt: 340 })
  expect(clock.offset(340)?.ms).toBe(1000)
  expect(clock.offset(340)?.errorMs).toBeCloseTo(2.1, 1)
})

test('the error grows with the age of the round trip, and after a minute nothing is known', () => {
  const clock = createClock()
  clock.add({ sentAt: 0, serverAt: 1, receivedAt: 2 })
  expect(clock.offset(2)?.errorMs).toBeCloseTo(1.1)
  expect(clock.offset(40_002)?.errorMs).toBeCloseTo(1.7)
  expect(clock.offset(60_002)).toBeUndefined()
})

test('a round trip that contradicts the ones before makes them void', () => {
  const clock = createClock()
  clock.add({ sentAt: 0, serverAt: 1001, receivedAt: 2 })
  clock.add({ sentAt: 100, serverAt: 9150, receivedAt: 200 })
  expect(clock.offset(200)?.ms).toBe(9000)
})
