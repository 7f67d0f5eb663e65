import { readFile, rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import { contenders } from '../src/contenders/node.ts'
import { openCrowd } from '../src/crowd.ts'
import { type Findings, valuesOf } from '../src/report.ts'
import { cost } from '../src/scenarios/cost.ts'
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
const signal = new AbortController().signal

test('the cost is measured for every contender', async () => {
  const result = await runScenario(cost, { stage, place, contenders, quick: true })
  expect(result.notes).toEqual([])
  for (const { name } of contenders) {
    for (const { name: figure } of cost.figures) {
      expect(valuesOf(result, name, figure, '50 connections')).toHaveLength(1)
    }
    for (const figure of ['heap', 'connect', 'delivery']) {
      expect(Math.min(...valuesOf(result, name, figure, '50 connections'))).toBeGreaterThan(0)
    }
  }
  for (const { name } of contenders.filter(({ control }) => !control)) {
    expect(valuesOf(result, name, 'idle', '50 connections, a heartbeat a second')).toHaveLength(1)
  }
  expect(result.explanation).toContain('With 50 connections, SSE beside WebSocket: each takes')
}, 120_000)

/** The kernel's clock for processes. It is 100 Hz on every Linux that Node runs on. */
const tickMs = 10

/** What the operating system says of the stage. */
async function systemsOwn(): Promise<{ cpuMs: number; rssBytes: number }> {
  const [stat, status] = await Promise.all(
    ['stat', 'status'].map((file) => readFile(`/proc/${stage.pid}/${file}`, 'utf8')),
  )
  // Behind the name, which may hold anything: utime and stime are the 14th and 15th of all.
  const fields = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ')
  const kilobytes = /^VmRSS:\s*(\d+) kB$/m.exec(status ?? '')?.[1]
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * tickMs, rssBytes: Number(kilobytes) * 1024 }
}

test.skipIf(process.platform !== 'linux').each(contenders)(
  "processor time and memory agree with the operating system's own under a load of $name",
  async (row) => {
    const channel = `load-${row.name}`
    const origin = stage.origins.direct
    await using crowd = await openCrowd({ origin, row, size: 100, channel, signal })
    await stage.ask('wait', { house: row.house, count: 100 })

    const systemBefore = await systemsOwn()
    const before = await stage.ask('cost', {})
    const load = { house: row.house, channel, count: 400, bytes: 100, kind: 'text', everyMs: 0 } as const
    let after = before
    // A fast machine needs more of it until there is something to compare.
    for (let heard = 400; after.cpuMs - before.cpuMs <= 20 * tickMs; heard += 400) {
      await stage.ask('publish', load)
      await crowd.reach(heard)
      after = await stage.ask('cost', {})
    }
    const systemAfter = await systemsOwn()

    expect(after.pid).toBe(stage.pid)
    const [ours, systems] = [after.cpuMs - before.cpuMs, systemAfter.cpuMs - systemBefore.cpuMs]
    // Each of its readings is cut off to whole ticks, user and system time apart; the two questions cost a little too.
    expect(Math.abs(ours - systems)).toBeLessThan(5 * tickMs + ours * 0.05)

    // Memory changes from moment to moment: what the stage says lies between what the system says before and after it.
    const [one, { rssBytes }, other] = [await systemsOwn(), await stage.ask('cost', {}), await systemsOwn()]
    expect(rssBytes).toBeGreaterThan(0.9 * Math.min(one.rssBytes, other.rssBytes))
    expect(rssBytes).toBeLessThan(1.1 * Math.max(one.rssBytes, other.rssBytes))
  },
)

test('garbage is not counted', async () => {
  const make = (count: number) =>
    stage.ask('publish', {
      house: 'bare',
      channel: 'nobody',
      count,
      bytes: 10_000,
      kind: 'text',
      everyMs: 0,
      burst: 1000,
    })
  await make(1000)
  const before = await stage.ask('cost', { collect: true })
  await make(5000)
  const after = await stage.ask('cost', { collect: true })
  expect(Math.abs(after.heapBytes - before.heapBytes)).toBeLessThan(4 * 1024 * 1024)
})

const rows = contenders.map(({ name, title, control }) => ({ name, title, control }))

function findings(cells: readonly [string, string, readonly number[]][]): Findings {
  const of = { scenario: 'cost', title: '', question: '', place, figures: cost.figures }
  const title = '1,000 connections'
  return {
    ...of,
    rows,
    cases: [title],
    cells: cells.map(([row, figure, values]) => ({ case: title, row, figure, values })),
    notes: [],
    ms: 0,
  }
}

test('what differs and what is a tie is told apart, and under what conditions', () => {
  expect(
    cost.explain(
      findings([
        ['sse', 'memory', [20, 21, 22, 23]],
        ['ws', 'memory', [30, 31, 32, 33]],
        ['sse-bare', 'memory', [10, 10, 10, 10]],
        ['ws-bare', 'memory', [15, 15, 15, 15]],
        ['sse', 'delivery', [5, 6, 7, 8]],
        ['ws', 'delivery', [5, 6, 7, 8]],
      ]),
    ),
  ).toBe(
    'With 1,000 connections, SSE beside WebSocket: each takes 21.5 KiB and 31.5 KiB (control rows: 10 KiB and 15 KiB); ' +
      'a delivery costs 6.50 µs and 6.50 µs, a tie. ' +
      'Memory is that of the server process; what the kernel keeps for each socket comes on top. ' +
      'Where no heartbeat is named there is none; by default ours says one in 25 seconds.',
  )
})

test('of nothing nothing is said', () => {
  expect(cost.explain(findings([]))).toBe('')
})
