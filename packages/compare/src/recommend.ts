import {
  aheadIn,
  type Contest,
  contestOf,
  contestsFor,
  inWords,
  type Lookup,
  type Source,
  whereOf,
} from './evidence.ts'
import type { Spread } from './figure.ts'
import { formatValue } from './format.ts'
import { bounds, type Needs, parseNeeds, proxies, spellings } from './needs.ts'
import type { Report } from './report.ts'

export type Choice = 'sse' | 'ws'

/** Which transport, why, and what would change it. */
export interface Recommendation {
  readonly transport: Choice
  /** Those that weigh most first. At least one. */
  readonly reasons: readonly Reason[]
  /** Which single need, at which value, leads to the other transport. In sentences. */
  readonly wouldChange: readonly string[]
  /** The same for programs, in the same order. */
  readonly changes: readonly Change[]
  /** What does not depend on the choice. */
  readonly same: string
}

export interface Reason {
  readonly text: string
  /** The measured figure behind it, in words. */
  readonly figure?: string
  readonly from?: Source
  /** For which transport it speaks; `undefined`: for neither. */
  readonly speaksFor: Choice | undefined
  /** How much it weighs against the others: the sums decide. */
  readonly weight: number
}

/** A need that leads to the other transport when it is so, the others being as they are. */
export type Change = {
  [N in keyof Needs]: { readonly need: N; readonly to: Needs[N]; readonly text: string }
}[keyof Needs]

const names: Readonly<Record<Choice, string>> = { sse: 'SSE', ws: 'WebSocket' }

/** Each client sends more often than this: requests beside the stream are no longer a detail. A handful. */
const handfulPerSecond = 5

/**
 * Beyond one message in 20 ms, a usual round trip, one request does not end before the next begins, and they may
 * overtake one another. A figure lowers it, where the way is longer; none raises it, because users are seldom as near as
 * the one who measures.
 */
const streamPerSecond = 50

/** A browser over HTTP/1.1 opens so many connections to an origin, all tabs together. */
const connectionsPerOrigin = 6

/** Below it nobody notices. In milliseconds. */
const noticeableMs = 10

/** Of one message to all peers: so long everything else in the process waits. In milliseconds of processor time. */
const noticeableCpuMs = 10

/** An eighth of a small server of 512 MiB. */
const noticeableMiB = 64

type Subject =
  | 'up'
  | 'serial'
  | 'overtaken'
  | 'binary'
  | 'unknown'
  | 'own'
  | 'tabs'
  | 'cpu'
  | 'memory'
  | 'latency'

/** What is looked up in a report. */
export const lookups: Readonly<Record<Subject, Lookup>> = {
  up: { scenario: 'direction', figure: 'up' },
  serial: { scenario: 'direction', figure: 'serial' },
  overtaken: { scenario: 'direction', figure: 'overtaken' },
  binary: { scenario: 'wire', figure: 'percent', of: 'binary, 16 KB' },
  unknown: { scenario: 'proxies', figure: 'first', of: 'nginx by HTTP/1.0, its old default' },
  own: { scenario: 'proxies', figure: 'p99', of: 'nginx with the lines for WebSocket' },
  tabs: { scenario: 'tabs', figure: 'open', of: 'HTTP/1.1' },
  cpu: { scenario: 'cost', figure: 'delivery' },
  memory: { scenario: 'cost', figure: 'memory' },
  latency: { scenario: 'latency', figure: 'p99' },
}

/** The cost is measured with several numbers of connections: all of them. */
type Evidence = Readonly<Record<Exclude<Subject, 'cpu' | 'memory'>, Contest | undefined>> &
  Readonly<Record<'cpu' | 'memory', readonly Contest[]>>

/**
 * Recommends a transport. Each rule gives a reason that speaks for one of the two, with a weight from 1 to 4, or for
 * neither, with 0; the larger sum wins, and SSE where they are equal, because it is an ordinary HTTP response. A rule
 * that a measured figure contradicts beyond noise weighs nothing.
 *
 * @param report Without one the protocol's facts decide alone.
 */
export function recommend(needs: Needs, report?: Report): Recommendation {
  const evidence = evidenceOf(report)
  const votes = votesFor(needs, evidence)
  const transport = choiceOf(votes)
  const changes = changesOf(needs, transport, (other) => choiceOf(votesFor(other, evidence)))
  const wouldChange =
    changes.length > 0
      ? changes.map(({ text }) => text)
      : [`No single need, changed alone, leads to ${names[otherThan(transport)]}.`]
  const reasons = ordered([...votes, ...votesOfEvenness(votes)], transport).map(inReason)
  return { transport, reasons, wouldChange, changes, same }
}

const same =
  'Handlers, order, resume, gaps, limits, close codes and types are the same either way, and one word changes over, ' +
  "also on a live client: `client.switchTo('sse')` or `client.switchTo('ws')`. Only `send` depends on it: a client over " +
  'SSE has none, and sends by a request of the application’s own.'

function evidenceOf(report: Report | undefined): Evidence {
  const { cpu, memory, ...others } = lookups
  const single = Object.entries(others).map(([name, lookup]) => [name, contestOf(report, lookup)])
  return { ...Object.fromEntries(single), cpu: contestsFor(report, cpu), memory: contestsFor(report, memory) }
}

/** The one that was measured with the number of connections that is nearest. */
function nearestTo(fanOut: number, contests: readonly Contest[]): Contest | undefined {
  const apart = (contest: Contest) => Math.abs(Math.log(connectionsIn(contest) / fanOut))
  return contests
    .filter(({ comparison }) => comparison !== undefined)
    .reduce<Contest | undefined>(
      (best, one) => (best === undefined || apart(one) < apart(best) ? one : best),
      undefined,
    )
}

/** `10,000 connections` */
function connectionsIn({ case: title }: Contest): number {
  const found = Number(/[\d,]+/.exec(title)?.[0].replaceAll(',', ''))
  return found > 0 ? found : 1
}

/** What a rule says. It is put into words only once: the rules are asked about many needs. */
interface Vote {
  readonly speaksFor: Choice | undefined
  readonly weight: number
  readonly text: () => string
  readonly contest?: Contest | undefined
}

const rules: readonly ((needs: Needs, evidence: Evidence) => readonly Vote[])[] = [
  ofSending,
  ofBinary,
  ofProxies,
  ofTabs,
  ofPages,
  ofProcessor,
  ofMemory,
  ofLatency,
]

function votesFor(needs: Needs, evidence: Evidence): readonly Vote[] {
  return rules.flatMap((rule) => rule(needs, evidence))
}

function votesOfEvenness(votes: readonly Vote[]): readonly Vote[] {
  const forSse = sumOf(votes, 'sse')
  if (forSse !== sumOf(votes, 'ws')) return []
  const even =
    forSse === 0 ? 'Nothing here asks for the one or the other' : 'What speaks for the two weighs the same'
  return [
    neither(() => `${even}; SSE is then the simpler: an ordinary HTTP response, which every tool can read.`),
  ]
}

function choiceOf(votes: readonly Vote[]): Choice {
  return sumOf(votes, 'ws') > sumOf(votes, 'sse') ? 'ws' : 'sse'
}

function sumOf(votes: readonly Vote[], choice: Choice): number {
  return votes.reduce((sum, { speaksFor, weight }) => sum + (speaksFor === choice ? weight : 0), 0)
}

/** What speaks for it, what speaks against it, and the rest. */
function ordered(votes: readonly Vote[], transport: Choice): readonly Vote[] {
  const rank = ({ speaksFor }: Vote) => (speaksFor === transport ? 2 : speaksFor === undefined ? 0 : 1)
  return [...votes].sort((one, other) => rank(other) - rank(one) || other.weight - one.weight)
}

function ofSending({ upPerSecond }: Needs, { up, serial, overtaken }: Evidence): readonly Vote[] {
  if (upPerSecond === 0) {
    const text = () =>
      'Clients only listen: a second direction would lie idle, and SSE is an ordinary HTTP response.'
    return [{ text, speaksFor: 'sse', weight: 1 }]
  }
  const often = () =>
    `${formatValue(upPerSecond)} ${upPerSecond === 1 ? 'message' : 'messages'} a second from each client`
  const limit = Math.min(streamPerSecond, serial?.sse?.median ?? streamPerSecond)
  if (upPerSecond > limit) {
    const text = () =>
      `At ${often()}, a request would begin before the last one has ended, so that they may overtake one another; WebSocket keeps their order.`
    return [unlessContradicted({ text, speaksFor: 'ws', weight: 4 }, overtaken)]
  }
  if (upPerSecond > handfulPerSecond) {
    const text = () =>
      `At ${often()}, each would be a request with its headers beside the stream; on WebSocket it is a frame.`
    return [unlessContradicted({ text, speaksFor: 'ws', weight: 2 }, up)]
  }
  return [neither(() => `At ${often()}, a request beside the stream will do as well as a frame.`, up)]
}

function ofBinary({ binary }: Needs, { binary: bytes }: Evidence): readonly Vote[] {
  if (!binary) return []
  const text = () =>
    'Binary data travels over SSE as Base64, four characters for three bytes; over WebSocket as it is.'
  return [unlessContradicted({ text, speaksFor: 'ws', weight: 2 }, bytes)]
}

function ofProxies({ proxies }: Needs, { own, unknown }: Evidence): readonly Vote[] {
  if (proxies === 'none') return []
  if (proxies === 'own') {
    return [
      neither(
        () =>
          'Your own proxy lets both through once it is told: to pass `Upgrade` on for WebSocket, not to buffer for SSE.',
        own,
      ),
    ]
  }
  const text = () =>
    'Proxies that nobody knows may refuse `Upgrade`, and then WebSocket never opens; SSE passes as HTTP, unless one buffers it in spite of its headers, which a client with `silenceMs` notices.'
  return [{ text, speaksFor: 'sse', weight: 3, contest: unknown }]
}

function ofTabs({ browsers, tabs, http2 }: Needs, { tabs: opened }: Evidence): readonly Vote[] {
  if (!browsers) return []
  if (http2)
    return [neither(() => 'Over HTTP/2 the streams of all tabs share one connection: tabs are no matter.')]
  if (tabs < connectionsPerOrigin) return []
  const text = () =>
    `${tabs} tabs over HTTP/1.1 hold all ${connectionsPerOrigin} connections that a browser opens to an origin, so that everything else waits; WebSocket is not counted. HTTP/2 would mend it too.`
  return [unlessContradicted({ text, speaksFor: 'ws', weight: 3 }, opened)]
}

function ofPages({ browsers }: Needs): readonly Vote[] {
  if (!browsers) return []
  return [
    neither(
      () =>
        'In a page SSE can send headers, learns the status of a refusal, and holds a fast server back; WebSocket can do none of these.',
    ),
  ]
}

function ofProcessor({ fanOut }: Needs, evidence: Evidence): readonly Vote[] {
  const cpu = nearestTo(fanOut, evidence.cpu)
  if (cpu?.sse === undefined || cpu.ws === undefined) {
    return [
      neither(
        () =>
          'What the peers cost the server in CPU and memory, no protocol says: `eitherway-compare cost` measures it.',
      ),
    ]
  }
  const [sse, ws] = [fanOut * millisecondsIn(cpu, cpu.sse), fanOut * millisecondsIn(cpu, cpu.ws)]
  const text = () =>
    `One message to ${count(fanOut)} costs the server about ${formatValue(sse)} ms of CPU over SSE and ${formatValue(ws)} ms over WebSocket`
  return [weighed(text, cpu, Math.abs(sse - ws) >= noticeableCpuMs)]
}

function ofMemory({ fanOut }: Needs, evidence: Evidence): readonly Vote[] {
  const memory = nearestTo(fanOut, evidence.memory)
  if (memory?.sse === undefined || memory.ws === undefined) return []
  if (Math.min(memory.sse.median, memory.ws.median) <= 0) {
    return [
      neither(
        () => 'What a connection takes of the server’s memory is lost in the noise of this run.',
        memory,
      ),
    ]
  }
  const [sse, ws] = [fanOut * mebibytesIn(memory, memory.sse), fanOut * mebibytesIn(memory, memory.ws)]
  const text = () =>
    `${count(fanOut)} that are connected take about ${formatValue(sse)} MiB of the server’s memory over SSE and ${formatValue(ws)} MiB over WebSocket`
  return [weighed(text, memory, Math.abs(sse - ws) >= noticeableMiB)]
}

function ofLatency(_: Needs, { latency }: Evidence): readonly Vote[] {
  if (latency?.sse === undefined || latency.ws === undefined) return []
  const apart = Math.abs(latency.sse.median - latency.ws.median)
  return [weighed(() => 'How long a message is under way', latency, apart >= noticeableMs)]
}

/** Speaks for whoever is ahead beyond noise, where that is enough to matter. */
function weighed(text: () => string, contest: Contest, matters: boolean): Vote {
  const ahead = aheadIn(contest)
  if (ahead !== undefined && matters) {
    return { text: () => `${text()}: that speaks for ${names[ahead]}.`, speaksFor: ahead, weight: 1, contest }
  }
  const isOpen = contest.comparison?.verdict === 'open'
  const why = ahead !== undefined ? 'too little apart to decide' : isOpen ? 'too few rounds to tell' : 'a tie'
  return neither(() => `${text()}: ${why}.`, contest)
}

function neither(text: () => string, contest?: Contest): Vote {
  return { text, speaksFor: undefined, weight: 0, contest }
}

/** The rule is of the protocol; what was measured has the last word. */
function unlessContradicted(vote: Vote & { readonly speaksFor: Choice }, contest: Contest | undefined): Vote {
  if (contest === undefined || aheadIn(contest) !== otherThan(vote.speaksFor)) return { ...vote, contest }
  return neither(() => `${vote.text()} What was measured here says otherwise, so it does not count.`, contest)
}

function inReason({ text, speaksFor, weight, contest }: Vote): Reason {
  if (contest === undefined) return { text: text(), speaksFor, weight }
  const { scenario, figure } = contest
  const where = whereOf(contest)
  const name = [figure.title, where && `(${where})`].filter(Boolean).join(' ')
  const words = `${name}: ${inWords(contest)}`
  return { text: text(), speaksFor, weight, figure: words, from: { scenario, figures: [figure.name] } }
}

function millisecondsIn({ figure: { unit } }: Contest, { median }: Spread): number {
  return unit === 'µs' ? median / 1000 : median
}

function mebibytesIn({ figure: { unit } }: Contest, { median }: Spread): number {
  return unit === 'KiB' ? median / 1024 : median / 1024 ** 2
}

function count(fanOut: number): string {
  return `${fanOut.toLocaleString('en')} ${fanOut === 1 ? 'peer' : 'peers'}`
}

function otherThan(choice: Choice): Choice {
  return choice === 'sse' ? 'ws' : 'sse'
}

/** Runs the rules again with one need changed at a time: the nearest value each way that leads to the other transport. */
function changesOf(needs: Needs, transport: Choice, choose: (needs: Needs) => Choice): readonly Change[] {
  const to = names[otherThan(transport)]
  const flips = (changed: Partial<Needs>) => choose({ ...needs, ...changed }) !== transport
  return spellings.flatMap(({ need }): readonly Change[] => {
    switch (need) {
      case 'upPerSecond':
      case 'fanOut':
      case 'tabs': {
        const found = nearest(needs[need], bounds[need], (value) => flips({ [need]: value }))
        return found.map((value) => ({
          need,
          to: value,
          text: `${numberInWords(need, value, needs)}: ${to}.`,
        }))
      }
      case 'proxies':
        return proxies
          .filter((value) => flips({ proxies: value }))
          .map((value) => ({ need, to: value, text: `${proxiesInWords[value]}: ${to}.` }))
      default: {
        const value = !needs[need]
        return flips({ [need]: value })
          ? [{ need, to: value, text: `${value ? yesInWords[need][0] : yesInWords[need][1]}: ${to}.` }]
          : []
      }
    }
  })
}

/** The nearest whole values below and above that flip it. */
function nearest(
  now: number,
  { least, most }: { readonly least: number; readonly most: number },
  flips: (value: number) => boolean,
): readonly number[] {
  return [search(Math.ceil(now) - 1, least, -1), search(Math.floor(now) + 1, most, 1)].filter(
    (value) => value !== undefined,
  )

  /**
   * In steps that grow by a thirty-second, then by halves back to the first that flips. What holds in a narrower range only,
   * where two figures speak against each other, is passed over.
   */
  function search(start: number, end: number, way: 1 | -1): number | undefined {
    if ((end - start) * way < 0) return undefined
    let last = start - way
    for (let step = 0; ; step += Math.max(1, Math.floor(step / 32))) {
      const value = way > 0 ? Math.min(start + step, end) : Math.max(start - step, end)
      if (flips(value)) return firstBetween(last, value)
      if (value === end) return undefined
      last = value
    }
  }

  function firstBetween(before: number, flipped: number): number {
    let [no, yes] = [before, flipped]
    while (Math.abs(yes - no) > 1) {
      const middle = Math.trunc((no + yes) / 2)
      if (flips(middle)) yes = middle
      else no = middle
    }
    return yes
  }
}

function numberInWords(need: 'upPerSecond' | 'fanOut' | 'tabs', value: number, needs: Needs): string {
  const [to, now] = [value, needs[need]].map((each) => each.toLocaleString('en'))
  const what = {
    upPerSecond: 'messages a second from each client',
    fanOut: 'peers that hear each message',
    tabs: 'tabs of one user',
  }
  return `With ${to} ${what[need]} instead of ${now}`
}

const proxiesInWords: Readonly<Record<Needs['proxies'], string>> = {
  none: 'Without proxies on the way',
  own: 'Behind proxies of your own only',
  unknown: 'Behind proxies that you do not know',
}

const yesInWords: Readonly<Record<'binary' | 'browsers' | 'http2', readonly [yes: string, no: string]>> = {
  binary: ['With binary data', 'With text only'],
  browsers: ['With pages as clients', 'Without pages as clients'],
  http2: ['With HTTP/2 to the browsers', 'With HTTP/1.1 to the browsers'],
}

/**
 * `eitherway-compare recommend` without its name: `--up 10 --binary --report report.json`.
 *
 * @returns What to print.
 * @throws TypeError with one line for what makes no sense.
 */
export function recommendFromArgs(args: readonly string[], readReport: (file: string) => Report): string {
  const { report: file, ...values } = flagsOf(args)
  const needs = parseNeeds(values, '--')
  return inLines(recommend(needs, file === undefined ? undefined : readReport(file)), file === undefined)
}

function flagsOf(args: readonly string[]): Readonly<Record<string, string>> {
  const values: Record<string, string> = {}
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [, name, , given] = /^--([a-z0-9-]+)(=(.*))?$/s.exec(arg) ?? []
    if (name === undefined) throw new TypeError(`${JSON.stringify(arg)} is no flag; flags begin with --`)
    if (name in values) throw new TypeError(`--${name} stands twice`)
    const isValue = rest[0] !== undefined && !rest[0].startsWith('--')
    const takesValue = name === 'report' || !(name in yesInWords)
    if (given === undefined && takesValue && !isValue) throw new TypeError(`--${name} needs a value`)
    values[name] = given ?? (takesValue ? (rest.shift() ?? '') : '')
  }
  return values
}

function inLines({ transport, reasons, wouldChange, same }: Recommendation, isUnmeasured: boolean): string {
  const why = reasons.flatMap(({ text, figure, speaksFor }) => {
    const side = speaksFor === undefined ? 'either' : speaksFor
    return [`  ${side.padEnd(6)}  ${text}`, ...(figure === undefined ? [] : [`          ${figure}`])]
  })
  return [
    `transport: '${transport}'`,
    '',
    'Why',
    ...why,
    '',
    'What would change it',
    ...wouldChange.map((line) => `  ${line}`),
    '',
    'What stays the same',
    `  ${same}`,
    ...(isUnmeasured
      ? [
          '',
          'This is by protocol alone. With figures of your own network: eitherway-compare --json report.json, then --report report.json.',
        ]
      : []),
    '',
  ].join('\n')
}
