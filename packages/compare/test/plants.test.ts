import { rm } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import { contenders } from '../src/contenders/node.ts'
import { type Result, valuesOf } from '../src/report.ts'
import type { Scenario } from '../src/scenario.ts'
import { careOf } from '../src/scenarios/care.ts'
import { latency } from '../src/scenarios/latency.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { stageProgram } from './program.ts'

// What is planted must be found, and nothing else: through the scenarios themselves.

let stage: SpawnedStage
let program: URL
beforeAll(async () => {
  program = await stageProgram()
  stage = await spawnStage({ program })
})
afterAll(async () => {
  await stage?.close()
  await rm(new URL('.', program), { recursive: true })
})
afterEach(async () => {
  await stage.ask('plant', {})
  await stage.ask('relay', {})
})

const run = (scenario: Scenario, origin = stage.origins.direct): Promise<Result> =>
  runScenario(scenario, {
    stage: { ...stage, origins: { ...stage.origins, direct: origin } },
    place: { kind: 'node', name: 'Node' },
    contenders,
    quick: true,
    rounds: 1,
  })

const undisturbed = careOf({ faults: ['none'] })
const rows = contenders.map(({ name }) => name)
/** One figure of every row. */
const found = (result: Result, figure: string) =>
  Object.fromEntries(rows.map((row) => [row, valuesOf(result, row, figure, 'undisturbed')[0]]))
const each = (value: number) => Object.fromEntries(rows.map((row) => [row, value]))

// A quick run publishes 225.
test('each 100th message lost: every row reports two', async () => {
  await stage.ask('plant', { loseEvery: 100 })
  const result = await run(undisturbed)
  expect(result.notes).toEqual([])
  expect(found(result, 'lost')).toEqual(each(2))
  for (const figure of ['twice', 'disordered', 'away']) expect(found(result, figure)).toEqual(each(0))
  expect(result.explanation).toContain('SSE: 2 lost')
})

test('each 100th message doubled: every row reports two', async () => {
  await stage.ask('plant', { doubleEvery: 100 })
  const result = await run(undisturbed)
  expect(result.notes).toEqual([])
  expect(found(result, 'twice')).toEqual(each(2))
  for (const figure of ['lost', 'disordered', 'away']) expect(found(result, figure)).toEqual(each(0))
})

// Of each row over 22 KiB come, in however many chunks.
test('10,000 bytes cut their link: every row reports it, and ours lose nothing', async () => {
  await stage.ask('relay', { cutAfterBytes: 10_000 })
  const result = await run(undisturbed)
  expect(result.notes).toEqual([])
  for (const row of rows) expect(valuesOf(result, row, 'away', 'undisturbed')[0], row).toBeGreaterThan(0)
  for (const row of ['sse', 'ws']) {
    for (const figure of ['lost', 'missed', 'twice', 'disordered']) {
      expect(valuesOf(result, row, figure, 'undisturbed')[0], `${row} ${figure}`).toBe(0)
    }
  }
  for (const row of ['sse-bare', 'ws-bare']) {
    expect(valuesOf(result, row, 'lost', 'undisturbed')[0], row).toBeGreaterThan(0)
  }
})

test('a delay of 20 ms is found in the latency of every row, and little more than that', async () => {
  await stage.ask('relay', { delayMs: 20 })
  const least: Record<string, number> = {}
  // A busy machine adds to it, but not each time; the delay itself never falls short.
  for (let time = 0; time < 12; time += 1) {
    const result = await run(latency, stage.origins.relay)
    expect(result.notes).toEqual([])
    for (const row of rows) {
      const medians = result.cases.flatMap((title) => valuesOf(result, row, 'p50', title))
      expect(medians).toHaveLength(result.cases.length)
      for (const median of medians) expect(median, row).toBeGreaterThanOrEqual(20)
      least[row] = Math.min(least[row] ?? Number.POSITIVE_INFINITY, ...medians)
    }
    if (rows.every((row) => (least[row] ?? 0) < 35)) return
  }
  for (const row of rows) expect(least[row], row).toBeLessThan(35)
}, 120_000)
