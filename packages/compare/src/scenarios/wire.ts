import type { Contender } from '../contender.ts'
import { spreadOf, type Unit } from '../figure.ts'
import { formatFigure } from '../format.ts'
import type { Kind } from '../parcel.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Bench, Scenario } from '../scenario.ts'
import { within } from './hear.ts'
import { dataOf } from './wire/data.ts'
import { ownRows, setups } from './wire/rows.ts'
import { channel, firstSeq, idLength, type WireServer } from './wire/servers.ts'
import { createTap } from './wire/tap.ts'
import type { Framing } from './wire/units.ts'

interface Load {
  readonly bytes: number
  readonly kind: Kind
}

const sizes = [
  { title: '10 B', bytes: 10 },
  { title: '100 B', bytes: 100 },
  { title: '1 KB', bytes: 1024 },
  { title: '16 KB', bytes: 16_384 },
  { title: '64 KB', bytes: 65_536 },
] as const

const loads: readonly { title: string; value: Load }[] = (['text', 'binary'] as const).flatMap((kind) =>
  sizes.map(({ title, bytes }) => ({ title: `${kind}, ${title}`, value: { bytes, kind } })),
)

/** After these a dictionary of compression holds what it will, and nothing of the greeting is under way. */
const warmups = 5

/** They are counts, and the same in each round: so many that a difference is one (`compareCells`). */
const rounds = 4

/** Longest wait for one message. */
const lateMs = 10_000

/** Every byte that a server sends for a message: heads, field names and ids with it. */
export const wire: Scenario = {
  name: 'wire',
  title: 'Bytes on the wire',
  question: 'How many bytes does a message take, and what does its format cost?',
  figures: [
    { name: 'bytes', title: 'Per message', unit: 'B', better: 'less' },
    { name: 'overhead', title: 'Over the data', unit: 'B', better: 'less' },
    { name: 'percent', title: 'Over the data, in %', unit: '%', better: 'less' },
  ],
  places: ['node'],
  async run(bench) {
    const rows = [...bench.contenders, ...ownRows].filter(({ name }) => Object.hasOwn(setups, name))
    const servers = new Map<string, WireServer>()
    try {
      for (const { name } of rows) {
        const server = await setups[name]?.serve()
        if (server !== undefined) servers.set(name, server)
      }
      const plan = { cases: loads, rows, ...(bench.quick ? {} : { rounds }) }
      await bench.measure(plan, async ({ case: load, row }) => {
        const [server, setup] = [servers.get(row.name), setups[row.name]]
        if (server === undefined || setup === undefined) throw new Error('there is no server for this row')
        const bytes = await bytesPerMessage(bench, row, server, setup.framing, load)
        const overhead = bytes - load.bytes
        return { bytes, overhead, percent: (overhead / load.bytes) * 100 }
      })
    } finally {
      await Promise.all([...servers.values()].map((server) => server[Symbol.asyncDispose]()))
    }
  },
  explain,
}

/** Each message leaves when the one before was heard, as in a quiet stream: two in one go could share a frame. */
async function bytesPerMessage(
  { signal, quick }: Bench,
  row: Contender,
  server: WireServer,
  framing: Framing,
  { bytes, kind }: Load,
): Promise<number> {
  const messages = quick ? 5 : 10
  await using tap = await createTap(server.port, framing)
  let expected = firstSeq
  let settle: () => void = () => undefined
  const line = await row.open(
    { origin: tap.origin, client: 'wire', channels: [channel] },
    { parcel: () => settle() },
  )
  try {
    let before = 0
    for (let sent = 0; sent < warmups + messages; sent += 1, expected += 1) {
      if (sent === warmups) before = await tap.settled()
      const heard = new Promise<void>((resolve) => {
        settle = resolve
      })
      await server.publish(dataOf(expected, bytes, kind), kind, expected)
      await within(heard, lateMs, () => `message ${sent + 1} did not come within ${lateMs} ms`, signal)
    }
    const settled = tap.settled()
    const after = await within(settled, lateMs, () => 'the last message did not come whole', signal)
    return (after - before) / messages
  } finally {
    await line.close()
  }
}

function explain(result: Findings): string {
  const show = (name: string, unit: Unit) => (row: string, title: string) => {
    const spread = spreadOf(valuesOf(result, row, name, title))
    if (spread === undefined) return undefined
    const sign = name !== 'bytes' && spread.median > 0 ? '+' : ''
    return `${sign}${formatFigure(spread.median, unit)}`
  }
  const [bytes, over, percent] = [show('bytes', 'B'), show('overhead', 'B'), show('percent', '%')]
  const [short, long, binary] = ['text, 100 B', 'text, 1 KB', 'binary, 16 KB']
  return [
    say`100 B of text take ${bytes('sse', short)} over SSE and ${bytes('ws', short)} over WebSocket; without our code ${bytes('sse-bare', short)} and ${bytes('ws-bare', short)}.`,
    `SSE writes the names of its fields into each message, and HTTP/1.1 puts it into a chunk with a head and an end; WebSocket puts a head of 2 to 10 B before it. Ours carries an id (${idLength} B here) and the event's name on both, by which a client that comes back misses nothing.`,
    say`16 KB of bytes cost ${percent('sse', binary)} over SSE, whose lines need Base64 (four characters for three bytes), and ${percent('ws', binary)} over WebSocket, which sends them as they are.`,
    say`Without our code 16 KB cost ${percent('sse-bare', binary)} over SSE, and ${percent('sse-bare-gzip', binary)} with gzip.`,
    say`HTTP/2 puts heads of 9 B in the place of the chunk's: ${over('sse-h2', short)} for 100 B of text, where HTTP/1.1 has ${over('sse', short)}.`,
    say`Compressed and flushed message by message, 1 KB of text takes ${bytes('sse-bare-gzip', long)} with gzip over SSE, ${bytes('ws-bare-deflate', long)} with permessage-deflate, and ${bytes('ws-bare-deflate-fresh', long)} with no dictionary kept from one message to the next.`,
    'What compression costs the processor is not in it, nor are the heads of TCP and IP.',
  ]
    .filter(Boolean)
    .join(' ')
}

/** A sentence, or nothing where one of its figures was not measured. */
function say(parts: TemplateStringsArray, ...figures: readonly (string | undefined)[]): string {
  return figures.includes(undefined) ? '' : String.raw({ raw: parts }, ...figures)
}
