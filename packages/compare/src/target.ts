import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { compareCells, type Figure } from './figure.ts'
import { quantileOf } from './quantile.ts'
import { type Findings, valuesOf } from './report.ts'
import type { Bench, Scenario, Values } from './scenario.ts'
import { figure } from './scenarios/hear.ts'
import { type Data, type Link, linkLimits, sizeOf, within } from './target/link.ts'
import { rowsOf, type Target, type TargetRow } from './target/rows.ts'

/** Settings of {@link targetScenarios}. */
export interface TargetOptions extends Target {
  /** How many connections to open at once per transport, from 1 to 1,000. @defaultValue none beyond {@link targetLimits} */
  readonly load?: number
  /** How long to listen, in seconds. @defaultValue 10, or 2 in a quick run */
  readonly seconds?: number
  /** @defaultValue 7, or 2 in a quick run, as far as the limits allow */
  readonly rounds?: number
}

/** What a server that is not ours is asked for at most, unless its user asks for more. */
export const targetLimits: {
  /** Connections at a time, per transport. */
  readonly atOnce: number
  /** Connections altogether. */
  readonly total: number
  readonly seconds: number
  /** The longest for `seconds`, so that there is time left to connect. */
  readonly listenSeconds: number
} = { atOnce: 2, total: 20, seconds: 30, listenSeconds: 20 }

/** What can be learned of a server from the outside, at a few connections that only listen. */
export function targetScenarios(options: TargetOptions): readonly Scenario[] {
  return options.load === undefined ? [server(options)] : [server(options), load(options, options.load)]
}

const opened: Figure = { name: 'open', title: 'Connect', unit: 'ms', better: 'less' }

const figures: readonly Figure[] = [
  opened,
  { name: 'first', title: 'First message', unit: 'ms', better: 'less' },
  { name: 'again', title: 'Close and connect', unit: 'ms', better: 'less' },
  { name: 'rate', title: 'Messages', unit: '/s', better: 'neither' },
  { name: 'bytes', title: 'Data of a message', unit: 'B', better: 'neither' },
  { name: 'lead', title: 'Ahead of the other', unit: 'ms', better: 'more' },
  { name: 'pairs', title: 'Equal messages', unit: '', better: 'neither' },
]

/** How long to wait for the first message after a link has opened, in milliseconds. */
const firstMs = 1000

/** Fewer equal messages than these in a round tell nothing of which way is faster. */
const fewestPairs = 3

function server(options: TargetOptions): Scenario {
  return {
    name: 'server',
    title: 'Your server',
    question: 'How does your own server do over SSE and WebSocket?',
    figures,
    places: ['node'],
    async run(bench) {
      const rows = rowsOf(options)
      const signal =
        options.load === undefined
          ? AbortSignal.any([bench.signal, AbortSignal.timeout(targetLimits.seconds * 1000)])
          : bench.signal
      const visits = rows.map((row) => createVisit(row, signal))
      // One connection of each row is its warm-up.
      const most = Math.floor(targetLimits.total / rows.length) - 1
      const rounds = Math.min(most, options.rounds ?? (bench.quick ? 2 : 7))
      const ms = (1000 * (options.seconds ?? (bench.quick ? 2 : 10))) / rounds
      const cases = [{ title: '', value: undefined }]
      try {
        for (const visit of visits) await visit.warmUp()
        await bench.measure(
          { cases, rows, rounds },
          async ({ row }) => visits.find((visit) => visit.row === row)?.visit() ?? {},
        )
        // All listen at the same time: only so can the same message be seen over each.
        const there = visits.filter(({ isOpen }) => isOpen)
        let window: { readonly round: number; readonly heard: Promise<Window> } | undefined
        await bench.measure({ cases, rows: there.map(({ row }) => row), rounds }, async ({ row, round }) => {
          if (window?.round !== round) window = { round, heard: listen(there, ms, signal) }
          const heard = await window.heard
          const mine = heard.get(row.name) ?? silence
          // A part of the time tells no rate.
          if (there.some((visit) => visit.row === row && visit.isFull)) return {}
          return {
            ...heardIn(mine, ms),
            ...leadOf(mine.kept, (heard.get(otherOf(row.name)) ?? silence).kept),
          }
        })
        noteAll(bench, options, visits, rounds)
      } finally {
        await Promise.all(visits.map((visit) => visit.leave()))
      }
    },
    explain: explainServer,
  }
}

/** One row's stay at the server. */
interface Visit {
  readonly row: TargetRow
  readonly isOpen: boolean
  /** Whether it waited in vain for a first message. */
  readonly isSilent: boolean
  /** Whether more came over a link of its than may. */
  readonly isFull: boolean
  warmUp(): Promise<void>
  /** Leaves, where it is there, and comes anew. */
  visit(): Promise<Values>
  /** What was heard since the last time. */
  take(): Tape
  leave(): Promise<void>
}

/** What came in some time. */
interface Tape {
  readonly count: number
  /** The first of them. */
  readonly kept: readonly Heard[]
}

const silence: Tape = { count: 0, kept: [] }

/** Of how many messages at a time is known which they were; further ones are counted. */
const mostKept = 20_000

interface Heard {
  readonly at: number
  readonly key: string
  readonly bytes: number
}

const tooMuch = `more than ${linkLimits.bytes / 1024 / 1024} MiB came over one connection, which was then closed`

const late = `the ${targetLimits.seconds} s for a run without --load were over`

function createVisit(row: TargetRow, signal: AbortSignal): Visit {
  let link: Link | undefined
  let heard: Heard[] = []
  let count = 0
  let isSilent = false
  let wasFull = false
  let onFirst: () => void = () => undefined

  function onData(data: Data): void {
    count += 1
    if (heard.length >= mostKept) return
    heard.push({ at: performance.now(), key: keyOf(data), bytes: sizeOf(data) })
    onFirst()
  }
  function take(): Tape {
    const taken = { count, kept: heard }
    heard = []
    count = 0
    return taken
  }
  async function leave(): Promise<void> {
    const last = link
    link = undefined
    wasFull ||= last?.isFull === true
    await last?.close()
  }
  return {
    row,
    get isOpen() {
      return link?.isOpen === true
    },
    get isSilent() {
      return isSilent
    },
    get isFull() {
      return wasFull || link?.isFull === true
    },
    async warmUp() {
      link = await row.warmUp(signal)
    },
    async visit() {
      if (signal.aborted) throw new Error(late)
      const wasOpen = link?.isOpen === true
      const leftAt = performance.now()
      await leave()
      take()
      const first = new Promise<void>((resolve) => {
        onFirst = resolve
      })
      const cameAt = performance.now()
      link = await row.link(onData, signal)
      const openAt = performance.now()
      const values = { open: openAt - cameAt, again: wasOpen ? openAt - leftAt : undefined }
      // A server that had nothing to say once is not waited for again: the time is short.
      if (isSilent) return values
      await within(firstMs, first)
      const at = heard[0]?.at
      isSilent = at === undefined
      return { ...values, first: at === undefined ? undefined : at - cameAt }
    },
    take,
    leave,
  }
}

/** What each row heard, by its name. */
type Window = ReadonlyMap<string, Tape>

async function listen(visits: readonly Visit[], ms: number, signal: AbortSignal): Promise<Window> {
  for (const visit of visits) visit.take()
  await delay(ms, undefined, { signal }).catch(() => {
    throw new Error(late)
  })
  return new Map(visits.map((visit) => [visit.row.name, visit.take()]))
}

/** What tells equal messages, in a few bytes however long they are. */
function keyOf(data: Data): string {
  return `${typeof data} ${createHash('sha256').update(data).digest('base64')}`
}

function heardIn({ count, kept }: Tape, ms: number): Values {
  return {
    rate: count / (ms / 1000),
    bytes: quantileOf(
      kept.map(({ bytes }) => bytes),
      0.5,
    ),
  }
}

/** By how much messages came earlier here than there, of those that came once each way. */
function leadOf(here: readonly Heard[], there: readonly Heard[]): Values {
  const others = onceOf(there)
  const leads = [...onceOf(here)].flatMap(([key, at]) => {
    const other = others.get(key)
    return other === undefined ? [] : [other - at]
  })
  if (leads.length < fewestPairs) return {}
  return { lead: quantileOf(leads, 0.5), pairs: leads.length }
}

/** A message that came twice has no certain partner. */
function onceOf(heard: readonly Heard[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { key } of heard) counts.set(key, (counts.get(key) ?? 0) + 1)
  return new Map(heard.filter(({ key }) => counts.get(key) === 1).map(({ key, at }) => [key, at]))
}

const otherOf = (name: string): string =>
  name.startsWith('sse') ? name.replace('sse', 'ws') : name.replace('ws', 'sse')

function noteAll(bench: Bench, options: TargetOptions, visits: readonly Visit[], rounds: number): void {
  for (const { row, isOpen, isSilent, isFull } of visits) {
    if (isSilent) bench.note(`${row.title}, first message`, `none came within ${firstMs} ms of the opening`)
    if (isFull) bench.note(`${row.title}, messages`, tooMuch)
    else if (!isOpen) bench.note(`${row.title}, messages`, 'the link had ended before they were counted')
  }
  if (options.sse === undefined || options.ws === undefined) {
    const missing = options.sse === undefined ? 'SSE' : 'WebSocket'
    bench.note('a comparison', `no URL was given for ${missing}`)
  }
  bench.note(
    'the server itself',
    'its memory and processor time, bytes on the wire and lost messages cannot be seen from the outside',
  )
  if (options.load === undefined) {
    const { total, atOnce, seconds } = targetLimits
    bench.note(
      'load and more rounds',
      `without --load at most ${total} connections are made (${atOnce} at a time per transport) in at most ${seconds} s, so there were ${rounds} rounds`,
    )
  }
}

function explainServer(findings: Findings): string {
  const names = [
    ['open', 'A connection is open after'],
    ['first', 'The first message is there after'],
    ['again', 'Closing and connecting again takes'],
  ] as const
  const sentences: string[] = names.flatMap(([name, words]) => sentenceOf(findings, name, words))
  const [ahead, pairs] = [valuesOf(findings, 'ws', 'lead'), valuesOf(findings, 'ws', 'pairs')]
  const middle = quantileOf(ahead, 0.5)
  if (middle !== undefined) {
    const over = middle >= 0 ? ['WebSocket', 'SSE'] : ['SSE', 'WebSocket']
    const compared = compareCells(ahead, valuesOf(findings, 'sse', 'lead'))
    const count = pairs.reduce((sum, one) => sum + one, 0)
    const by = figure(ahead.map(Math.abs), 'ms')
    sentences.push(
      compared?.verdict === 'open'
        ? `Of ${count} messages that came over both, too few rounds tell which are ahead (${by} in the middle).`
        : compared?.verdict === 'tie'
          ? `Of ${count} messages that came over both, neither was ahead beyond the noise (${by} in the middle).`
          : `Of ${count} messages that came over both, the one over ${over[0]} was ahead of the one over ${over[1]} by ${by}; whom the server writes to first is part of that.`,
    )
  } else if (
    findings.rows.some(({ name }) => name === 'sse') &&
    findings.rows.some(({ name }) => name === 'ws')
  ) {
    sentences.push(
      'Over which of the two messages come first cannot be said: in no round did three messages come over both that each came only once.',
    )
  }
  return sentences.join(' ')
}

/** One figure over one transport or both. */
function sentenceOf(findings: Findings, name: string, words: string, of = ''): string[] {
  const [sse, ws] = [valuesOf(findings, 'sse', name, of), valuesOf(findings, 'ws', name, of)]
  const compared = compareCells(sse, ws)
  if (compared !== undefined) {
    const tie = compared.verdict === 'tie' ? ', a tie' : ''
    return [`${words} ${figure(sse, 'ms')} over SSE and ${figure(ws, 'ms')} over WebSocket${tie}.`]
  }
  if (sse.length > 0) return [`${words} ${figure(sse, 'ms')} over SSE.`]
  return ws.length > 0 ? [`${words} ${figure(ws, 'ms')} over WebSocket.`] : []
}

/** How long a link may take to open while many do, in milliseconds. */
const crowdedMs = 30_000

function load(options: TargetOptions, count: number): Scenario {
  const title = `${count.toLocaleString('en')} at once`
  return {
    name: 'server-load',
    title: 'Your server, many connections',
    question: `How does your own server do when ${count.toLocaleString('en')} connect at once?`,
    figures: [
      { name: 'all', title: 'All connected', unit: 'ms', better: 'less' },
      { name: 'p50', title: 'Connect, median', unit: 'ms', better: 'less' },
      { name: 'p99', title: 'Connect, p99', unit: 'ms', better: 'less' },
      { name: 'failed', title: 'Failed', unit: '', better: 'less' },
      { name: 'rate', title: 'Messages to all', unit: '/s', better: 'neither' },
    ],
    places: ['node'],
    async run(bench) {
      const { signal } = bench
      // Of ours only: the control rows' part is the same as with a few.
      const rows = rowsOf(options).filter(({ control }) => !control)
      const rounds = options.rounds ?? (bench.quick ? 2 : loadRounds)
      const ms = (1000 * (options.seconds ?? (bench.quick ? 2 : 10))) / rounds
      for (const row of rows) await (await row.warmUp(signal))?.close()
      await bench.measure({ cases: [{ title, value: count }], rows, rounds }, async ({ row }) => {
        const one = rows.find(({ name }) => name === row.name)
        if (one === undefined) return {}
        return crowd(one, count, ms, signal, () => bench.note(`${one.title}, messages to all`, tooMuch))
      })
    },
    explain(findings) {
      const sentences = sentenceOf(
        findings,
        'all',
        `All ${count.toLocaleString('en')} are connected after`,
        title,
      )
      const failed = findings.rows.flatMap((row) => {
        const most = Math.max(0, ...valuesOf(findings, row.name, 'failed', title))
        return most > 0 ? [`Over ${row.title} up to ${most} of them failed.`] : []
      })
      return [...sentences, ...failed].join(' ')
    },
  }
}

/** As few as can tell a difference: each costs the server as many connections as asked for. */
export const loadRounds = 4

/** How long a server may take to hear of an end, in milliseconds. */
const settleMs = 250

/** Opens so many at once, listens, and leaves. */
async function crowd(
  row: TargetRow,
  count: number,
  ms: number,
  signal: AbortSignal,
  onFull: () => void,
): Promise<Values> {
  // A server hears of an end a little later than its client makes it: those of before are not to count as well.
  await delay(settleMs, undefined, { signal })
  const ends = AbortSignal.any([signal])
  setMaxListeners(0, ends)
  let heard = 0
  const hear = () => {
    heard += 1
  }
  const cameAt = performance.now()
  const links: Link[] = []
  const delays: number[] = []
  let reason: unknown
  try {
    await Promise.all(
      Array.from({ length: count }, async () => {
        try {
          links.push(await row.link(hear, ends, crowdedMs))
          delays.push(performance.now() - cameAt)
        } catch (error) {
          reason = error
        }
      }),
    )
    if (links.length === 0) throw reason
    heard = 0
    await delay(ms, undefined, { signal })
    const isFull = links.some((link) => link.isFull)
    if (isFull) onFull()
    return {
      all: links.length === count ? Math.max(...delays) : undefined,
      p50: quantileOf(delays, 0.5),
      p99: quantileOf(delays, 0.99),
      failed: count - links.length,
      rate: isFull ? undefined : heard / (ms / 1000),
    }
  } finally {
    await Promise.all(links.map((link) => link.close()))
  }
}
