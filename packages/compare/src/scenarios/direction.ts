import type { Contender, Line } from '../contender.ts'
import { compareCells, type Unit } from '../figure.ts'
import { formatFigure } from '../format.ts'
import { quantileOf } from '../quantile.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Bench, Scenario } from '../scenario.ts'
import { figure, within } from './hear.ts'

/** A name of one length: it stands in the URL of each POST. */
const client = 'talker'

/** Of each message. */
const textBytes = 100

/** So many are on their way at once, where more than one is. */
const window = 16

/** Longest wait for all that one line has to say. */
const lateMs = 30_000

/** From the client to the server: what a one-way transport has a POST for. */
export const direction: Scenario = {
  name: 'direction',
  title: 'Direction',
  question: 'Can the client talk back, and what does it cost?',
  figures: [
    { name: 'p50', title: 'There and back, median', unit: 'ms', better: 'less' },
    { name: 'p99', title: 'There and back, p99', unit: 'ms', better: 'less' },
    { name: 'up', title: `Bytes up for ${textBytes} B`, unit: 'B', better: 'less' },
    { name: 'serial', title: 'One after the other', unit: '/s', better: 'more' },
    { name: 'parallel', title: `${window} under way`, unit: '/s', better: 'more' },
    { name: 'overtaken', title: `Overtaken, ${window} under way`, unit: '%', better: 'less' },
  ],
  places: ['node', 'page'],
  async run(bench) {
    const [serial, parallel, counted] = bench.quick ? [30, 96, 10] : [200, 960, 50]
    if (bench.place.kind === 'page') {
      bench.note('bytes up', 'counted at the relay, with whatever else this page sends through it meanwhile')
    }
    await bench.measure({ cases: [{ title: '', value: undefined }] }, async ({ row }) => {
      const { origins } = bench.stage
      return {
        ...(await talk(bench, row, origins.direct, (talker) => paceOf(talker, serial, parallel))),
        up: await talk(bench, row, origins.relay, (talker) => bytesUp(bench, talker, counted)),
      }
    })
  },
  explain,
}

/** One that says numbered messages and hears them come back. */
interface Talker {
  /** @returns after how many milliseconds it was back. */
  say(): Promise<number>
  /** Of those that came back, how many did so before one that was said earlier. */
  readonly overtaken: number
}

/** Before anything is measured, connections and machine code are there. */
const warmups = 10

async function talk<T>(
  { stage, signal }: Bench,
  row: Contender,
  origin: string,
  run: (talker: Talker) => Promise<T>,
): Promise<T> {
  const echoes = new Map<number, () => void>()
  let said = 0
  let latest = 0
  let overtaken = 0
  const line: Line = await row.open(
    { origin, client, channels: ['talk'] },
    {
      echo(text) {
        const number = Number.parseInt(text, 10)
        if (number < latest) overtaken += 1
        latest = Math.max(latest, number)
        echoes.get(number)?.()
        echoes.delete(number)
      },
    },
  )
  try {
    await stage.ask('wait', { house: row.house, client, count: 1 })
    const talker: Talker = {
      async say() {
        said += 1
        const number = said
        const echo = new Promise<void>((resolve) => echoes.set(number, resolve))
        const startedAt = performance.now()
        await Promise.all([line.say(`${number} `.padEnd(textBytes, filler)), echo])
        return performance.now() - startedAt
      },
      get overtaken() {
        return overtaken
      },
    }
    const all = async (): Promise<T> => {
      for (let done = 0; done < warmups; done += 1) await talker.say()
      return run(talker)
    }
    const complaint = () => `${echoes.size} of ${said} messages were not back after ${lateMs} ms`
    return await within(all(), lateMs, complaint, signal)
  } finally {
    await line.close()
    await stage.ask('wait', { house: row.house, client, count: 0 })
  }
}

const filler = 'what a client has to say '

async function paceOf(
  talker: Talker,
  serial: number,
  parallel: number,
): Promise<Record<string, number | undefined>> {
  const delays: number[] = []
  const serialAt = performance.now()
  while (delays.length < serial) delays.push(await talker.say())
  const serialMs = performance.now() - serialAt

  let left = parallel
  const before = talker.overtaken
  const parallelAt = performance.now()
  await Promise.all(
    Array.from({ length: window }, async () => {
      while (left > 0) {
        left -= 1
        await talker.say()
      }
    }),
  )
  const parallelMs = performance.now() - parallelAt
  return {
    p50: quantileOf(delays, 0.5),
    p99: quantileOf(delays, 0.99),
    serial: (serial * 1000) / serialMs,
    parallel: (parallel * 1000) / parallelMs,
    overtaken: ((talker.overtaken - before) * 100) / parallel,
  }
}

/** The stream itself sends nothing up, so all that goes up belongs to what is said. */
async function bytesUp({ stage }: Bench, talker: Talker, count: number): Promise<number> {
  await stage.ask('count', { reset: true })
  for (let done = 0; done < count; done += 1) await talker.say()
  const { upBytes } = await stage.ask('count', {})
  return upBytes / count
}

function explain(result: Findings): string {
  const pair = (name: string, unit: Unit): string | undefined => {
    const [sse, ws] = [valuesOf(result, 'sse', name), valuesOf(result, 'ws', name)]
    const compared = compareCells(sse, ws)
    if (compared === undefined) return undefined
    const tie = compared.verdict === 'tie' ? ' (a tie)' : ''
    return `${figure(sse, unit)} over SSE and ${figure(ws, unit)} over WebSocket${tie}`
  }
  const [up, p50, p99] = [pair('up', 'B'), pair('p50', 'ms'), pair('p99', 'ms')]
  const [serial, parallel] = [pair('serial', '/s'), pair('parallel', '/s')]
  const overtaken = valuesOf(result, 'sse', 'overtaken')
  const most = Math.max(...overtaken)
  return [
    'Over WebSocket a client talks back on the link that it has. An SSE stream is one-way: each message is a POST beside it.',
    up && `${textBytes} B from the client take ${up}; what a POST takes on top is headers.`,
    p50 && `The median of the way there and back is ${p50}.`,
    p99 && `Its p99 is ${p99}.`,
    serial && `One after the other that makes ${serial}.`,
    parallel && `With ${window} under way it is ${parallel}.`,
    result.place.kind === 'page' &&
      'On HTTP/1.1 a browser has six connections for one origin, and the stream holds one of them.',
    overtaken.length > 0 &&
      (most > 0
        ? `POSTs travel on several connections and overtake each other: up to ${formatFigure(most, '%')} came back behind a later one.`
        : 'POSTs travel on several connections and may overtake each other, though here none did.'),
  ]
    .filter(Boolean)
    .join(' ')
}
