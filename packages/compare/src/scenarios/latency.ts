import { compareCells, remarkOn } from '../figure.ts'
import { formatValue } from '../format.ts'
import type { Kind } from '../parcel.ts'
import { quantileOf } from '../quantile.ts'
import { valuesOf } from '../report.ts'
import type { Scenario, Values } from '../scenario.ts'
import { figure, hearAll } from './hear.ts'

interface Load {
  readonly bytes: number
  readonly kind: Kind
  readonly perSecond: number
}

const loads: readonly { title: string; value: Load }[] = [
  { title: '100 B, 100 per second', value: { bytes: 100, kind: 'text', perSecond: 100 } },
  { title: '100 B, 1,000 per second', value: { bytes: 100, kind: 'text', perSecond: 1000 } },
  { title: '16 KB, 100 per second', value: { bytes: 16_384, kind: 'text', perSecond: 100 } },
]

/** Of fewer messages the percentile would be the slowest of them. */
const fewest = { p99: 100, p999: 1000 }

/** Exported for tests. */
export function percentilesOf(delays: readonly number[]): Values {
  return {
    p50: quantileOf(delays, 0.5),
    p99: delays.length < fewest.p99 ? undefined : quantileOf(delays, 0.99),
    p999: delays.length < fewest.p999 ? undefined : quantileOf(delays, 0.999),
  }
}

/** One-way, from when a message was to leave to its handler. */
export const latency: Scenario = {
  name: 'latency',
  title: 'Latency',
  question: 'How long is a message under way?',
  figures: [
    { name: 'p50', title: 'Median', unit: 'ms', better: 'less' },
    { name: 'p99', title: 'p99', unit: 'ms', better: 'less' },
    { name: 'p999', title: 'p99.9', unit: 'ms', better: 'less' },
  ],
  places: ['node', 'page'],
  async run(bench) {
    const seconds = bench.quick ? 0.3 : 2
    await bench.measure({ cases: loads }, async ({ case: { bytes, kind, perSecond }, row }) => {
      const count = Math.round(seconds * perSecond)
      const delays: number[] = []
      await using heard = await hearAll(bench, row, count, ({ at }) => delays.push(bench.stage.now() - at))
      const publishing = {
        house: row.house,
        channel: heard.channel,
        count,
        bytes,
        kind,
        everyMs: 1000 / perSecond,
      }
      await bench.stage.ask('publish', publishing)
      await heard.all
      return percentilesOf(delays)
    })
    if (bench.stage.clockErrorMs > 0) {
      bench.note(
        'all latencies',
        `the two clocks are known to ± ${bench.stage.clockErrorMs.toFixed(2)} ms, the same for every row`,
      )
    }
  },
  explain(result) {
    const sentences = loads.flatMap(({ title }) => {
      for (const [name, words] of [
        ['p99', 'p99'],
        ['p50', 'the median'],
      ] as const) {
        const [sse, ws] = [valuesOf(result, 'sse', name, title), valuesOf(result, 'ws', name, title)]
        const compared = compareCells(sse, ws)
        if (compared === undefined) continue
        const figures = `${words} is ${figure(sse, 'ms')} over SSE and ${figure(ws, 'ms')} over WebSocket`
        return [`At ${title}, ${figures}${remarkOn(compared)}.`]
      }
      return []
    })
    if (sentences.length === 0) return ''
    const left = `Of fewer than ${fewest.p99} messages p99 is left out, and of fewer than ${formatValue(fewest.p999)} p99.9: it would be the slowest of them.`
    return [...sentences, left].join(' ')
  },
}
