import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import { contenders } from '../src/contenders/node.ts'
import { type Result, valuesOf } from '../src/report.ts'
import { slowReader } from '../src/scenarios/slow-reader.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { madeUp } from './findings.ts'
import { stageProgram } from './program.ts'

describe('a quick run', () => {
  let stage: SpawnedStage
  let program: URL
  let result: Result
  beforeAll(async () => {
    program = await stageProgram()
    stage = await spawnStage({ program })
    const place = { kind: 'node', name: 'Node' } as const
    result = await runScenario(slowReader, { stage, place, contenders, quick: true })
  }, 120_000)
  afterAll(async () => {
    await stage?.close()
    await rm(new URL('.', program), { recursive: true })
  })

  const one = (row: string, figure: string) => valuesOf(result, row, figure, '16 MiB published')[0] ?? 0
  /** So much leaves in one write at most: see the server's `outgoing`. The last message comes on top, with its frame. */
  const batch = 64 + 17

  test('nothing failed', () => {
    expect(result.notes.map(({ what }) => what)).toEqual(['growth of the process'])
  })

  test.each(['sse', 'ws'])(
    '%s keeps no more than its limit of 1 MiB for a peer, and lets go of it',
    (row) => {
      expect(one(row, 'letGo')).toBe(1)
      // Not known where the server had thrown away what waited before it was asked.
      for (const given of valuesOf(result, row, 'given')) expect(given).toBeGreaterThan(1024)
      // A publisher that is late gives several messages in a turn: the write that went over it, and the one before.
      expect(one(row, 'owed')).toBeLessThan(1024 + 2 * batch)
      expect(one(row, 'meanwhile')).toBeGreaterThan(0)
    },
  )

  test.each(['sse-bare', 'ws-bare'])('%s keeps everything that the network does not take', (row) => {
    expect(one(row, 'letGo')).toBe(0)
    // Of the rest, the kernel's own buffers hold up to 10 MiB, by Linux's defaults.
    expect(one(row, 'owed')).toBeGreaterThan(2 * 1024)
    expect(one(row, 'memory')).toBeGreaterThan(one(row, 'owed') / 2)
  })
})

test.each([
  ['of nothing', {}, ''],
  [
    'of one that was let go and one that was not',
    {
      '32 MiB published': {
        sse: { owed: [1024], letGo: [1], given: [5000], memory: [50], before: [1], meanwhile: [2] },
        'sse-bare': { owed: [30_000], letGo: [0], memory: [31_000], before: [1], meanwhile: [2] },
      },
    },
    'SSE: up to 1,024 KiB waited for the one that does not read, and the server let go of it after 5,000 KiB.' +
      ' The p99 of the other was 1 ms before and 2 ms meanwhile, too few rounds to tell.' +
      ' EventSource: up to 30,000 KiB waited for the one that does not read, and the server held on to it:' +
      ' of 32 MiB published, its memory grew by 31,000 KiB.' +
      ' The p99 of the other was 1 ms before and 2 ms meanwhile, too few rounds to tell.',
  ],
  [
    'of a healthy one that suffered, and rounds that differ',
    {
      '32 MiB published': {
        ws: { owed: [1, 3], letGo: [1, 0], before: [1, 1, 1, 1], meanwhile: [8, 8, 9, 9] },
      },
    },
    'WebSocket: up to 2 KiB waited for the one that does not read, and the server let go of it in 1 of 2 rounds.' +
      ' The p99 of the other was 1 ms before and 8.50 ms meanwhile.',
  ],
])('the explanation %s', (_, found, expected) => {
  expect(slowReader.explain(madeUp(slowReader.figures, found))).toBe(expected)
})
