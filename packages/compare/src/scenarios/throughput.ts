import type { Contender } from '../contender.ts'
import { compareCells, spreadOf } from '../figure.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Scenario, Values } from '../scenario.ts'
import { type Alone, aloneOn } from './alone.ts'
import { figure } from './hear.ts'

interface Load {
  readonly subscribers: number
  readonly bytes: number
  /** Published at once. */
  readonly burst: number
  /** Published in all. */
  readonly count: number
}

const full: readonly { title: string; value: Load }[] = [
  { title: '1 subscriber, 100 B', value: { subscribers: 1, bytes: 100, burst: 1, count: 40_000 } },
  { title: '10 subscribers, 100 B', value: { subscribers: 10, bytes: 100, burst: 1, count: 15_000 } },
  { title: '100 subscribers, 100 B', value: { subscribers: 100, bytes: 100, burst: 1, count: 2_000 } },
  {
    title: '100 subscribers, 100 B, 10 at once',
    value: { subscribers: 100, bytes: 100, burst: 10, count: 2_000 },
  },
  { title: '100 subscribers, 1 KB', value: { subscribers: 100, bytes: 1024, burst: 1, count: 2_000 } },
  { title: '1,000 subscribers, 100 B', value: { subscribers: 1000, bytes: 100, burst: 1, count: 200 } },
]

const quick: readonly { title: string; value: Load }[] = [
  { title: '1 subscriber, 100 B', value: { subscribers: 1, bytes: 100, burst: 1, count: 500 } },
  { title: '50 subscribers, 100 B', value: { subscribers: 50, bytes: 100, burst: 1, count: 50 } },
  {
    title: '50 subscribers, 100 B, 10 at once',
    value: { subscribers: 50, bytes: 100, burst: 10, count: 50 },
  },
]

/** A trial takes about two seconds, and there are 24 in a round. */
const rounds = 5

/** As much as one server can bring to its subscribers, and what that costs it. */
export const throughput: Scenario = {
  name: 'throughput',
  title: 'Throughput',
  question: 'How many messages can one server deliver in a second?',
  figures: [
    { name: 'rate', title: 'Deliveries', unit: '/s', better: 'more' },
    { name: 'cpu', title: 'Server CPU per delivery', unit: 'µs', better: 'less' },
    { name: 'busy', title: 'Server busy', unit: '%', better: 'neither' },
  ],
  places: ['node'],
  async run(bench) {
    const alone = aloneOn(bench)
    if (alone === undefined) return
    const plan = bench.quick ? { cases: quick, rounds: 1 } : { cases: full, rounds }
    await bench.measure(plan, ({ case: load, row }) =>
      alone(row, 0, (on) => deliver(on, row, load, bench.quick ? 1 : 0.25)),
    )
  },
  explain(findings) {
    return [
      ...findings.cases.map((title) => explainCase(findings, title)),
      explainPrice(findings, 'sse', 'sse-bare'),
      explainPrice(findings, 'ws', 'ws-bare'),
      explainBusy(findings),
    ]
      .filter(Boolean)
      .join(' ')
  },
}

/** Publishes as fast as the server can, though never further ahead of the slowest subscriber than a window. */
async function deliver(
  { stage, channel, gather, cost }: Alone,
  { house }: Contender,
  { subscribers, bytes, burst, count }: Load,
  warmUp: number,
): Promise<Values> {
  await using crowd = await gather(subscribers)
  const window = windowOf(subscribers, bytes, burst)

  async function publish(from: number, of: number): Promise<{ firstAt: number; lastAt: number }> {
    const publishing = {
      house,
      channel,
      count: of,
      bytes,
      kind: 'text',
      everyMs: 0,
      burst,
      from,
      window,
    } as const
    const last = from + of - 1
    const published = stage.ask('publish', publishing)
    const heard = (async () => {
      const step = Math.max(1, window >> 2)
      for (let seq = from + step - 1; seq < last; seq += step) {
        await crowd.reach(seq)
        await stage.ask('taken', { channel, seq })
      }
      await crowd.reach(last)
      return stage.now()
    })()
    const [{ firstAt }, lastAt] = await Promise.all([published, heard])
    await stage.ask('taken', { channel, seq: last })
    return { firstAt, lastAt }
  }

  // The first messages are run by an interpreter, the rest by what a compiler made of it.
  const warm = Math.ceil(count * warmUp)
  await publish(1, warm)
  const before = await cost()
  const { firstAt, lastAt } = await publish(warm + 1, count)
  const after = await cost()
  await crowd.expect(warm + count)
  const deliveries = count * subscribers
  const [tookMs, cpuMs] = [lastAt - firstAt, after.cpuMs - before.cpuMs]
  return {
    rate: (deliveries / tookMs) * 1000,
    cpu: (cpuMs * 1000) / deliveries,
    busy: (cpuMs / tookMs) * 100,
  }
}

/** What may be under way to one subscriber: a quarter of what ours allows a slow reader. */
const perSubscriberBytes = 256 * 1024
/** What may be under way to all of them. */
const inAllBytes = 8 * 1024 * 1024
/** Ids, names and framing. */
const roughFrameBytes = 100

/** How many messages may be under way. */
export function windowOf(subscribers: number, bytes: number, burst: number): number {
  const room = Math.min(perSubscriberBytes, inAllBytes / subscribers)
  return Math.max(2 * burst, 16, Math.floor(room / (bytes + roughFrameBytes)))
}

function explainCase(findings: Findings, title: string): string {
  const of = (row: string, name: string) => valuesOf(findings, row, name, title)
  const rates = compareCells(of('sse', 'rate'), of('ws', 'rate'))
  const costs = compareCells(of('sse', 'cpu'), of('ws', 'cpu'))
  if (rates === undefined || costs === undefined) return ''
  const rate = `${figure(of('sse', 'rate'), '/s')} over SSE and ${figure(of('ws', 'rate'), '/s')} over WebSocket`
  const cpu = `${figure(of('sse', 'cpu'), 'µs')} and ${figure(of('ws', 'cpu'), 'µs')}`
  const [a, b] = [rates.verdict === 'tie' ? ', a tie' : '', costs.verdict === 'tie' ? ', a tie' : '']
  return `${title}: ${rate}${a}; a delivery costs the server ${cpu}${b}.`
}

/** What our code adds to a server of a few lines, where there are most subscribers. */
function explainPrice(findings: Findings, row: string, control: string): string {
  const last = findings.cases.at(-1) ?? ''
  const [own, bare] = [valuesOf(findings, row, 'cpu', last), valuesOf(findings, control, 'cpu', last)]
  const compared = compareCells(own, bare)
  if (compared === undefined) return ''
  const titleOf = (name: string) => findings.rows.find((one) => one.name === name)?.title ?? name
  const figures = `${figure(own, 'µs')} for ${titleOf(row)} and ${figure(bare, 'µs')} for ${titleOf(control)}`
  return `Beside the control row, with ${last}: ${figures}${compared.verdict === 'tie' ? ', a tie' : ''}.`
}

/** Below this the server was not what bounded the rate. */
const busyPercent = 85

function explainBusy(findings: Findings): string {
  const idle = findings.cases.filter((title) =>
    findings.rows.some(({ name }) => {
      const busy = spreadOf(valuesOf(findings, name, 'busy', title))
      return busy !== undefined && busy.median < busyPercent
    }),
  )
  if (idle.length === 0) return ''
  const where = idle.length === findings.cases.length ? 'In all cases' : `With ${idle.join('; ')}`
  return (
    `${where} the server was not busy all the time in at least one row: there the readers, or whatever else this ` +
    'machine did, set the rate, and the CPU per delivery says more.'
  )
}
