import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import { contenders } from '../src/contenders/node.ts'
import { type Result, valuesOf } from '../src/report.ts'
import { proxies } from '../src/scenarios/proxies.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { stageProgram } from './program.ts'

const present = (process.env['EITHERWAY_PARTS'] ?? '').split(',').includes('nginx')

describe.skipIf(!present)('through nginx', () => {
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

  let result: Result
  beforeAll(async () => {
    const place = { kind: 'node', name: 'Node' } as const
    result = await runScenario(proxies, { stage, place, contenders, quick: true, rounds: 1 })
  }, 90_000)
  const values = (row: string, figure: string, of: RegExp) =>
    result.cases.filter((title) => of.test(title)).flatMap((title) => valuesOf(result, row, figure, title))

  test('our stream arrives whole and at once, and one that asks for no buffering stays in the proxy', () => {
    expect(values('sse', 'missing', /HTTP\/1\.0/)).toEqual([0])
    expect(values('sse-bare', 'missing', /HTTP\/1\.0/)[0]).toBeGreaterThan(0)
    // Its first messages wait for those that fill the buffer: at least a dozen, 10 ms apart.
    expect(values('sse-bare', 'first', /HTTP\/1\.0/)[0]).toBeGreaterThan(100)
    expect(values('sse', 'first', /HTTP\/1\.0/)).toHaveLength(1)
  })

  test('a WebSocket is refused until nginx is told to pass upgrades on', () => {
    for (const row of ['ws', 'ws-bare']) expect(values(row, 'first', /HTTP\/1\.0/)).toEqual([])
    expect(new Set(result.notes)).toEqual(
      new Set(
        ['WebSocket', 'WebSocket, bare ws'].map((row) => ({
          what: `${row}, nginx by HTTP/1.0, its old default`,
          why: expect.stringMatching(/^does not come through: /),
        })),
      ),
    )
    for (const { name } of contenders) {
      expect(values(name, 'missing', /lines for WebSocket|buffering off/), name).toEqual([0, 0])
      expect(values(name, 'first', /lines for WebSocket|buffering off/), name).toHaveLength(2)
    }
  })

  test('a heartbeat keeps a link through silence, and without one it is lost, with what is sent next', () => {
    for (const row of ['sse', 'ws']) {
      expect(values(row, 'lost', /after 3 s/), row).toEqual([0])
      // Where the proxy is more impatient than the heartbeat, what was missed comes with the next link.
      expect(values(row, 'lost', /after 0\.5 s/)[0], row).toBeGreaterThan(0)
      expect(values(row, 'missing', /silence/), row).toEqual([0, 0])
    }
    for (const row of ['sse-bare', 'ws-bare']) {
      for (const lost of values(row, 'lost', /silence/)) expect(lost, row).toBeGreaterThan(0)
      expect(values(row, 'missing', /silence/), row).toEqual([100, 100])
    }
  })

  test('the words hold the figures', () => {
    expect(result.explanation).toContain('X-Accel-Buffering')
    expect(result.explanation).toContain('only once nginx was told to pass upgrades on')
    expect(result.explanation).toContain(
      'SSE 0, WebSocket 0, EventSource (bare http) 1, WebSocket (bare ws) 1, since our server',
    )
  })
})
