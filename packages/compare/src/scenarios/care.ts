import type { Contender, Line } from '../contender.ts'
import { compareCells, spreadOf } from '../figure.ts'
import { formatFigure, formatValue } from '../format.ts'
import type { Parcel } from '../parcel.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Bench, Scenario, Values } from '../scenario.ts'
import { createSequence } from '../sequence.ts'
import { within } from './hear.ts'

/** What befalls the links. */
export type Fault = 'none' | 'cut' | 'restart' | 'kill' | 'kill-lost' | 'half-open' | 'silence'

/** Settings of {@link careOf}. */
export interface CareOptions {
  /** @defaultValue all, without `kill` in a quick run */
  readonly faults?: readonly Fault[]
}

const cases: readonly { readonly title: string; readonly value: Fault }[] = [
  { title: 'undisturbed', value: 'none' },
  { title: 'connection cut', value: 'cut' },
  { title: 'server restarted', value: 'restart' },
  { title: 'server killed, history kept', value: 'kill' },
  { title: 'server killed, history lost', value: 'kill-lost' },
  { title: 'half-open link', value: 'half-open' },
  { title: 'server silent', value: 'silence' },
]

/** Those in which nothing breaks: bytes just stop. They take as long as the longest silence. */
const quiet: ReadonlySet<Fault> = new Set<Fault>(['half-open', 'silence'])

/** How long things take. */
interface Pace {
  /** Of ours; `undefined` for what the server announces: its heartbeat of a second, and ten of grace. */
  readonly silenceMs: number | undefined
  /** How long the server is silent. */
  readonly quietMs: number
  /** How long the others have to notice a link that is half-open. */
  readonly boundMs: number
  readonly downMs: number
  /** How many times {@link stretch} parcels where nothing happens. */
  readonly stretches: number
  readonly rounds: number
  readonly quietRounds: number
}

const full: Pace = {
  silenceMs: undefined,
  quietMs: 12_500,
  boundMs: 15_000,
  downMs: 1000,
  stretches: 21,
  rounds: 4,
  quietRounds: 2,
}
const short: Pace = {
  silenceMs: 1500,
  quietMs: 5000,
  boundMs: 8000,
  downMs: 300,
  stretches: 9,
  rounds: 1,
  quietRounds: 1,
}

/** Parcels of one command, so that it ends soon after all have come back. */
const stretch = 25
const everyMs = 10
/** How long any client may take to come back: Firefox waits 5 s before it tries. */
const backMs = 15_000
/** How long the last parcel may be under way. */
const settleMs = 5000

/** What becomes of a stream when its links break. */
export const care: Scenario = careOf()

/** The same with some of its faults alone. */
export function careOf({ faults }: CareOptions = {}): Scenario {
  return {
    name: 'care',
    title: 'Connection care',
    question: 'What happens when the connection breaks, and who notices?',
    figures: [
      { name: 'noticed', title: 'Noticed after', unit: 'ms', better: 'less' },
      { name: 'back', title: 'Back after, from when a link could be made again', unit: 'ms', better: 'less' },
      { name: 'lost', title: 'Lost silently', unit: '', better: 'less' },
      { name: 'missed', title: 'Lost, but told', unit: '', better: 'less' },
      { name: 'told', title: 'Gaps told', unit: '', better: 'neither' },
      { name: 'twice', title: 'Twice', unit: '', better: 'less' },
      { name: 'disordered', title: 'Out of order', unit: '', better: 'less' },
      { name: 'away', title: 'Link lost, times', unit: '', better: 'neither' },
    ],
    places: ['node', 'page'],
    async run(bench) {
      const pace = bench.quick ? short : full
      const chosen = cases.filter(
        ({ value }) => faults?.includes(value) ?? !(bench.quick && value === 'kill'),
      )
      /** One fault befalls all rows at the same time: each of them takes its part of what was seen. */
      const seen = new Map<string, Promise<ReadonlyMap<string, () => Values>>>()
      for (const isQuiet of [false, true]) {
        const plan = {
          cases: chosen.filter(({ value }) => quiet.has(value) === isQuiet),
          rounds: isQuiet ? pace.quietRounds : pace.rounds,
        }
        await bench.measure(plan, async ({ case: fault, row, round }) => {
          const key = `${fault} ${round}`
          const trial = seen.get(key) ?? observe(bench, fault, pace)
          seen.set(key, trial)
          const values = (await trial).get(row.name)?.() ?? {}
          tellMissing(bench, row, fault, pace, values)
          return values
        })
      }
      if (faults === undefined && bench.quick) {
        bench.note('server killed, history kept', 'left out of a quick run')
      }
      if (chosen.some(({ value }) => quiet.has(value))) {
        bench.note(
          'half-open link, server silent',
          pace.silenceMs === undefined
            ? 'ours notice after the heartbeat that the server announced and 10 s: here it speaks each second; by default each 25 s, which makes 35 s'
            : `in a quick run ours take a link for dead after ${pace.silenceMs} ms; by default it is the heartbeat and 10 s`,
        )
      }
    },
    explain,
  }
}

/** Lets one fault befall one client of each row, while a stream is published all along. */
async function observe(bench: Bench, fault: Fault, pace: Pace): Promise<ReadonlyMap<string, () => Values>> {
  const { stage, signal, contenders } = bench
  named += 1
  const channel = `care-${named}`
  const houses = [...new Set(contenders.map(({ house }) => house))]
  const values = new Map<string, () => Values>()
  let look: () => void = () => undefined
  const watches = await openAll(
    bench,
    channel,
    quiet.has(fault) ? pace.silenceMs : undefined,
    () => look(),
    values,
  )

  /** Waits for what is heard; on purpose no error when it does not come: that is what is measured. */
  async function until(holds: () => boolean, ms: number): Promise<void> {
    const held = new Promise<void>((resolve) => {
      look = () => holds() && resolve()
      look()
    })
    await atMost(held, ms, signal)
  }

  let published = 0
  async function publish(): Promise<void> {
    signal.throwIfAborted()
    const publishing = {
      channel,
      count: stretch,
      bytes: 100,
      kind: 'text',
      everyMs,
      from: published + 1,
    } as const
    published += stretch
    await Promise.all(houses.map((house) => stage.ask('publish', { ...publishing, house })))
  }

  try {
    await publish()
    let brokenOf: (watch: Watch) => Broken | undefined = () => undefined
    const isBack = (watch: Watch) =>
      watch.isClosed || watch.firstSince(brokenOf(watch)?.upAt ?? 0) !== undefined
    if (fault === 'none') {
      for (let count = 1; count < pace.stretches; count += 1) await publish()
    } else {
      let isOver = false
      const making = make(bench, fault, watches, pace).finally(() => {
        isOver = true
      })
      // Handled where it is awaited.
      making.catch(() => undefined)
      while (!isOver) await publish()
      brokenOf = await making
      const end = stage.now() + (fault === 'half-open' ? pace.boundMs : backMs)
      while (!watches.every(isBack) && stage.now() < end) await publish()
      await publish()
    }
    const isDone = (watch: Watch) => watch.isClosed || watch.last === published || !isBack(watch)
    await until(() => watches.every(isDone), settleMs)
    for (const watch of watches) {
      const found = watch.values(published, brokenOf(watch))
      values.set(watch.row.name, () => found)
    }
    return values
  } finally {
    // Also ends what is still half-open. Only where it was changed here: somebody else may have a fault of his own there.
    if (quiet.has(fault)) await stage.ask('relay', {})
    await Promise.all(watches.map(({ line }) => line.close()))
    for (const { row, client } of watches) await stage.ask('wait', { house: row.house, client, count: 0 })
  }
}

/** Waits so long and no longer. @throws (by rejection) when the run is to end. */
async function atMost(promise: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  await within(promise, ms, () => 'not yet', signal).catch(() => signal.throwIfAborted())
}

let named = 0

/** A row that cannot be opened fails by itself. */
async function openAll(
  bench: Bench,
  channel: string,
  silenceMs: number | undefined,
  onChange: () => void,
  failed: Map<string, () => Values>,
): Promise<readonly Watch[]> {
  const opened = bench.contenders.map(async (row): Promise<Watch | undefined> => {
    const client = `${channel}-${row.name}`
    try {
      const log = createLog(() => bench.stage.now(), onChange)
      const where = { origin: bench.stage.origins.relay, client, channels: [channel] }
      const line = await row.open({ ...where, ...(silenceMs === undefined ? {} : { silenceMs }) }, log.hear)
      await bench.stage.ask('wait', { house: row.house, client, count: 1 })
      return Object.assign(log, { row, client, line })
    } catch (error) {
      failed.set(row.name, () => {
        throw error
      })
      return undefined
    }
  })
  return (await Promise.all(opened)).filter((watch) => watch !== undefined)
}

/** When a fault began, and from when on a link could be made again, by the stage's clock. */
interface Broken {
  readonly at: number
  readonly upAt: number
}

async function make(
  { stage, signal }: Bench,
  fault: Exclude<Fault, 'none'>,
  watches: readonly Watch[],
  { downMs, quietMs }: Pace,
): Promise<(watch: Watch) => Broken> {
  switch (fault) {
    case 'cut': {
      const cuts = new Map(
        await Promise.all(
          watches.map(
            async (watch) => [watch, (await stage.ask('cut', { client: watch.client })).at] as const,
          ),
        ),
      )
      return (watch) => {
        const at = cuts.get(watch) ?? Number.NaN
        return { at, upAt: at }
      }
    }
    case 'half-open': {
      const { at } = await stage.ask('relay', { stalled: 'present' })
      return () => ({ at, upAt: at })
    }
    case 'silence': {
      const { at } = await stage.ask('relay', { held: true })
      await atMost(new Promise<never>(() => undefined), quietMs, signal)
      const { at: upAt } = await stage.ask('relay', {})
      return () => ({ at, upAt })
    }
    default: {
      const history = fault === 'kill-lost' ? 'lost' : 'kept'
      const how = fault === 'restart' ? 'goodbye' : 'kill'
      const { downAt, upAt } = await stage.ask('restart', { downMs, history, how })
      return () => ({ at: downAt, upAt })
    }
  }
}

/** What one client heard. */
interface Log {
  readonly hear: {
    parcel(parcel: Parcel): void
    gap(): void
    state(state: 'open' | 'away' | 'closed'): void
  }
  /** Whether it does not come back any more. */
  readonly isClosed: boolean
  /** The highest number. */
  readonly last: number
  /** When the first was heard that was published at this time or later. */
  firstSince(at: number): number | undefined
  values(published: number, broken: Broken | undefined): Values
}

interface Watch extends Log {
  readonly row: Contender
  readonly client: string
  readonly line: Line
}

function createLog(now: () => number, onChange: () => void): Log {
  const parcels: { readonly at: number; readonly heardAt: number }[] = []
  const numbers = new Set<number>()
  const losses: number[] = []
  const sequence = createSequence()
  // So that the first can be lost too.
  sequence.add(0)
  let gaps = 0
  let last = 0
  let state: 'open' | 'away' | 'closed' = 'open'

  const firstSince = (since: number) => parcels.find(({ at }) => at >= since)?.heardAt
  return {
    hear: {
      parcel({ seq, at }) {
        parcels.push({ at, heardAt: now() })
        numbers.add(seq)
        sequence.add(seq)
        last = Math.max(last, seq)
        onChange()
      },
      gap() {
        gaps += 1
        sequence.restart()
      },
      state(next) {
        if (state === 'open' && next !== 'open') losses.push(now())
        state = next
        onChange()
      },
    },
    get isClosed() {
      return state === 'closed'
    },
    get last() {
      return last
    },
    firstSince,
    values(published, broken) {
      // So that what is missing at the end counts.
      sequence.add(published + 1)
      const { lost, twice, disordered } = sequence
      const missing = published - numbers.size
      const noticedAt = losses[0]
      const backAt = broken && firstSince(broken.upAt)
      return {
        noticed: broken && noticedAt !== undefined ? Math.max(0, noticedAt - broken.at) : undefined,
        back: broken && backAt !== undefined ? Math.max(0, backAt - broken.upAt) : undefined,
        lost,
        missed: Math.max(0, missing - lost),
        told: gaps,
        twice,
        disordered,
        away: losses.length,
      }
    },
  }
}

/** Says why a figure is missing. */
function tellMissing(bench: Bench, row: Contender, fault: Fault, pace: Pace, values: Values): void {
  if (fault === 'none') return
  const what = `${row.title}, ${cases.find(({ value }) => value === fault)?.title}`
  const seconds = (ms: number) => `${formatValue(ms / 1000)} s`
  if (values['noticed'] === undefined) {
    const ms = fault === 'silence' ? pace.quietMs : quiet.has(fault) ? pace.boundMs : backMs
    bench.note(what, `it had not noticed within ${seconds(ms)}`)
  }
  if (values['back'] === undefined) {
    const ms = quiet.has(fault) ? pace.boundMs : backMs
    bench.note(
      what,
      values['noticed'] === undefined
        ? `it heard nothing more within ${seconds(ms)}`
        : 'it does not come back by itself',
    )
  }
}

function explain(findings: Findings): string {
  const faults = findings.cases.filter((title) => title !== 'undisturbed')
  const fates = faults.map((title) => explainFault(findings, title)).filter(Boolean)
  return [
    explainPeace(findings, 'undisturbed'),
    explainOurs(findings, faults),
    ...fates,
    fates.length > 0 && counted,
    explainTies(findings, faults),
  ]
    .filter(Boolean)
    .join(' ')
}

/** What can be said of ours in one sentence, where it is true of every case and both transports. */
function explainOurs(findings: Findings, faults: readonly string[]): string {
  const isWhole = faults.every((title) =>
    ['sse', 'ws'].every(
      (row) =>
        sumOf(findings, row, 'lost', title) === 0 &&
        sumOf(findings, row, 'twice', title) === 0 &&
        valuesOf(findings, row, 'back', title).length === valuesOf(findings, row, 'lost', title).length,
    ),
  )
  if (!isWhole || faults.length === 0) return ''
  return 'Whatever broke, ours came back over either transport, lost nothing without saying so, and brought nothing twice.'
}

function explainTies(findings: Findings, faults: readonly string[]): string {
  const verdictOf = (title: string) => {
    const [sse, ws] = ['sse', 'ws'].map((row) => valuesOf(findings, row, 'back', title))
    return compareCells(sse ?? [], ws ?? [])?.verdict
  }
  const list = (wanted: 'tie' | 'open') => faults.filter((title) => verdictOf(title) === wanted).join('; ')
  const [ties, open] = [list('tie'), list('open')]
  return [
    ties && `Between SSE and WebSocket the time to come back is a tie in: ${ties}.`,
    open && `There are too few rounds to tell which of the two is back sooner in: ${open}.`,
  ]
    .filter(Boolean)
    .join(' ')
}

/** The sum over all rounds; `undefined` where it was not measured. */
function sumOf(findings: Findings, row: string, name: string, title: string): number | undefined {
  const values = valuesOf(findings, row, name, title)
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0)
}

function explainPeace(findings: Findings, title: string): string {
  const rows = findings.rows.filter(({ name }) => valuesOf(findings, name, 'lost', title).length > 0)
  if (rows.length === 0) return ''
  const harmed = rows.flatMap(({ name, title: who }) => {
    const harms = (
      [
        ['lost', 'lost'],
        ['missed', 'lost and told'],
        ['twice', 'heard twice'],
        ['disordered', 'heard out of order'],
      ] as const
    ).flatMap(([figure, words]) => {
      const sum = sumOf(findings, name, figure, title) ?? 0
      return sum > 0 ? [`${formatValue(sum)} ${words}`] : []
    })
    return harms.length > 0 ? [`${who}: ${harms.join(', ')}`] : []
  })
  return harmed.length === 0
    ? 'Undisturbed, every row heard every message once and in order.'
    : `Undisturbed, and yet not whole, over all rounds: ${harmed.join('; ')}.`
}

function explainFault(findings: Findings, title: string): string {
  const fates = findings.rows.flatMap(({ name, title: who }) => {
    const fate = fateOf(findings, name, title)
    return fate === undefined ? [] : [{ who, fate }]
  })
  if (fates.length === 0) return ''
  // Those with the same fate share a clause.
  const told = [...new Set(fates.map(({ fate }) => fate))].map((fate) => {
    const all = fates.filter((one) => one.fate === fate).map(({ who }) => who)
    return `${all.join(' and ')}: ${fate}`
  })
  return `${title[0]?.toUpperCase()}${title.slice(1)}. ${told.join('; ')}.`
}

/** What a fate's numbers are. */
const counted = 'Times are medians, and numbers of messages are sums over all rounds.'

/** Nobody sees a tenth of a second. */
const atOnceMs = 100

function fateOf(findings: Findings, row: string, title: string): string | undefined {
  const rounds = valuesOf(findings, row, 'lost', title).length
  if (rounds === 0) return undefined
  const sum = (name: string) => sumOf(findings, row, name, title) ?? 0
  const [noticed, back] = ['noticed', 'back'].map((name) => {
    const values = valuesOf(findings, row, name, title)
    return { times: values.length, median: spreadOf(values)?.median }
  })
  const parts: string[] = []
  if (noticed?.median === undefined) parts.push('did not notice')
  else {
    const when = noticed.median < atOnceMs ? 'at once' : `after ${formatFigure(noticed.median, 'ms')}`
    const part = noticed.times < rounds ? ` in ${noticed.times} of ${rounds} rounds` : ''
    parts.push(`noticed ${when}${part}`)
  }
  if (back?.median === undefined) {
    parts.push(noticed?.median === undefined ? 'heard nothing more' : 'stayed away')
    return parts.join(', ')
  }
  const when = back.median < atOnceMs ? 'at once' : `after ${formatFigure(back.median, 'ms')}`
  const failed = rounds - back.times
  parts.push(`back ${when}${failed > 0 ? `, but not in ${failed} of ${rounds} rounds` : ''}`)
  const [lost, missed, told] = [sum('lost'), sum('missed'), sum('told')]
  if (missed > 0) parts.push(`said that messages were lost (${formatValue(missed)})`)
  else if (told > 0) parts.push(`told of ${formatValue(told)} ${told === 1 ? 'gap' : 'gaps'}`)
  if (lost > 0) parts.push(`lost ${formatValue(lost)} without a word`)
  if (sum('twice') > 0) parts.push(`heard ${formatValue(sum('twice'))} twice`)
  if (sum('disordered') > 0) parts.push(`heard ${formatValue(sum('disordered'))} out of order`)
  if (lost === 0 && missed === 0) parts.push('lost nothing')
  return parts.join(', ')
}
