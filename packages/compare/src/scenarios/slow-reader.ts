import { setTimeout as pause } from 'node:timers/promises'
import type { Contender } from '../contender.ts'
import { compareCells, remarkOn } from '../figure.ts'
import { formatValue } from '../format.ts'
import { quantileOf } from '../quantile.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Bench, Scenario, Values } from '../scenario.ts'
import { openDeaf } from './deaf-peer.ts'
import { figure, hearAll } from './hear.ts'

/** How many parcels are published. */
interface Load {
  /** To the healthy peer alone, to have something to compare with. */
  readonly before: number
  readonly meanwhile: number
}

const bytes = 16_384
const everyMs = 2
const full: Load = { before: 500, meanwhile: 2048 }
/** Still more than what the kernel takes on both ends, which are 10 MiB by Linux's defaults. */
const short: Load = { before: 100, meanwhile: 1024 }

const mebi = (parcels: number): string => `${formatValue((parcels * bytes) / 1024 ** 2)} MiB`

/** How long the server has to let go of a peer once everything is published. */
const graceMs = 500
/** Longer than any of it takes. */
const longestMs = 60_000

/** One peer that does not read, beside one that does. */
export const slowReader: Scenario = {
  name: 'slow-reader',
  title: 'Slow reader',
  question: 'What does one client that stops reading do to the server and to the others?',
  figures: [
    { name: 'owed', title: 'Most that waited in the server for it', unit: 'KiB', better: 'less' },
    { name: 'memory', title: 'Growth of heap and buffers', unit: 'KiB', better: 'less' },
    { name: 'rss', title: 'Growth of the process', unit: 'KiB', better: 'less' },
    { name: 'letGo', title: 'Let go of (1: yes)', unit: '', better: 'more' },
    { name: 'given', title: 'Let go of after', unit: 'KiB', better: 'neither' },
    { name: 'before', title: 'p99 of the healthy one before', unit: 'ms', better: 'neither' },
    { name: 'meanwhile', title: 'p99 of the healthy one meanwhile', unit: 'ms', better: 'less' },
  ],
  places: ['node'],
  async run(bench) {
    const load = bench.quick ? short : full
    // The history of ours has a bound. Once it is full, what grows is no history.
    await bench.stage.ask('publish', {
      house: 'ours',
      channel: 'filling',
      count: 4200,
      bytes,
      kind: 'text',
      everyMs: 0,
    })
    const plan = { cases: [{ title: `${mebi(load.meanwhile)} published`, value: load }] }
    await bench.measure({ ...plan, rounds: bench.quick ? 1 : 4 }, ({ case: value, row }) =>
      observe(bench, row, value),
    )
    bench.note(
      'growth of the process',
      'an allocator gives back late and reuses what it kept, so that it tells less with every round; heap and buffers are after a collection',
    )
  },
  explain,
}

async function observe(bench: Bench, row: Contender, { before, meanwhile }: Load): Promise<Values> {
  const { stage, signal } = bench
  const { house } = row
  const delays: number[] = []
  await using heard = await hearAll(bench, row, before + meanwhile, ({ at }) => delays.push(stage.now() - at))
  const publishing = { house, channel: heard.channel, bytes, kind: 'text', everyMs } as const

  await stage.ask('publish', { ...publishing, count: before })
  const start = await stage.ask('cost', { collect: true })

  const client = `${heard.client}-slow`
  using deaf = await openDeaf(row, stage.origins.direct, client, heard.channel)
  await stage.ask('wait', { house, client, count: 1 })
  let isOver = false
  const leaving = stage.ask('wait', { house, client, count: 0, withinMs: longestMs })
  const owed = () => stage.ask('owed', { port: deaf.port })
  await owed()
  const left = leaving.then(async () => {
    if (isOver) return { letGo: 0 }
    const { bytes: waiting } = await owed()
    const all = await deaf.drain()
    // Where nothing waits any more, the server had thrown the rest away before it was read.
    return { letGo: 1, given: waiting > 0 ? all / 1024 : undefined }
  })
  // Handled where it is awaited.
  left.catch(() => undefined)

  await stage.ask('publish', { ...publishing, count: meanwhile, from: before + 1 })
  await heard.all
  await Promise.race([left, pause(graceMs, undefined, { signal })])
  const end = await stage.ask('cost', { collect: true })
  isOver = true
  deaf[Symbol.dispose]()
  return {
    owed: (await owed()).most / 1024,
    memory: (end.heapBytes + end.externalBytes - start.heapBytes - start.externalBytes) / 1024,
    rss: (end.rssBytes - start.rssBytes) / 1024,
    ...(await left),
    before: quantileOf(delays.slice(0, before), 0.99),
    meanwhile: quantileOf(delays.slice(before), 0.99),
  }
}

function explain(findings: Findings): string {
  const { cases, rows } = findings
  return cases
    .flatMap((title) => rows.map(({ name, title: who }) => explainRow(findings, name, who, title)))
    .filter(Boolean)
    .join(' ')
}

function explainRow(findings: Findings, row: string, who: string, title: string): string {
  const of = (name: string) => valuesOf(findings, row, name, title)
  const letGo = of('letGo')
  if (letGo.length === 0) return ''
  const kept = `up to ${figure(of('owed'), 'KiB')} waited for the one that does not read`
  const given = of('given')
  const after = given.length > 0 ? ` after ${figure(given, 'KiB')}` : ''
  const end = letGo.every((value) => value === 1)
    ? `and the server let go of it${after}`
    : letGo.every((value) => value === 0)
      ? `and the server held on to it: of ${title}, its memory grew by ${figure(of('memory'), 'KiB')}`
      : `and the server let go of it in ${letGo.filter((value) => value === 1).length} of ${letGo.length} rounds`
  const before = of('before')
  const meanwhile = of('meanwhile')
  const compared = compareCells(meanwhile, before)
  const others =
    compared === undefined
      ? ''
      : ` The p99 of the other was ${figure(before, 'ms')} before and ${figure(meanwhile, 'ms')} meanwhile${remarkOn(compared)}.`
  return `${who}: ${kept}, ${end}.${others}`
}
