import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import { contenders } from '../src/contenders/node.ts'
import { type Result, valuesOf } from '../src/report.ts'
import { handshake } from '../src/scenarios/handshake.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { stageProgram } from './program.ts'
import { record } from './recorder.ts'

let program: URL
let stage: SpawnedStage
let result: Result
beforeAll(async () => {
  program = await stageProgram()
  // No heartbeat falls into a count.
  stage = await spawnStage({ program, heartbeatMs: 600_000 })
  result = await runScenario(handshake, {
    stage,
    place: { kind: 'node', name: 'Node' },
    contenders,
    quick: true,
    rounds: 3,
  })
}, 60_000)
afterAll(async () => {
  await stage?.close()
  await rm(new URL('.', program), { recursive: true })
})

test('every contender is measured, and the one that does not come back is noted', () => {
  expect(result.notes).toEqual([
    { what: 'WebSocket, bare ws, from a cut to open again', why: 'it does not come back by itself' },
  ])
  for (const { name } of contenders) {
    for (const figure of handshake.figures) {
      const isNever = name === 'ws-bare' && figure.name === 'again'
      expect(valuesOf(result, name, figure.name), `${name}, ${figure.name}`).toHaveLength(isNever ? 0 : 3)
    }
    const [open, first] = [valuesOf(result, name, 'open'), valuesOf(result, name, 'first')]
    for (const [round, ms] of open.entries()) expect(first[round]).toBeGreaterThanOrEqual(ms)
  }
  expect(result.explanation).toContain('Until then a client has sent')
})

test.each(contenders)(
  '20 ms each way are one round trip of $title, and not two',
  async (row) => {
    const trips = [...valuesOf(result, row.name, 'trips')]
    // Work comes on top and is noise; the delay never falls short. So more tries make up for a busy machine, and hide nothing.
    while (Math.min(...trips) >= 2 && trips.length < 13) {
      const place = { kind: 'node', name: 'Node' } as const
      const more = await runScenario(handshake, { stage, place, contenders: [row], quick: true, rounds: 1 })
      trips.push(...valuesOf(more, row.name, 'trips'))
    }
    expect(Math.min(...trips)).toBeGreaterThanOrEqual(1)
    expect(Math.min(...trips)).toBeLessThan(2)
  },
  90_000,
)

test.each(contenders)('bytes up and down of $title are those of a count beside the relay', async (row) => {
  await using recorder = await record(stage.origins.direct)
  const { house } = row
  let heard: () => void = () => undefined
  const first = new Promise<void>((resolve) => {
    heard = resolve
  })
  const line = await row.open(
    { origin: recorder.origin, client: 'newcomer-00001', channels: ['welcome'] },
    { parcel: () => heard() },
  )
  await stage.ask('wait', { house, client: 'newcomer-00001', count: 1 })
  await stage.ask('publish', { house, channel: 'welcome', count: 1, bytes: 100, kind: 'text', everyMs: 0 })
  await first
  expect(new Set(valuesOf(result, row.name, 'up'))).toEqual(new Set([recorder.up.length]))
  // The numbers of our ids have grown since, by a digit in each of the two.
  const down = valuesOf(result, row.name, 'down')
  if (row.control) expect(new Set(down)).toEqual(new Set([recorder.down.length]))
  for (const bytes of down) {
    expect(recorder.down.length - bytes).toBeGreaterThanOrEqual(0)
    expect(recorder.down.length - bytes).toBeLessThanOrEqual(4)
  }
  await line.close()
})
