import { expect, test } from 'vitest'
import { explain, simulate } from './simulation.ts'

const from = Number(process.env['SEED'] ?? process.env['SIMULATE_FROM'] ?? 1)
const count = process.env['SEED'] === undefined ? Number(process.env['SIMULATE_SEEDS'] ?? 2_000) : 1
const batch = 250

for (let first = from; first < from + count; first += batch) {
  const last = Math.min(first + batch, from + count) - 1
  test(`seeds ${first} to ${last}: whatever happens, nothing is lost without a word and nothing comes twice`, async () => {
    for (let seed = first; seed <= last; seed += 1) {
      const { problems } = await simulate(seed)
      if (problems.length > 0) throw new Error(await explain(seed))
    }
  }, 600_000)
}

test('a seed repeats exactly', async () => {
  const one = await simulate(from, { tracing: true })
  expect(one.trace.length).toBeGreaterThan(10)
  expect(await simulate(from, { tracing: true })).toEqual(one)
})
