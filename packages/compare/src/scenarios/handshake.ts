import type { Contender, Hear, Line } from '../contender.ts'
import { compareCells } from '../figure.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Bench, Scenario } from '../scenario.ts'
import { figure, within } from './hear.ts'

/** Names of one length, so that they take the same bytes of the request in each trial. */
const channel = 'welcome'
let named = 0
function nextName(): string {
  named += 1
  return `newcomer-${String(named).padStart(5, '0')}`
}

/** Of the first message. */
const firstBytes = 100

/** Each way, where round trips are counted: much longer than anything that the two machines do meanwhile. */
const delayMs = 20

/** Longest wait for anything: a browser's EventSource may take its time to come back. */
const lateMs = 20_000

/** What it costs to connect, and to connect again. */
export const handshake: Scenario = {
  name: 'handshake',
  title: 'Handshake',
  question: 'What does it cost to connect, and to come back?',
  figures: [
    { name: 'open', title: 'Until open', unit: 'ms', better: 'less' },
    { name: 'first', title: 'Until the first message', unit: 'ms', better: 'less' },
    { name: 'trips', title: 'Round trips until open', unit: '', better: 'neither' },
    { name: 'up', title: 'Bytes up until then', unit: 'B', better: 'less' },
    { name: 'down', title: 'Bytes down until then', unit: 'B', better: 'less' },
    { name: 'again', title: 'From a cut to open again', unit: 'ms', better: 'less' },
  ],
  places: ['node', 'page'],
  async run(bench) {
    const isNode = bench.place.kind === 'node'
    if (!isNode) {
      bench.note('bytes up and down', 'not counted in a page: what else it has open passes the same relay')
    }
    await bench.measure({ cases: [{ title: '', value: undefined }] }, async ({ row }) => {
      // Code runs for the first time here, and Firefox holds back a WebSocket to a host where one was cut, until one succeeds.
      await (await arrive(bench, row, bench.stage.origins.direct)).leave()
      const trips = await tripsOf(bench, row)
      const bytes = isNode ? await bytesOf(bench, row) : {}
      // At last, because it ends with a cut.
      return { ...(await timesOf(bench, row)), ...bytes, trips }
    })
  },
  explain,
}

interface Arrival {
  /** As the stage knows it. */
  readonly client: string
  readonly openMs: number
  readonly firstMs: number
  leave(): Promise<void>
}

/** Connects to a stage that publishes in the moment when it knows the client. */
async function arrive(bench: Bench, row: Contender, origin: string, hear: Hear = {}): Promise<Arrival> {
  const { stage, signal } = bench
  const { house } = row
  const client = nextName()
  const published = stage.ask('publish', {
    house,
    channel,
    count: 1,
    bytes: firstBytes,
    kind: 'text',
    everyMs: 0,
    whenThere: client,
  })
  // It is awaited below; until then its failure is nobody's.
  published.catch(() => undefined)
  // Answered behind it, so that the stage waits by now.
  await stage.ask('clock', {})
  let heard: () => void = () => undefined
  const first = new Promise<void>((resolve) => {
    heard = resolve
  })
  const startedAt = performance.now()
  let line: Line | undefined
  try {
    line = await row.open({ origin, client, channels: [channel] }, { ...hear, parcel: () => heard() })
    const openMs = performance.now() - startedAt
    await within(first, lateMs, () => `no message came within ${lateMs} ms`, signal)
    const firstMs = performance.now() - startedAt
    await published
    const { close } = line
    return {
      client,
      openMs,
      firstMs,
      async leave() {
        await close()
        await stage.ask('wait', { house, client, count: 0 })
      },
    }
  } catch (error) {
    await line?.close()
    throw error
  }
}

async function timesOf(bench: Bench, row: Contender): Promise<Record<string, number | undefined>> {
  const { stage, signal } = bench
  let wasAway = false
  let settle: (at: number | undefined) => void = () => undefined
  const back = new Promise<number | undefined>((resolve) => {
    settle = resolve
  })
  const arrival = await arrive(bench, row, stage.origins.direct, {
    state(state) {
      if (state === 'away') wasAway = true
      if (state === 'closed') settle(undefined)
      if (state === 'open' && wasAway) settle(stage.now())
    },
  })
  try {
    const { at: cutAt } = await stage.ask('cut', { client: arrival.client })
    const backAt = await within(back, lateMs, () => `it was not back within ${lateMs} ms`, signal)
    if (backAt === undefined) {
      bench.note(`${row.title}, from a cut to open again`, 'it does not come back by itself')
    }
    return {
      open: arrival.openMs,
      first: arrival.firstMs,
      again: backAt === undefined ? undefined : backAt - cutAt,
    }
  } finally {
    await arrival.leave()
  }
}

/** Counted at the relay, heads of HTTP and all, the first message with them. */
async function bytesOf(bench: Bench, row: Contender): Promise<{ up: number; down: number }> {
  const { stage } = bench
  await stage.ask('count', { reset: true })
  const arrival = await arrive(bench, row, stage.origins.relay)
  const { upBytes: up, downBytes: down } = await stage.ask('count', {})
  await arrival.leave()
  return { up, down }
}

/** How often the delay of the relay, there and back, was waited for. TCP's own handshake is with the relay: it is not in it. */
async function tripsOf(bench: Bench, row: Contender): Promise<number> {
  const { stage } = bench
  try {
    await stage.ask('relay', { delayMs })
    const arrival = await arrive(bench, row, stage.origins.relay)
    await stage.ask('relay', {})
    await arrival.leave()
    return arrival.openMs / (2 * delayMs)
  } finally {
    await stage.ask('relay', {})
  }
}

function explain(result: Findings): string {
  const both = (name: string): [readonly number[], readonly number[]] => [
    valuesOf(result, 'sse', name),
    valuesOf(result, 'ws', name),
  ]
  const pair = (name: string, unit: 'ms' | 'B' | ''): string | undefined => {
    const [one, other] = both(name)
    const compared = compareCells(one, other)
    if (compared === undefined) return undefined
    const tie = compared.verdict === 'tie' ? ' (a tie)' : ''
    return `${figure(one, unit)} over SSE and ${figure(other, unit)} over WebSocket${tie}`
  }
  const [trips, open, first] = [pair('trips', ''), pair('open', 'ms'), pair('first', 'ms')]
  const [up, down, again] = [pair('up', 'B'), pair('down', 'B'), pair('again', 'ms')]
  const bare = valuesOf(result, 'sse-bare', 'again')
  return [
    trips &&
      `With ${delayMs} ms of delay planted each way, opening takes so many round trips: ${trips}; what is over a whole number is the work at both ends. TCP's own round trip and those of TLS come before that, the same for both, and are not in it.`,
    open && `Without that delay it is open after ${open}.`,
    first && `The first message is there after ${first}.`,
    up && `Until then a client has sent ${up}.`,
    down && `It was sent ${down}, ${firstBytes} B of that the message's.`,
    again && `After a cut it is open again after ${again}; the server asks for a wait of 500 ms at least.`,
    bare.length > 0 && `An EventSource without our code takes ${figure(bare, 'ms')}, by its own default.`,
    result.rows.some(({ name }) => name === 'ws-bare') &&
      valuesOf(result, 'ws-bare', 'again').length === 0 &&
      'A bare WebSocket does not come back by itself.',
  ]
    .filter(Boolean)
    .join(' ')
}
