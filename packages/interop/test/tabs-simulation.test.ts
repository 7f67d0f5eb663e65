import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { simulateTabs } from './tabs-simulation.ts'

const from = Number(process.env['SEED'] ?? 1)
const count = process.env['SEED'] === undefined ? Number(process.env['TABS_SEEDS'] ?? 15) : 1

beforeAll(() => {
  vi.useFakeTimers()
})
afterAll(() => {
  vi.useRealTimers()
})

test('whatever befalls the tabs, each hears everything once and in order, and one link is left', async () => {
  for (let seed = from; seed < from + count; seed += 1) {
    const { problems, trace } = await simulateTabs(seed)
    if (problems.length > 0) {
      expect.fail(`SEED=${seed}\n${problems.join('\n')}\n\n${trace.join('\n')}`)
    }
  }
}, 600_000)

test('a seed repeats exactly', async () => {
  const one = await simulateTabs(from)
  expect(one.links).toBeGreaterThan(5)
  expect(await simulateTabs(from)).toEqual(one)
})
