import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import { contenders } from '../src/contenders/node.ts'
import { spreadOf } from '../src/figure.ts'
import { valuesOf } from '../src/report.ts'
import { latency } from '../src/scenarios/latency.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { stageProgram } from './program.ts'

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

const place = { kind: 'node', name: 'Node' } as const

test('latency is measured for every contender', async () => {
  const result = await runScenario(latency, { stage, place, contenders, quick: true })
  expect(result.notes).toEqual([])
  for (const { name } of contenders) {
    const median = spreadOf(valuesOf(result, name, 'p50', '100 B, 100 per second'))?.median
    expect(median).toBeGreaterThan(0)
  }
  expect(result.explanation).toContain('p99 is')
})
