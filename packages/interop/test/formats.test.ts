import { readFileSync } from 'node:fs'
import { connect } from '@eitherway/client'
import { type Codec, type Format, json, type Message, ProtocolError } from '@eitherway/core'
import { codec as sseCodec } from '@eitherway/sse/codec'
import { codec as wsCodec } from '@eitherway/ws/codec'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { cbor, msgpack } from './formats.ts'
import { startHub } from './harness.ts'

const root = new URL('../../../', import.meta.url)
const guide = readFileSync(new URL('docs/guides/formats.md', root), 'utf8')
const formats = [cbor, msgpack]
const codecs = [
  { wire: 'sse', codec: sseCodec },
  { wire: 'ws', codec: wsCodec },
]

/** What a format writes, over a wire and back. */
function cross(codec: Codec, format: Format, value: unknown): unknown {
  const message: Message = { id: '7', event: 'prices', data: format.encode(value) }
  const [frame] = codec.decoder().push(chunkOf(codec, message))
  return frame?.type === 'message' ? format.decode(frame.message.data) : frame
}

/** As it stands in the socket: an event stream is UTF-8, cut anywhere. */
function chunkOf(codec: Codec, message: Message): string | Uint8Array {
  const chunk = codec.encode({ type: 'message', message })
  return codec === sseCodec && typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk
}

const values: readonly (readonly [name: string, value: unknown])[] = [
  ['null', null],
  ['a boolean', true],
  ['a small number', 7],
  ['a negative number', -129],
  ['a large whole number', Number.MAX_SAFE_INTEGER],
  ['a fraction', 0.1],
  ['infinity', Number.POSITIVE_INFINITY],
  ['more than 53 bits', 2n ** 63n],
  ['empty text', ''],
  ['text of all planes', 'ü€🌍\r\n\0'],
  ['a long text', 'x'.repeat(70_000)],
  ['bytes', Uint8Array.of(0, 10, 13, 255)],
  ['bytes in an object', { name: 'tile.png', data: new Uint8Array(300).fill(10) }],
  ['an empty list', []],
  ['a list of many', Array.from({ length: 1_000 }, (_, at) => at)],
  ['levels', { a: [{ b: [{ c: null }] }] }],
  ['a key that is a prototype elsewhere', { constructor: 1, toString: 2 }],
]

for (const format of formats) {
  describe(format.name, () => {
    for (const { wire, codec } of codecs) {
      test.each(values)(`%s crosses ${wire} as it was`, (_, value) => {
        expect(cross(codec, format, value)).toEqual(value)
      })
    }

    test('any JSON crosses as it was', () => {
      fc.assert(
        fc.property(fc.json({ maxDepth: 4 }).filter(hasNoProto), (given) => {
          const value: unknown = JSON.parse(given)
          expect(cross(wsCodec, format, value)).toEqual(value)
        }),
        { numRuns: 300 },
      )
    })

    test('what holds itself is a TypeError', () => {
      const cycle: unknown[] = []
      cycle.push(cycle)
      expect(() => format.encode(cycle)).toThrow(TypeError)
      expect(() => format.encode(cycle)).toThrow(`Array cannot be written as ${format.name}: `)
    })
  })
}

/** Each library has its own way with this one: see below. */
const hasNoProto = (text: string) => !text.includes('__proto__')

test('a function is a TypeError in CBOR, and nothing in MessagePack, as the guide says', () => {
  expect(() => cbor.encode(() => 1)).toThrow('function cannot be written as CBOR: ')
  expect(cross(wsCodec, msgpack, { a: () => 1 })).toEqual({ a: undefined })
})

const utf8 = (text: string) => [...Buffer.from(text)]
const filled = (length: number, unit: readonly number[]) =>
  Uint8Array.from({ length }, (_, at) => unit[at % unit.length] as number)
/** Each array says that it has as many items as bytes follow: each could, and all together could not. */
function nestedHeads(head: number): Uint8Array {
  const bytes = new Uint8Array(200_000)
  const view = new DataView(bytes.buffer)
  for (let at = 0; at + 5 <= bytes.length; at += 5) {
    bytes[at] = head
    view.setUint32(at + 1, bytes.length - at - 5)
  }
  return bytes
}
function withHead(head: readonly number[], length: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(head.length + length).fill(fill)
  bytes.set(head)
  return bytes
}
/** What can be sent to whoever reads such a format. */
const attacks: readonly { what: string; CBOR: Uint8Array; MessagePack: Uint8Array }[] = [
  { what: 'nothing', CBOR: new Uint8Array(), MessagePack: new Uint8Array() },
  { what: 'a list that ends early', CBOR: Uint8Array.of(0x82, 1), MessagePack: Uint8Array.of(0x92, 1) },
  { what: 'something behind the value', CBOR: Uint8Array.of(1, 2), MessagePack: Uint8Array.of(1, 2) },
  {
    what: 'five bytes that promise 20 million items',
    CBOR: Uint8Array.of(0x9a, 0x01, 0x31, 0x2d, 0x00),
    MessagePack: Uint8Array.of(0xdd, 0x01, 0x31, 0x2d, 0x00),
  },
  {
    what: 'lists in lists that promise 65,535 items each',
    CBOR: filled(999_999, [0x99, 0xff, 0xff]),
    MessagePack: filled(999_999, [0xdc, 0xff, 0xff]),
  },
  {
    what: 'lists in lists, each of which could be true',
    CBOR: nestedHeads(0x9a),
    MessagePack: nestedHeads(0xdd),
  },
  {
    what: 'bytes that promise 2 GiB',
    CBOR: Uint8Array.of(0x5a, 0x7f, 0xff, 0xff, 0xff, 1),
    MessagePack: Uint8Array.of(0xc6, 0x7f, 0xff, 0xff, 0xff, 1),
  },
  {
    what: 'a map that promises four billion keys',
    CBOR: Uint8Array.of(0xba, 0xff, 0xff, 0xff, 0xff, 1),
    MessagePack: Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff, 1),
  },
  {
    what: '900,000 levels of lists',
    CBOR: withHead([], 900_000, 0x81),
    MessagePack: withHead([], 900_000, 0x91),
  },
  {
    what: '300,000 levels of maps',
    CBOR: filled(600_000, [0xa1, 0x60]),
    MessagePack: filled(600_000, [0x81, 0xa0]),
  },
  {
    what: 'a reference to what holds it',
    CBOR: Uint8Array.of(0xd8, 0x1c, 0x81, 0xd8, 0x1d, 0x00),
    MessagePack: Uint8Array.of(0xd6, 0x69, 0, 0, 0, 1, 0x91, 0xd6, 0x70, 0, 0, 0, 1),
  },
  {
    what: 'a type that nobody knows',
    CBOR: Uint8Array.of(0xd9, 0xff, 0x01, 0x00),
    MessagePack: Uint8Array.of(0xd4, 0x09, 0x00),
  },
]

for (const format of formats) {
  const hostile = (attack: (typeof attacks)[number]) => (format === cbor ? attack.CBOR : attack.MessagePack)
  describe(`${format.name} from somebody hostile`, () => {
    test.each(attacks)('$what is a ProtocolError, at once and for nothing', (attack) => {
      const bytes = hostile(attack)
      const before = process.memoryUsage()
      const cpu = process.cpuUsage()
      expect(() => format.decode(bytes)).toThrow(ProtocolError)
      const { user, system } = process.cpuUsage(cpu)
      const after = process.memoryUsage()
      expect((user + system) / 1000).toBeLessThan(500)
      expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(40e6)
      // Whoever comes after it is read as if nothing had been.
      expect(format.decode(format.encode({ a: [1] }) as Uint8Array)).toEqual({ a: [1] })
    })

    test('a large number of many bytes costs little or is refused', () => {
      const big =
        format === cbor
          ? withHead([0xc2, 0x5a, 0x00, 0x0f, 0x42, 0x40], 1_000_000, 0x77)
          : withHead([0xc9, 0x00, 0x0f, 0x42, 0x40, 0x42], 1_000_000, 0x77)
      const cpu = process.cpuUsage()
      try {
        format.decode(big)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
      const { user, system } = process.cpuUsage(cpu)
      expect((user + system) / 1000).toBeLessThan(500)
    })

    test('a key `__proto__` reaches no prototype', () => {
      const key = utf8('__proto__')
      const isAdmin = utf8('isAdmin')
      const value = format.decode(
        format === cbor
          ? Uint8Array.of(0xa1, 0x69, ...key, 0xa1, 0x67, ...isAdmin, 0xf5)
          : Uint8Array.of(0x81, 0xa9, ...key, 0x81, 0xa7, ...isAdmin, 0xc3),
      ) as { readonly isAdmin?: boolean }
      expect(value.isAdmin).toBeUndefined()
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
      expect(({} as { readonly isAdmin?: boolean }).isAdmin).toBeUndefined()
    })

    test('whatever bytes come, they are a value or a ProtocolError', () => {
      const seeds = values.slice(0, 14).map(([, value]) => format.encode(value) as Uint8Array)
      const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 6 })
      fc.assert(
        fc.property(fc.constantFrom(...seeds), edits, (seed, changes) => {
          const bytes = Uint8Array.from(seed.subarray(0, 400))
          for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte
          try {
            format.decode(bytes)
          } catch (error) {
            if (!(error instanceof ProtocolError)) throw error
          }
        }),
        { numRuns: 3_000 },
      )
    })
  })
}

for (const format of formats) {
  describe(`${format.name} from end to end`, () => {
    const published = [{ EURUSD: 1.0842, at: 1764073700123 }, Uint8Array.of(0, 10, 13, 255), 'a\r\nb', null]

    test.each(['sse', 'ws'] as const)('values cross %s as they were, missed ones too', async (transport) => {
      await using live = await startHub({ format })
      const { hub, origin, cut } = live
      await using client = connect(`${origin}/live`, { transport, channels: ['prices'], format })
      const heard: unknown[] = []
      const arrived = new Promise<void>((resolve) => {
        client.on('prices', (data) => {
          heard.push(data)
          if (heard.length === 1) cut()
          if (heard.length === published.length) resolve()
        })
      })
      await new Promise<void>((resolve) => {
        client.onState((state) => state === 'open' && resolve())
      })
      for (const value of published) await hub.publish('prices', value)
      await arrived
      expect(heard).toEqual(published)
    })

    test('what a client sends comes in as it was; what is too deep or another format closes with 1007', async () => {
      await using live = await startHub({ format })
      const { hub, origin } = live
      const heard: unknown[] = []
      hub.onMessage(({ data }, peer) => {
        heard.push(data)
        return peer.send('echo', data)
      })
      const talk = async (chosen: Format, value: unknown) => {
        const client = connect(`${origin}/live`, { transport: 'ws', format: chosen })
        const echoed = new Promise<string>((resolve) => client.on('echo', () => resolve('echoed')))
        await client.send('say', value)
        const end = await Promise.race([echoed, client.closed])
        await client.close()
        return end
      }
      const levels = (depth: number): unknown => (depth === 0 ? 1 : [levels(depth - 1)])
      expect(await talk(format, levels(64))).toBe('echoed')
      expect(await talk(format, levels(65))).toEqual({
        code: 1007,
        reason: 'data may nest 64 levels deep here',
      })
      expect(await talk(json, { a: 1 })).toMatchObject({ code: 1007, reason: /^what came is text, and / })
      const cut = { name: 'cut', encode: () => Uint8Array.of(0x82, 1, 0x92), decode: (data: unknown) => data }
      expect(await talk(cut, undefined)).toMatchObject({ code: 1007, reason: /^what came is not / })
      expect(heard).toEqual([levels(64)])
    })

    test('a client that names another format hears of it and goes on', async () => {
      await using live = await startHub({ format })
      const { hub, origin } = live
      const errors: unknown[] = []
      const told = new Promise<void>((resolve) => {
        const client = connect(`${origin}/live`, {
          transport: 'sse',
          channels: ['prices'],
          format: format === cbor ? msgpack : cbor,
          onError(error) {
            errors.push(error)
            void client.close().then(() => resolve())
          },
        })
        client.on('prices', () => undefined)
        client.onState((state) => {
          // In each other's format neither is one whole value.
          if (state === 'open') void hub.publish('prices', format === cbor ? -1e300 : { a: [] })
        })
      })
      await told
      expect(String(errors[0])).toMatch(/a message of event "prices" was left out: what came is not/)
    })

    test('a plain WebSocket has the bytes of the format and nothing more', async () => {
      await using live = await startHub({ format })
      const { hub, origin } = live
      const socket = new WebSocket(`${origin.replace('http', 'ws')}/live?channel=prices`)
      const came = new Promise<Buffer>((resolve) => socket.once('message', resolve))
      const opened = new Promise<void>((resolve) => hub.onConnect(() => resolve()))
      await opened
      await hub.publish('prices', { a: 1 })
      expect(format.decode(Uint8Array.from(await came))).toEqual({ a: 1 })
      socket.terminate()
    })
  })
}

describe('the guide', () => {
  test('shows the formats that are tested here', () => {
    const source = readFileSync(new URL('formats.ts', import.meta.url), 'utf8')
    expect(guide).toContain(`\`\`\`ts\n// formats.ts\n${source}\`\`\`\n`)
  })

  const table: readonly (readonly [name: string, value: unknown])[] = [
    ['a price: `{ EURUSD: 1.0842, at: 1764073700123 }`', { EURUSD: 1.0842, at: 1764073700123 }],
    ['100 objects of five members', products(100)],
    ['1,000 fractions', Array.from({ length: 1_000 }, (_, at) => Math.sin(at))],
    ['1,000 small whole numbers', Array.from({ length: 1_000 }, (_, at) => at * 7)],
    [
      '16 KiB of bytes, with a name',
      { name: 'tile.png', bytes: Uint8Array.from({ length: 16_384 }, (_, at) => at * 131) },
    ],
  ]
  test.each(table)('has the sizes of today: %s', (name, value) => {
    const sizes = [
      { format: json, value: asJson(value) },
      ...formats.map((format) => ({ format, value })),
    ].flatMap(({ format, value: given }) => {
      const message: Message = { id: '', event: 'e', data: format.encode(given) }
      return codecs.map(({ codec }) => Buffer.from(codec.encode({ type: 'message', message })).byteLength)
    })
    expect(guide).toContain(`| ${name} | ${sizes.map((size) => size.toLocaleString('en')).join(' | ')} |\n`)
  })
})

function products(count: number) {
  return Array.from({ length: count }, (_, at) => ({
    id: at,
    name: `product ${at}`,
    price: 1.5 * at + 0.07,
    tags: ['a', 'bb'],
    live: at % 2 === 0,
  }))
}

/** JSON has no bytes: within a value they go as Base64. */
function asJson(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, held: unknown) =>
      held instanceof Uint8Array ? Buffer.from(held).toString('base64') : held,
    ),
  )
}
