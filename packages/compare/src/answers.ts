import {
  aheadIn,
  type Contest,
  contestsByPlace,
  contestsOf,
  inWords,
  type Lookup,
  type Source,
  whereOf,
} from './evidence.ts'
import type { Report } from './report.ts'

/** One of the seven questions of any choice between the two, with what this run says to it. */
export interface Answer {
  /** For programs and anchors: `direction`. */
  readonly name: string
  readonly question: string
  /** What is true by protocol, and the figures behind it or how to measure them. */
  readonly answer: string
  /** The figures in the answer; left out where none was measured. */
  readonly from?: Source
  /** Further figures in the answer, of other scenarios. */
  readonly also?: readonly Source[]
}

export interface Question {
  readonly name: string
  readonly question: string
  /** True by protocol, whatever is measured. */
  readonly fact: string
  readonly figures: readonly (Lookup & {
    readonly words: string
    /** Of a run against a server of the user's: not missed elsewhere. */
    readonly ofTarget?: boolean
  })[]
}

/** Exported for tests: every figure here is one that its scenario declares. */
export const questions: readonly Question[] = [
  {
    name: 'direction',
    question: 'Direction: who can send?',
    fact: 'SSE carries messages from the server only, so a client talks back by requests of its own; WebSocket carries both ways on one link.',
    figures: [
      { scenario: 'direction', figure: 'up', words: 'bytes up for one message' },
      { scenario: 'direction', figure: 'p50', words: 'there and back' },
    ],
  },
  {
    name: 'base',
    question: 'Protocol base: what does it stand on?',
    fact: 'SSE is an ordinary HTTP response, which passes where HTTP passes; WebSocket begins as an HTTP/1.1 request and then changes the protocol, which everything on the way has to allow.',
    figures: [
      { scenario: 'handshake', figure: 'trips', words: 'round trips until open' },
      { scenario: 'handshake', figure: 'first', words: 'time to the first message' },
      {
        scenario: 'proxies',
        figure: 'first',
        of: 'nginx by HTTP/1.0, its old default',
        words: 'first message through a proxy',
      },
      { scenario: 'server', figure: 'first', words: 'first message from your server', ofTarget: true },
    ],
  },
  {
    name: 'format',
    question: 'Data format: what can it carry, and for how many bytes?',
    fact: 'SSE is UTF-8 text, so that binary data travels as Base64, four characters for three bytes; WebSocket has frames of text and of binary.',
    figures: [
      { scenario: 'wire', figure: 'bytes', of: 'text, 100 B', words: 'on the wire for one message' },
      { scenario: 'wire', figure: 'percent', of: 'binary, 16 KB', words: 'on top of the data' },
    ],
  },
  {
    name: 'care',
    question: 'Connection care: what happens when the link breaks?',
    fact: '`EventSource` comes back by itself and names the last id it was given; a bare WebSocket does neither, and with Eitherway both do.',
    figures: [
      { scenario: 'care', figure: 'back', of: 'connection cut', words: 'until messages come again' },
      { scenario: 'care', figure: 'lost', of: 'connection cut', words: 'messages lost in silence' },
      {
        scenario: 'care',
        figure: 'lost',
        of: 'connection cut',
        control: true,
        words: 'the same without our code',
      },
    ],
  },
  {
    name: 'performance',
    question: 'Performance and resources: which is faster, and which costs less?',
    fact: 'Both are one TCP connection that stays open, so the network’s delay is the same; they differ in the bytes and in the work for each message.',
    figures: [
      { scenario: 'latency', figure: 'p99', words: 'latency, p99' },
      {
        scenario: 'throughput',
        figure: 'rate',
        of: /^(100|50) subscribers, 100 B$/,
        words: 'deliveries',
      },
      { scenario: 'cost', figure: 'delivery', words: 'server CPU for one delivery' },
      { scenario: 'cost', figure: 'memory', words: 'server memory for one connection' },
    ],
  },
  {
    name: 'browsers',
    question: 'Browser support: what do browsers allow?',
    fact: 'Every browser of today has both; over HTTP/1.1 one opens six connections to an origin, all tabs together, and each SSE stream holds one of them, while WebSocket is not counted and over HTTP/2 streams share one connection.',
    figures: [
      { scenario: 'tabs', figure: 'open', of: 'HTTP/1.1', words: 'streams of one browser that came through' },
    ],
  },
]

const useCases = {
  name: 'use-cases',
  question: 'Use cases: which for what?',
  fact: 'SSE fits feeds, notifications, progress and the output of a model, where the server talks; WebSocket fits chat, games, shared editing and binary streams, where both talk or bytes count.',
}

/** The seven questions, each with what is true by protocol and what this run measured. */
export function answersOf(report: Report): readonly Answer[] {
  return [...questions.map((question) => answerTo(question, report)), tally(report)]
}

function answerTo({ name, question, fact, figures }: Question, report: Report): Answer {
  const found = figures.flatMap(({ words, ...lookup }) =>
    contestsByPlace(report, lookup).map((contest) => ({ words, contest })),
  )
  const [from, ...also] = sourcesOf(found.map(({ contest }) => contest))
  const absent = new Set(figures.filter(({ ofTarget }) => ofTarget !== true).map(({ scenario }) => scenario))
  for (const { contest } of found) absent.delete(contest.scenario)
  const gaps = missing([...absent], report)
  if (from === undefined) return { name, question, answer: [fact, ...gaps].join(' ') }
  const measured = found
    .map(({ words, contest }) => {
      const where = whereOf(contest)
      return `${words}${where && ` (${where})`}: ${inWords(contest)}`
    })
    .join('; ')
  return {
    name,
    question,
    answer: [fact, `Measured: ${measured}.`, ...gaps].join(' '),
    from,
    ...(also.length > 0 && { also }),
  }
}

/** Why there are no figures, and how to get them. */
function missing(scenarios: readonly string[], report: Report): readonly string[] {
  const notRun = scenarios.filter((name) => !report.results.some(({ scenario }) => scenario === name))
  const unmeasured = scenarios.filter((name) => !notRun.includes(name))
  const them = notRun.length === 1 ? 'it' : 'them'
  const command = [
    'eitherway-compare',
    ...notRun,
    ...(notRun.includes('tabs') ? ['--browser chromium'] : []),
  ].join(' ')
  return [
    ...(notRun.length > 0
      ? [`Not measured in this run: ${notRun.join(', ')}; \`${command}\` measures ${them}.`]
      : []),
    ...unmeasured.map((name) => {
      const [note] = report.results.filter(({ scenario }) => scenario === name).flatMap(({ notes }) => notes)
      const why = note === undefined ? '' : ` (${note.what}: ${note.why})`
      return `This run has no figure of ${name} for it${why}.`
    }),
  ]
}

function sourcesOf(contests: readonly Contest[]): readonly Source[] {
  const scenarios = [...new Set(contests.map(({ scenario }) => scenario))]
  return scenarios.map((scenario) => ({
    scenario,
    figures: [
      ...new Set(contests.filter((one) => one.scenario === scenario).map(({ figure }) => figure.name)),
    ],
  }))
}

/** Behind the use cases is who was ahead at all: by the first figure of each scenario, whose further ones often say the same. */
function tally(report: Report): Answer {
  const { name, question, fact } = useCases
  const contests = contestsOf(report)
  const [from, ...also] = sourcesOf(contests)
  if (from === undefined) {
    return {
      name,
      question,
      answer: `${fact} Nothing was measured over both; \`eitherway-compare\` measures all.`,
    }
  }
  const keyOf = ({ scenario, place }: Contest) => JSON.stringify([scenario, place.name])
  const scores = [...new Set(contests.map(keyOf))].map((key) =>
    scoreOf(contests.filter((contest) => keyOf(contest) === key)),
  )
  const measured = `Measured, by the first figure of each scenario, with the number of its cases: ${scores.join('; ')}`
  return { name, question, answer: `${fact} ${measured}.`, from, ...(also.length > 0 && { also }) }
}

/** `latency, Median: WebSocket ahead in 1, a tie in 2` */
function scoreOf(cases: readonly Contest[]): string {
  const [first] = cases
  const where = first?.place.kind === 'page' ? ` (in ${first.place.name})` : ''
  const count = (words: string, holds: (contest: Contest) => boolean) => {
    const found = cases.filter(holds).length
    return found === 0 ? [] : [`${words} in ${found}`]
  }
  const counts = [
    ...count('SSE ahead', (contest) => aheadIn(contest) === 'sse'),
    ...count('WebSocket ahead', (contest) => aheadIn(contest) === 'ws'),
    ...count('a tie', ({ comparison }) => comparison?.verdict === 'tie'),
    ...count('too few rounds to tell', ({ comparison }) => comparison?.verdict === 'open'),
  ]
  return `${first?.scenario}, ${first?.figure.title}${where}: ${counts.join(', ')}`
}
