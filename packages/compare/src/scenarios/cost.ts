import { setTimeout as delay } from 'node:timers/promises'
import type { Contender } from '../contender.ts'
import { compareCells, type Unit } from '../figure.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Scenario, Values } from '../scenario.ts'
import { type Alone, aloneOn } from './alone.ts'
import { figure } from './hear.ts'

interface Load {
  readonly connections: number
  /** 0: none, so that none falls into what is measured. */
  readonly heartbeatMs: number
  /** How long nothing is published, and how long messages are, in milliseconds. */
  readonly idleMs: number
  readonly busyMs: number
}

type Cases = readonly { readonly title: string; readonly value: Load }[]

const full: Cases = [
  { title: '1,000 connections', value: { connections: 1000, heartbeatMs: 0, idleMs: 1000, busyMs: 2000 } },
  { title: '10,000 connections', value: { connections: 10_000, heartbeatMs: 0, idleMs: 1000, busyMs: 3000 } },
]
const fullBeating: Cases = [
  {
    title: '1,000 connections, a heartbeat a second',
    value: { connections: 1000, heartbeatMs: 1000, idleMs: 3000, busyMs: 0 },
  },
]

const quick: Cases = [
  { title: '50 connections', value: { connections: 50, heartbeatMs: 0, idleMs: 200, busyMs: 300 } },
]
const quickBeating: Cases = [
  {
    title: '50 connections, a heartbeat a second',
    value: { connections: 50, heartbeatMs: 1000, idleMs: 1000, busyMs: 0 },
  },
]

/** The fewest of which a difference can count: 10,000 connections take their time. */
const rounds = 4

/** To all connections together. */
const deliveriesPerSecond = 10_000

/** So many come and go before anything is measured. */
const firstConnections = 200

/** What connections and deliveries take from the server, at a load that it bears easily. */
export const cost: Scenario = {
  name: 'cost',
  title: 'Cost',
  question: 'What does a connection cost the server?',
  figures: [
    { name: 'memory', title: 'Memory per connection', unit: 'KiB', better: 'less' },
    { name: 'heap', title: 'of it heap and buffers', unit: 'KiB', better: 'less' },
    { name: 'connect', title: 'CPU to connect', unit: 'µs', better: 'less' },
    { name: 'idle', title: 'CPU while idle, per connection and second', unit: 'µs', better: 'less' },
    { name: 'delivery', title: 'CPU per delivery', unit: 'µs', better: 'less' },
  ],
  places: ['node'],
  async run(bench) {
    const alone = aloneOn(bench)
    if (alone === undefined) return
    const plan = bench.quick ? { cases: quick, rounds: 1 } : { cases: full, rounds }
    await bench.measure(plan, ({ case: load, row }) =>
      alone(row, load.heartbeatMs, (on) => weigh(on, row, load, bench.signal)),
    )
    // The control rows have no heartbeats.
    const rows = bench.contenders.filter(({ control }) => !control)
    const beating = { ...plan, cases: bench.quick ? quickBeating : fullBeating, rows }
    await bench.measure(beating, ({ case: load, row }) =>
      alone(row, load.heartbeatMs, (on) => rest(on, row, load, bench.signal)),
    )
  },
  explain(findings) {
    const sentences = findings.cases.map((title) => explainCase(findings, title)).filter(Boolean)
    return sentences.length === 0 ? '' : [...sentences, ...conditions].join(' ')
  },
}

const conditions = [
  'Memory is that of the server process; what the kernel keeps for each socket comes on top.',
  'Where no heartbeat is named there is none; by default ours says one in 25 seconds.',
]

async function weigh(on: Alone, row: Contender, load: Load, signal: AbortSignal): Promise<Values> {
  const { connections, busyMs } = load
  await warmUp(on, row, connections)

  const empty = await on.cost({ collect: true })
  await using crowd = await on.gather(connections)
  const connected = await on.cost()
  const full = await on.cost({ collect: true })
  const idlePerMs = await idle(on, load, signal)

  const everyMs = (1000 * connections) / deliveriesPerSecond
  const count = Math.max(1, Math.round(busyMs / everyMs))
  const startedAt = performance.now()
  const before = await on.cost()
  await publish(on, row, count, everyMs)
  await crowd.reach(count)
  const after = await on.cost()
  const tookMs = performance.now() - startedAt
  await crowd.expect(count)

  const perConnection = (bytes: number) => bytes / connections / 1024
  return {
    memory: perConnection(full.rssBytes - empty.rssBytes),
    heap: perConnection(full.heapBytes + full.externalBytes - empty.heapBytes - empty.externalBytes),
    connect: ((connected.cpuMs - empty.cpuMs) * 1000) / connections,
    idle: (idlePerMs * 1000 * 1000) / connections,
    // What the time would have cost anyway is not the messages'.
    delivery: ((after.cpuMs - before.cpuMs - idlePerMs * tookMs) * 1000) / (count * connections),
  }
}

async function rest(on: Alone, row: Contender, load: Load, signal: AbortSignal): Promise<Values> {
  await warmUp(on, row, load.connections)
  await using crowd = await on.gather(load.connections)
  await on.cost({ collect: true })
  const idlePerMs = await idle(on, load, signal)
  await crowd.expect(0)
  return { idle: (idlePerMs * 1000 * 1000) / load.connections }
}

/** A server that runs for long has its code compiled and its heap grown: neither is the cost of a connection. */
async function warmUp(on: Alone, row: Contender, connections: number): Promise<void> {
  {
    await using first = await on.gather(Math.min(firstConnections, connections))
    await publish(on, row, 50, 2)
    await first.reach(50)
  }
  await on.stage.ask('wait', { house: row.house, count: 0 })
}

/** Processor time in each millisecond in which nothing is published. */
async function idle({ cost }: Alone, { idleMs }: Load, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  const before = await cost()
  await delay(idleMs, undefined, { signal })
  const after = await cost()
  return (after.cpuMs - before.cpuMs) / (performance.now() - startedAt)
}

async function publish(
  { stage, channel }: Alone,
  { house }: Contender,
  count: number,
  everyMs: number,
): Promise<void> {
  await stage.ask('publish', { house, channel, count, bytes: 100, kind: 'text', everyMs, punctual: false })
}

const words: readonly { figure: string; unit: Unit; text: string }[] = [
  { figure: 'memory', unit: 'KiB', text: 'each takes' },
  { figure: 'delivery', unit: 'µs', text: 'a delivery costs' },
  { figure: 'connect', unit: 'µs', text: 'to connect costs' },
  { figure: 'idle', unit: 'µs', text: 'to do nothing for a second costs' },
]

function explainCase(findings: Findings, title: string): string {
  const parts = words.flatMap(({ figure: name, unit, text }) => {
    const of = (row: string) => valuesOf(findings, row, name, title)
    const compared = compareCells(of('sse'), of('ws'))
    if (compared === undefined) return []
    const tie = compared.verdict === 'tie' ? ', a tie' : ''
    const bare = [of('sse-bare'), of('ws-bare')]
    const beside = bare.every(({ length }) => length > 0)
      ? ` (control rows: ${bare.map((values) => figure(values, unit)).join(' and ')})`
      : ''
    return `${text} ${figure(of('sse'), unit)} and ${figure(of('ws'), unit)}${tie}${beside}`
  })
  return parts.length === 0 ? '' : `With ${title}, SSE beside WebSocket: ${parts.join('; ')}.`
}
