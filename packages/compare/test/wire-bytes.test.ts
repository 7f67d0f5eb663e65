import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import type { Contender } from '../src/contender.ts'
import { contenders } from '../src/contenders/node.ts'
import type { Kind } from '../src/parcel.ts'
import { type Result, valuesOf } from '../src/report.ts'
import { dataOf } from '../src/scenarios/wire/data.ts'
import { ownRows, setups } from '../src/scenarios/wire/rows.ts'
import { wire } from '../src/scenarios/wire.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import type { Stage } from '../src/stage/stage.ts'
import { canCapture, capture } from './capture.ts'
import { stageProgram } from './program.ts'
import { record } from './recorder.ts'

/** No stage: the servers of this scenario are its own. */
const none = { origins: { direct: '', relay: '' } } as Stage
const rows = [...contenders, ...ownRows]
const compressed = ['sse-bare-gzip', 'ws-bare-deflate', 'ws-bare-deflate-fresh']

const kinds: Kind[] = ['text', 'binary']
const sizes = { '10 B': 10, '100 B': 100, '1 KB': 1024, '16 KB': 16_384, '64 KB': 65_536 }
const cases = kinds.flatMap((kind) =>
  Object.entries(sizes).map(([size, bytes]) => ({ title: `${kind}, ${size}`, kind, bytes })),
)

// What a message takes, by the protocols' own words and with nothing of the lab's code.
const base64 = (bytes: number) => Math.ceil(bytes / 3) * 4
const chunk = (bytes: number) => bytes.toString(16).length + 2 + bytes + 2
const frame = (bytes: number) => (bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10) + bytes
const http2 = (bytes: number) => Math.ceil(bytes / 16_384) * 9 + bytes
const oursBlock = (bytes: number, kind: Kind, id: number, event: number) =>
  `id: \nevent: \ndata: \n\n`.length +
  id +
  event +
  (kind === 'text' ? bytes : 'data:application/octet-stream;base64,'.length + base64(bytes))
const bareBlock = (bytes: number, kind: Kind, id: number) =>
  (kind === 'text' ? '' : 'event: binary\n').length +
  `id: \ndata: \n\n`.length +
  id +
  (kind === 'text' ? bytes : base64(bytes))
const triple = (bytes: number, id: number, event: number) => id + 1 + event + 1 + bytes

const event = 'prices'.length
/** The ids of ours in the scenario, as those of the protocol's page with a number of four digits; the bare house only counts. */
const [ours, bare] = ['1mj014cjjf-1000'.length, '1000'.length]
const expected: Record<string, (bytes: number, kind: Kind, id?: number) => number> = {
  sse: (bytes, kind, id = ours) => chunk(oursBlock(bytes, kind, id, event)),
  ws: (bytes, _, id = ours) => frame(triple(bytes, id, event)),
  'sse-bare': (bytes, kind, id = bare) => chunk(bareBlock(bytes, kind, id)),
  'ws-bare': (bytes) => frame(bytes),
  'sse-h2': (bytes, kind, id = ours) => http2(oursBlock(bytes, kind, id, event)),
  'sse-bare-h2': (bytes, kind, id = bare) => http2(bareBlock(bytes, kind, id)),
}

let measured: Promise<Result> | undefined
const measure = () => {
  measured ??= runScenario(wire, {
    stage: none,
    place: { kind: 'node', name: 'Node' },
    contenders,
    quick: true,
  })
  return measured
}

describe('bytes on the wire', () => {
  test('are counted for every row in every case, and are the same in each round', async () => {
    const result = await measure()
    expect(result.notes).toEqual([])
    expect(result.rows.map(({ name }) => name)).toEqual(rows.map(({ name }) => name))
    for (const { title } of cases) {
      for (const { name } of rows) {
        const values = valuesOf(result, name, 'bytes', title)
        expect(values, `${name}, ${title}`).toHaveLength(2)
        expect(new Set(values).size, `${name}, ${title}`).toBe(1)
      }
    }
    expect(result.explanation).toContain('100 B of text take 148 B over SSE and 125 B over WebSocket')
  }, 60_000)

  test.each(Object.keys(expected))('of %s are those of the protocol', async (name) => {
    const result = await measure()
    const found = cases.map(({ title }) => [title, valuesOf(result, name, 'bytes', title)[0]])
    expect(found).toEqual(cases.map(({ title, bytes, kind }) => [title, expected[name]!(bytes, kind)]))
  })

  test.each(compressed)('of %s are fewer where there is something to compress', async (name) => {
    const result = await measure()
    const [one, like] = [name, name.startsWith('sse') ? 'sse-bare' : 'ws-bare'].map(
      (row) => valuesOf(result, row, 'bytes', 'text, 16 KB')[0]!,
    )
    expect(one).toBeLessThan(like! / 3)
  })

  test('of `ws` without takeover are not compressed under 1 KB', async () => {
    const result = await measure()
    expect(valuesOf(result, 'ws-bare-deflate-fresh', 'bytes', 'text, 100 B')[0]).toBe(102)
  })
})

const loads = [
  { bytes: 100, kind: 'text' },
  { bytes: 1024, kind: 'binary' },
] as const
/** As in a quick run: with more of them the compressed ones would differ. */
const count = 5

/** Publishes one after the other, each when the one before was heard. Marks before the first that counts, and after the last. */
async function publishEach(
  row: Contender,
  origin: string,
  publish: (seq: number) => unknown,
  mark: () => Promise<unknown>,
): Promise<void> {
  let settle: () => void = () => undefined
  const line = await row.open({ origin, client: 'truth', channels: ['prices'] }, { parcel: () => settle() })
  const send = async (seq: number) => {
    const heard = new Promise<void>((resolve) => {
      settle = resolve
    })
    await publish(seq)
    await heard
  }
  for (let seq = 1000; seq < 1005; seq += 1) await send(seq)
  await mark()
  for (let seq = 1005; seq < 1005 + count; seq += 1) await send(seq)
  await mark()
  await line.close()
}

describe.skipIf(!canCapture)('packets captured in the kernel', () => {
  test.each(rows)('carry as many bytes: $title', async (row) => {
    const result = await measure()
    for (const { bytes, kind } of loads) {
      await using server = await setups[row.name]!.serve()
      await using captured = await capture(server.port)
      const publish = (seq: number) => server.publish(dataOf(seq, bytes, kind), kind, seq)
      const marks: number[] = []
      await publishEach(row, `http://127.0.0.1:${server.port}`, publish, async () =>
        marks.push(await captured.count()),
      )
      const { title } = cases.find((one) => one.kind === kind && one.bytes === bytes)!
      const [before, after] = marks as [number, number]
      expect((after - before) / count, title).toBe(valuesOf(result, row.name, 'bytes', title)[0])
    }
  })
})

describe('the stage', () => {
  let program: URL
  let live: SpawnedStage
  beforeAll(async () => {
    program = await stageProgram()
    live = await spawnStage({ program })
    idsOfOurs = new RegExp(`${await epochOf(live.origins.direct)}-\\d+(?=\\n(?:event: )?prices\\n)`, 'g')
  })
  afterAll(async () => {
    await live?.close()
    await rm(new URL('.', program), { recursive: true })
  })

  /** As they are written on the two wires. */
  const heartbeats = ['3\r\n:\n\n\r\n', '\x81\x0c\n~heartbeat\n']
  let idsOfOurs: RegExp

  test.each(contenders)('sends the same bytes: $title', async (row) => {
    for (const { bytes, kind } of loads) {
      await using recorder = await record(live.origins.direct)
      const publishing = { house: row.house, channel: 'prices', count: 1, bytes, kind, everyMs: 0 }
      const marks: number[] = []
      await publishEach(
        row,
        recorder.origin,
        (from) => live.ask('publish', { ...publishing, from }),
        async () => marks.push(recorder.down.length),
      )
      let sent = recorder.down.toString('latin1', ...(marks as [number, number]))
      for (const heartbeat of heartbeats) sent = sent.replaceAll(heartbeat, '')
      const ids = row.control ? Array.from({ length: count }, () => '1000') : (sent.match(idsOfOurs) ?? [])
      expect(ids).toHaveLength(count)
      const all = ids.map(({ length }) => expected[row.name]!(bytes, kind, length))
      expect(sent.length).toBe(all.reduce((sum, one) => sum + one, 0))
    }
  })
})

/** What all ids of the stage's hub begin with: so that no head of a frame is taken for a part of one. */
async function epochOf(origin: string): Promise<string> {
  const response = await fetch(`${origin}/ours?channel=prices`)
  let text = ''
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part
    const [, epoch] = /^id: (\w+)-\d+$/m.exec(text) ?? []
    if (epoch !== undefined) return epoch
  }
  throw new Error(`there is no id in ${text}`)
}
