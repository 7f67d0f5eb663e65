import { expect, test } from 'vitest'
import { explainNodes, simulateNodes } from './simulation-nodes.ts'

const from = Number(process.env['NODES_SEED'] ?? process.env['SIMULATE_FROM'] ?? 1)
// Each takes ten times as long as one of the other.
const seeds = Math.ceil(Number(process.env['SIMULATE_SEEDS'] ?? 1_200) / 20)
const count = process.env['NODES_SEED'] === undefined ? seeds : 1
const batch = 25

for (let first = from; first < from + count; first += batch) {
  const last = Math.min(first + batch, from + count) - 1
  test(`seeds ${first} to ${last}: many hubs over a Redis that fails, and nothing is lost without a word or comes twice`, async () => {
    for (let seed = first; seed <= last; seed += 1) {
      const { problems } = await simulateNodes(seed)
      if (problems.length > 0) throw new Error(await explainNodes(seed))
    }
  }, 600_000)
}

test.each([
  [1430, 'a client had more already than the node that it came to'],
  [1640, 'another node goes on before the one that knows of a loss has said so'],
  [1861, 'the same, of what was confirmed'],
])('seed %i, where %s', async (seed) => {
  const { problems } = await simulateNodes(seed)
  if (problems.length > 0) throw new Error(await explainNodes(seed))
})

test('a seed repeats exactly', async () => {
  const one = await simulateNodes(from, { tracing: true })
  expect(one.trace.length).toBeGreaterThan(10)
  expect(await simulateNodes(from, { tracing: true })).toEqual(one)
})
