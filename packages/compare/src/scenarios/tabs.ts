import type { Contender, Line } from '../contender.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Bench, Scenario } from '../scenario.ts'
import { figure } from './hear.ts'

const streams = 12

/** So many streams are what a browser allows to one server over HTTP/1.1, so they are what an ordinary request meets. */
const held = 6

/** Nothing more comes where nothing came for so many times as long as it all took so far: a busy machine is waited for longer. */
const patience = 5

/** Longest wait for what surely comes. */
const lateMs = 20_000

/** As a report calls the two. */
export const http1 = 'HTTP/1.1'
export const http2 = 'HTTP/2'

/** Many streams of one browser to one server: so many tabs of an application, or so many streams of one page. */
export const tabs: Scenario = {
  name: 'tabs',
  title: 'Many tabs',
  question: `Of ${streams} streams from one browser to one server, how many come through?`,
  figures: [
    { name: 'open', title: `Heard, of ${streams}`, unit: '', better: 'more' },
    { name: 'fetch', title: `A fetch beside ${held} streams`, unit: 'ms', better: 'less' },
  ],
  places: ['page'],
  async run(bench) {
    const { direct, secure } = bench.stage.origins
    const title = direct.startsWith('https:') ? http2 : http1
    const stillMs = bench.quick ? 2000 : 4000
    await bench.measure(
      { cases: [{ title, value: undefined }], rounds: bench.quick ? 1 : 4 },
      async ({ row }) => {
        await using wall = await openMany(bench, row, streams, stillMs)
        return { open: await wall.heard() }
      },
    )
    await bench.measure(
      { cases: [{ title, value: undefined }], rounds: bench.quick ? 1 : 4 },
      async ({ row }) => {
        await using wall = await openMany(bench, row, held, stillMs)
        const limitMs = Math.max(stillMs, patience * wall.openMs)
        const ms = await fetchBeside(wall.origin, limitMs)
        if (ms === undefined) {
          const why = `waits until a stream ends: after ${Math.floor(limitMs / 1000)} s nobody had answered it`
          bench.note(fetchBy(row.title, title), why)
        }
        return { fetch: ms }
      },
    )
    if (title === http1 && secure === undefined) {
      const why = 'browsers speak it only with TLS and a certificate that they trust'
      bench.note(http2, `${why}; one that the command line drives is told to overlook that`)
    }
  },
  explain(result) {
    return [http1, http2]
      .map((title) => explainOne(result, title))
      .filter(Boolean)
      .join(' ')
  },
}

function explainOne(result: Findings, title: string): string {
  const [sse, ws] = (['sse', 'ws'] as const).map((row) => valuesOf(result, row, 'open', title))
  if (!sse?.length || !ws?.length) return ''
  const heard = `Over ${title}, ${countOf(sse)} of ${streams} SSE streams and ${countOf(ws)} of ${streams} WebSockets came through`
  const fetched = valuesOf(result, 'sse', 'fetch', title)
  const took = fetched.length > 0 ? `, and a fetch beside ${held} streams took ${figure(fetched, 'ms')}` : ''
  const what = fetchBy(result.rows.find(({ name }) => name === 'sse')?.title ?? 'SSE', title)
  const isUnanswered = result.notes.some((note) => note.what === what)
  const unanswered = took
    ? ' In other rounds nobody had answered it in time.'
    : ` A fetch beside ${held} SSE streams was not answered in time.`
  return `${heard}${took}.${isUnanswered ? unanswered : ''}`
}

/** `6`, or `5 to 6` where rounds differ. */
function countOf(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return least === most ? `${least}` : `${least} to ${most}`
}

/** As a note calls it. */
const fetchBy = (row: string, title: string): string => `a fetch beside ${held} streams, ${row}, ${title}`

/** What an ordinary request takes. @returns `undefined` when nobody answered it in time. */
async function fetchBeside(origin: string, withinMs: number): Promise<number | undefined> {
  const beganAt = performance.now()
  try {
    // To nobody: what it does on the server is of no matter.
    const response = await fetch(new URL('/say?house=bare&client=nobody', origin), {
      method: 'POST',
      body: '',
      signal: AbortSignal.timeout(withinMs),
    })
    await response.arrayBuffer()
    return performance.now() - beganAt
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') return undefined
    throw error
  }
}

interface Many extends AsyncDisposable {
  readonly origin: string
  /** How long it took until the last of them was open. */
  readonly openMs: number
  /** Publishes one parcel to all of them. @returns how many heard it. */
  heard(): Promise<number>
}

let named = 0

/** Opens so many at once, until all are open or no further one was for a while. */
async function openMany(bench: Bench, row: Contender, count: number, stillMs: number): Promise<Many> {
  named += 1
  const channel = `tabs-${named}`
  const origin = bench.stage.origins.direct
  const opened: Line[] = []
  const heard = new Set<number>()
  const news = createNews()
  const beganAt = performance.now()
  let openMs = 0
  let closing = false
  const opening = Array.from({ length: count }, async (_, at) => {
    const line = await row.open(
      { origin, client: `${channel}-${at}`, channels: [channel] },
      {
        parcel() {
          heard.add(at)
          news.tell()
        },
      },
    )
    // Those that waited at the wall come through once the others go.
    if (closing) return line.close()
    opened.push(line)
    openMs = performance.now() - beganAt
    news.tell()
  })
  const failures: Error[] = []
  for (const one of opening) {
    one.catch((error: Error) => {
      failures.push(error)
      news.tell()
    })
  }

  const isOver = () => opened.length + failures.length === count
  const nextMs = () => (opened.length === 0 ? lateMs : Math.max(stillMs, patience * openMs))
  await news.until(isOver, nextMs, bench.signal)
  return {
    origin,
    openMs,
    async heard() {
      const publishing = {
        house: row.house,
        channel,
        count: 1,
        bytes: 100,
        kind: 'text',
        everyMs: 0,
      } as const
      await bench.stage.ask('publish', publishing)
      await news.until(
        () => heard.size >= opened.length,
        () => lateMs,
        bench.signal,
      )
      return heard.size
    },
    async [Symbol.asyncDispose]() {
      closing = true
      await Promise.all(opened.map((line) => line.close()))
      await Promise.allSettled(opening)
      await bench.stage.ask('wait', { house: row.house, count: 0 })
      if (failures[0] !== undefined) throw failures[0]
    },
  }
}

/** Wakes whoever waits for something to happen. */
function createNews() {
  let wake: () => void = () => undefined
  return {
    tell: () => wake(),
    /** Fulfils once it holds, or when nothing has happened for so long. */
    async until(holds: () => boolean, stillMs: () => number, signal: AbortSignal): Promise<void> {
      while (!holds()) {
        const isStill = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(true), stillMs())
          wake = () => {
            clearTimeout(timer)
            resolve(false)
          }
        })
        signal.throwIfAborted()
        if (isStill) return
      }
    },
  }
}
