import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import { contenders } from '../src/contenders/node.ts'
import { openCrowd } from '../src/crowd.ts'
import { type Findings, valuesOf } from '../src/report.ts'
import { throughput, windowOf } from '../src/scenarios/throughput.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import type { Stage } from '../src/stage/stage.ts'
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

test('throughput is measured for every contender', async () => {
  const result = await runScenario(throughput, { stage, place, contenders, quick: true })
  expect(result.notes).toEqual([])
  expect(result.cases).toHaveLength(3)
  for (const title of result.cases) {
    for (const { name } of contenders) {
      for (const figure of ['rate', 'cpu', 'busy']) {
        const values = valuesOf(result, name, figure, title)
        expect(values).toHaveLength(1)
        expect(Math.min(...values)).toBeGreaterThan(0)
      }
    }
  }
  expect(result.explanation).toContain('50 subscribers, 100 B: ')
}, 120_000)

test.each(contenders)(
  'a trial in which $name is brought a message twice does not count',
  async (row) => {
    const doubling: Stage = {
      ...stage,
      async fresh() {
        const own = await stage.fresh()
        await own.ask('plant', { doubleEvery: 10 })
        return own
      },
    }
    const run = { stage: doubling, place, contenders: [row], quick: true, rounds: 1 }
    const { cells, notes } = await runScenario(throughput, run)
    expect(cells).toEqual([])
    const complaint = (pattern: RegExp) => expect.stringMatching(pattern)
    expect(notes).toEqual([
      {
        what: complaint(/1 subscriber/),
        why: complaint(/1 of 1 clients heard 1\d{3} messages instead of 1000$/),
      },
      { what: complaint(/100 B$/), why: complaint(/50 of 50 clients heard 1.* messages instead of 100$/) },
      { what: complaint(/at once$/), why: complaint(/50 of 50 clients heard 1.* messages instead of 100$/) },
    ])
  },
  120_000,
)

test('publishing stays within its window until it is told that more was taken', async () => {
  const row = contenders[0] as (typeof contenders)[number]
  const { signal } = new AbortController()
  await using crowd = await openCrowd({
    origin: stage.origins.direct,
    row,
    size: 3,
    channel: 'window',
    signal,
  })
  await stage.ask('wait', { house: row.house, count: 3 })
  const publishing = { house: row.house, channel: 'window', count: 20, bytes: 50, kind: 'text' } as const
  const published = stage.ask('publish', { ...publishing, everyMs: 0, burst: 3, window: 8 })
  await crowd.reach(8)
  await crowd.expect(8)
  await stage.ask('taken', { channel: 'window', seq: 5 })
  await crowd.reach(13)
  await crowd.expect(13)
  await stage.ask('taken', { channel: 'window', seq: 13 })
  await published
  await crowd.reach(20)
  await crowd.expect(20)
})

test('where no server of its own can be started, that is noted', async () => {
  const { fresh, ...shared } = stage
  const { cells, notes, explanation } = await runScenario(throughput, { stage: shared, place, contenders })
  expect(fresh).toBeDefined()
  expect([cells, explanation]).toEqual([[], ''])
  expect(notes).toEqual([{ what: 'all', why: expect.stringContaining('from Node alone') }])
})

test.each([
  [1, 100, 1, 1310],
  [100, 100, 1, 419],
  [1000, 100, 1, 41],
  [1000, 100, 10, 41],
  [1000, 1024, 10, 20],
  [10_000, 100, 1, 16],
])(
  'for %i subscribers of %i B, %i at once, %i messages may be under way',
  (subscribers, bytes, burst, window) => {
    expect(windowOf(subscribers, bytes, burst)).toBe(window)
  },
)

const rows = contenders.map(({ name, title, control }) => ({ name, title, control }))

function findings(cells: readonly [string, string, readonly number[]][]): Findings {
  const of = { scenario: 'throughput', title: '', question: '', place, figures: throughput.figures }
  const cases = ['1,000 subscribers, 100 B']
  return {
    ...of,
    rows,
    cases,
    cells: cells.map(([row, figure, values]) => ({ case: cases[0] as string, row, figure, values })),
    notes: [],
    ms: 0,
  }
}

test('what differs, what is a tie and what the readers bounded is told apart', () => {
  expect(
    throughput.explain(
      findings([
        ['sse', 'rate', [100_000, 101_000, 102_000, 103_000]],
        ['ws', 'rate', [101_000, 102_000, 103_000, 104_000]],
        ['sse', 'cpu', [8, 8.1, 8.2, 8.3]],
        ['ws', 'cpu', [6, 6.1, 6.2, 6.3]],
        ['sse-bare', 'cpu', [8, 8.1, 8.2, 8.3]],
        ['ws-bare', 'cpu', [9, 9.1, 9.2, 9.3]],
        ['sse', 'busy', [99, 99, 99, 99]],
        ['ws', 'busy', [60, 60, 60, 60]],
      ]),
    ),
  ).toBe(
    '1,000 subscribers, 100 B: 101,500 /s over SSE and 102,500 /s over WebSocket, a tie; ' +
      'a delivery costs the server 8.15 µs and 6.15 µs. ' +
      'Beside the control row, with 1,000 subscribers, 100 B: 8.15 µs for SSE and 8.15 µs for EventSource, bare http, a tie. ' +
      'Beside the control row, with 1,000 subscribers, 100 B: 6.15 µs for WebSocket and 9.15 µs for WebSocket, bare ws. ' +
      'In all cases the server was not busy all the time in at least one row: there the readers, or whatever else ' +
      'this machine did, set the rate, and the CPU per delivery says more.',
  )
})

test('of nothing nothing is said', () => {
  expect(throughput.explain(findings([]))).toBe('')
})
