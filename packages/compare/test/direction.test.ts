import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import { contenders } from '../src/contenders/node.ts'
import { type Result, valuesOf } from '../src/report.ts'
import { direction } from '../src/scenarios/direction.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { stageProgram } from './program.ts'
import { record } from './recorder.ts'

let program: URL
let stage: SpawnedStage
let result: Result
beforeAll(async () => {
  program = await stageProgram()
  stage = await spawnStage({ program })
  result = await runScenario(direction, {
    stage,
    place: { kind: 'node', name: 'Node' },
    contenders,
    quick: true,
  })
})
afterAll(async () => {
  await stage?.close()
  await rm(new URL('.', program), { recursive: true })
})

test('every contender talks back, and what it costs is measured', () => {
  expect(result.notes).toEqual([])
  for (const { name } of contenders) {
    for (const figure of direction.figures) {
      expect(valuesOf(result, name, figure.name), `${name}, ${figure.name}`).toHaveLength(2)
    }
  }
  expect(result.explanation).toContain('100 B from the client take')
})

test('a WebSocket takes a masked frame, and ours the name of the event with it', () => {
  // [spec] RFC 6455, 5.2: two bytes and a mask of four.
  expect(valuesOf(result, 'ws-bare', 'up')).toEqual([106, 106])
  expect(valuesOf(result, 'ws', 'up')).toEqual([100 + 6 + '\nsay\n'.length, 100 + 6 + '\nsay\n'.length])
})

test('nothing overtakes anything on one WebSocket', () => {
  for (const name of ['ws', 'ws-bare']) expect(valuesOf(result, name, 'overtaken')).toEqual([0, 0])
})

test.each(contenders)('bytes up of $title are those of a count beside the relay', async (row) => {
  await using recorder = await record(stage.origins.direct)
  let echoed: (text: string) => void = () => undefined
  const line = await row.open(
    { origin: recorder.origin, client: 'talker', channels: ['talk'] },
    { echo: (text) => echoed(text) },
  )
  await stage.ask('wait', { house: row.house, client: 'talker', count: 1 })
  const before = recorder.up.length
  for (let number = 0; number < 10; number += 1) {
    const echo = new Promise<string>((resolve) => {
      echoed = resolve
    })
    const text = `${number} `.padEnd(100, 'truth')
    await line.say(text)
    expect(await echo).toBe(text)
  }
  expect((recorder.up.length - before) / 10).toBe(valuesOf(result, row.name, 'up')[0])
  await line.close()
})
