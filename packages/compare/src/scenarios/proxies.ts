import { setTimeout as delay } from 'node:timers/promises'
import type { Contender, Line } from '../contender.ts'
import { compareCells, spreadOf } from '../figure.ts'
import { formatValue } from '../format.ts'
import { findNginx, type Nginx, startNginx } from '../nginx.ts'
import { quantileOf } from '../quantile.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Bench, Scenario, Values } from '../scenario.ts'
import { figure, within } from './hear.ts'

interface Setup {
  /** Of its `location`, beside the one `proxy_pass`. */
  readonly lines: readonly string[]
  readonly load: 'stream' | 'silence'
}

/** As its manual gives them. @see https://nginx.org/en/docs/http/websocket.html */
const upgrade = [
  'proxy_http_version 1.1;',
  'proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Connection "upgrade";',
]

/** The server's answer then has no end that is known beforehand. Later nginx speak HTTP/1.1 unasked. */
const old = ['proxy_http_version 1.0;']

const plain = 'nginx by HTTP/1.0, its old default'
const upgrading = 'nginx with the lines for WebSocket'
const unbuffered = 'the same with proxy_buffering off'
const patient = 'silence that nginx cuts after 3 s'
const impatient = 'silence that nginx cuts after 0.5 s'

const setups: readonly { readonly title: string; readonly value: Setup }[] = [
  { title: plain, value: { lines: old, load: 'stream' } },
  { title: upgrading, value: { lines: upgrade, load: 'stream' } },
  { title: unbuffered, value: { lines: [...upgrade, 'proxy_buffering off;'], load: 'stream' } },
  // Our server breaks the silence each second, so the one is longer than its heartbeat, and the other is shorter.
  { title: patient, value: { lines: [...upgrade, 'proxy_read_timeout 3s;'], load: 'silence' } },
  { title: impatient, value: { lines: [...upgrade, 'proxy_read_timeout 500ms;'], load: 'silence' } },
]

const bytes = 200
const everyMs = 10

/** So long that a bare `EventSource`, which waits for 3 s, is away at its end, whenever it was cut. */
const silenceSeconds = 5

/** What a proxy in between does to the two: buffering, upgrades and timeouts. */
export const proxies: Scenario = {
  name: 'proxies',
  title: 'Through a proxy',
  question: 'What comes through nginx, and what does it take?',
  figures: [
    { name: 'first', title: 'First message', unit: 'ms', better: 'less' },
    { name: 'p99', title: 'Latency, p99', unit: 'ms', better: 'less' },
    { name: 'missing', title: 'Messages missing', unit: '%', better: 'less' },
    { name: 'lost', title: `Links lost in ${silenceSeconds} s`, unit: '', better: 'less' },
  ],
  places: ['node'],
  async run(bench) {
    const program = findNginx()
    if (program === undefined) {
      bench.note('all', 'nginx is not installed here; on Debian: apt-get install nginx-light')
      return
    }
    const all: Through[] = []
    try {
      for (const { title, value } of setups) {
        all.push({
          title,
          ...value,
          nginx: await startNginx(program, bench.stage.origins.direct, value.lines),
        })
      }
      const silent = all.filter(({ load }) => load === 'silence')
      const silences = new Map<number, Promise<Silences>>()
      const cases = all.map((through) => ({ title: through.title, value: through }))
      await bench.measure({ cases }, async ({ case: through, row, round }) => {
        if (through.load === 'stream') return stream(bench, through, row)
        // Silence is no work: all are silent at once, so that a round takes one silence and not eight.
        const mine = silences.get(round) ?? silence(bench, silent)
        silences.set(round, mine)
        return (await mine).get(through)?.get(row) ?? {}
      })
    } finally {
      await Promise.all(all.map(({ nginx }) => nginx[Symbol.asyncDispose]()))
    }
  },
  explain(result) {
    if (result.cells.length === 0) return 'Not measured: nginx is not installed here.'
    return [explainBuffering(result), explainUpgrade(result), explainSilence(result)]
      .filter(Boolean)
      .join(' ')
  },
}

interface Through extends Setup {
  readonly title: string
  readonly nginx: Nginx
}

type Silences = ReadonlyMap<Through, ReadonlyMap<Contender, Values>>

/** How long nothing may come before the rest counts as missing. */
const stillMs = 1000

/** Who is away for no longer than this stays so for a while: a bare `EventSource` for 3 s. */
const freshMs = 2500

/** Longest wait for the proxy to cut a link again, which begins when the client is back. */
const cutMs = 20_000

/** How long a client that is away may take to come back and hear what it missed. */
const backMs = 6000

async function stream(bench: Bench, through: Through, row: Contender): Promise<Values> {
  const delays: number[] = []
  const count = bench.quick ? 50 : 200
  await using guest = await enter(bench, through, row, (at) => delays.push(bench.stage.now() - at))
  if (guest.refusal !== undefined) return refuse(bench, through, row, guest.refusal)
  const { channel } = guest
  const { house } = row
  await bench.stage.ask('publish', { house, channel, count, bytes, kind: 'text', everyMs })
  await guest.until(() => delays.length >= count, stillMs)
  return { first: delays[0], p99: quantileOf(delays, 0.99), missing: (1 - delays.length / count) * 100 }
}

/** Everybody at once: connected, left alone, and then told one thing. */
async function silence(bench: Bench, all: readonly Through[]): Promise<Silences> {
  const found = new Map(all.map((through) => [through, new Map<Contender, Values>()] as const))
  const each = [...found].flatMap(([through, values]) =>
    bench.contenders.map(async (row) => {
      values.set(row, await silenceOf(bench, through, row))
    }),
  )
  // Nobody is left behind by the failure of another.
  for (const one of await Promise.allSettled(each)) if (one.status === 'rejected') throw one.reason
  return found
}

async function silenceOf(bench: Bench, through: Through, row: Contender): Promise<Values> {
  let heard = 0
  await using guest = await enter(bench, through, row, () => {
    heard += 1
  })
  if (guest.refusal !== undefined) return refuse(bench, through, row, guest.refusal)
  await delay(silenceSeconds * 1000, undefined, { signal: bench.signal })
  const { channel, lost } = guest
  await guest.untilSurelyAway()
  await bench.stage.ask('publish', { house: row.house, channel, count: 1, bytes, kind: 'text', everyMs })
  await guest.until(() => heard === 1 || guest.isOver, backMs)
  return { lost, missing: heard === 1 ? 0 : 100 }
}

function refuse(bench: Bench, { title }: Through, row: Contender, why: string): Values {
  bench.note(`${row.title}, ${title}`, `does not come through: ${why}`)
  return {}
}

/** One client behind the proxy. */
interface Guest extends AsyncDisposable {
  readonly channel: string
  /** Why it was not let in. */
  readonly refusal: string | undefined
  /** How many links it lost so far. */
  readonly lost: number
  /** Whether it will not come back by itself. */
  readonly isOver: boolean
  /** Fulfils at once where it lost no link or is gone; otherwise while it is away, and not about to come back. */
  untilSurelyAway(): Promise<void>
  /** Fulfils once it holds, or when no message has come for so long. */
  until(holds: () => boolean, stillMs: number): Promise<void>
}

let named = 0

/** How long a link may take. */
const enterMs = 5000

/**
 * Connects, until the stage knows the client. Not until the client knows that it is connected: a proxy that buffers keeps
 * even the head of an answer to itself.
 */
async function enter(
  bench: Bench,
  { nginx: { origin } }: Through,
  row: Contender,
  onParcel: (at: number) => void,
): Promise<Guest> {
  named += 1
  const channel = `proxies-${named}`
  const client = channel
  let wake: () => void = () => undefined
  let onState: () => void = () => undefined
  let isOpen = true
  let isOver = false
  let awayAt = 0
  let lost = 0
  let refusal: string | undefined
  const opening = row.open(
    { origin, client, channels: [channel] },
    {
      parcel({ at }) {
        onParcel(at)
        wake()
      },
      state(state) {
        // Each attempt that fails is told as well.
        if (isOpen && state !== 'open') {
          lost += 1
          awayAt = performance.now()
        }
        isOpen = state === 'open'
        isOver = state === 'closed'
        if (isOver) wake()
        onState()
      },
    },
  )
  const known = bench.stage.ask('wait', { house: row.house, client, count: 1, withinMs: enterMs })
  const refused = opening.then<never>(
    () => new Promise(() => undefined),
    (error: Error) => {
      refusal = error.message
      throw error
    },
  )
  try {
    await Promise.race([known, refused])
  } catch (error) {
    known.catch(() => undefined) // it was refused, so the stage waits in vain
    if (refusal === undefined) {
      // It may come through yet, when nobody waits for it any more.
      opening.then((line) => line.close()).catch(() => undefined)
      throw error
    }
  }
  return {
    channel,
    get refusal() {
      return refusal
    },
    get lost() {
      return lost
    },
    get isOver() {
      return isOver
    },
    async untilSurelyAway() {
      const isAway = () => isOver || (!isOpen && performance.now() - awayAt < freshMs)
      if (lost === 0 || isAway()) return
      const away = new Promise<void>((resolve) => {
        onState = () => isAway() && resolve()
      })
      await within(away, cutMs, () => `it was not cut again within ${cutMs} ms`, bench.signal)
    },
    async until(holds, stillMs) {
      while (!holds()) {
        bench.signal.throwIfAborted()
        const isStill = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(true), stillMs)
          wake = () => {
            clearTimeout(timer)
            resolve(false)
          }
        })
        if (isStill) return
      }
    },
    async [Symbol.asyncDispose]() {
      if (refusal !== undefined) return
      await (await lineOf(opening, bench, client)).close()
      await bench.stage.ask('wait', { house: row.house, client, count: 0 })
    },
  }
}

/** The line of one that may not know yet that it is open. */
async function lineOf(opening: Promise<Line>, bench: Bench, client: string): Promise<Line> {
  const unsettled = Symbol('unsettled')
  const line = await Promise.race([
    opening,
    new Promise<typeof unsettled>((resolve) => setImmediate(resolve, unsettled)),
  ])
  if (line !== unsettled) return line
  // The end of the answer brings out what the proxy keeps.
  await bench.stage.ask('cut', { client })
  return within(opening, enterMs, () => 'it never learnt that it was open', bench.signal)
}

function explainBuffering(result: Findings): string {
  const first = (row: string) => valuesOf(result, row, 'first', plain)
  const [ours, bare] = [first('sse'), first('sse-bare')]
  if (ours.length === 0) return ''
  const through = `Through ${plain}, the first message took ${figure(ours, 'ms')} over SSE`
  const missing = spreadOf(valuesOf(result, 'sse-bare', 'missing', plain))?.median ?? 0
  if (compareCells(ours, bare)?.verdict !== 'less' && missing === 0) return `${through}.`
  const stuck =
    missing === 0
      ? ''
      : `, and ${missing.toFixed(0)} % were still in the proxy ${stillMs / 1000} s after the last`
  const without = `a server that does not send \`X-Accel-Buffering: no\`, as ours does`
  const since = bare.length === 0 ? 'nothing came at all' : `it took ${figure(bare, 'ms')}`
  return `${through}; from ${without}, ${since}${stuck}.`
}

function explainUpgrade(result: Findings): string {
  const [sse, ws] = [valuesOf(result, 'sse', 'p99', upgrading), valuesOf(result, 'ws', 'p99', upgrading)]
  const compared = compareCells(sse, ws)
  if (compared === undefined) return ''
  const isRefused = valuesOf(result, 'ws', 'p99', plain).length === 0
  const needs = isRefused
    ? 'WebSocket came through only once nginx was told to pass upgrades on: then'
    : `Through ${upgrading}`
  const tie = compared.verdict === 'tie' ? ', a tie' : ''
  return `${needs} p99 was ${figure(sse, 'ms')} over SSE and ${figure(ws, 'ms')} over WebSocket${tie}.`
}

/** With its kind in brackets, so that it can stand in a list. */
const nameOf = ({ title }: { readonly title: string }): string => title.replace(/, (.+)$/, ' ($1)')

function explainSilence(result: Findings): string {
  return [patient, impatient]
    .map((title) => {
      if (valuesOf(result, 'sse', 'lost', title).length === 0) return ''
      const lost = (row: string) => spreadOf(valuesOf(result, row, 'lost', title))?.median ?? 0
      const links = result.rows.map((row) => `${nameOf(row)} ${formatValue(lost(row.name))}`).join(', ')
      const isKept = lost('sse') + lost('ws') === 0 && lost('sse-bare') + lost('ws-bare') > 0
      const why = isKept ? ', since our server says something each second' : ''
      const without = result.rows
        .filter(({ name }) => (spreadOf(valuesOf(result, name, 'missing', title))?.median ?? 0) > 0)
        .map(nameOf)
      const next = without.length === 0 ? 'all heard' : `${without.join(' and ')} did not hear`
      return `In ${silenceSeconds} s of ${title} these links were lost: ${links}${why}; ${next} what was sent next.`
    })
    .filter(Boolean)
    .join(' ')
}
