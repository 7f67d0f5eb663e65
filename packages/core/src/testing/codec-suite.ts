import { ProtocolError } from '../errors.ts'
import type { Codec, Frame } from '../frame.ts'
import { byteLength, createMessage, type Message } from '../message.ts'
import { callSamples, dataSamples, frameSamples, messageSamples } from './samples.ts'
import { assert, assertEqual, errorOf, seeded, type TestFunction } from './suite.ts'

/** What {@link codecSuite} is told. */
export interface CodecSuite {
  readonly test: TestFunction
  readonly codec: Codec
  /** Where the wire may cut: `anywhere` for a stream of bytes, `between frames` where the wire keeps messages whole. */
  readonly cuts: 'anywhere' | 'between frames'
}

/** Holds a codec to what it promises: whatever is encoded is decoded to the same, however it was cut. */
export function codecSuite({ test, codec, cuts }: CodecSuite): void {
  const frames: readonly (readonly [string, Frame])[] = [
    ...frameSamples.map((frame) => [`${frame.type} frame ${JSON.stringify(frame)}`, frame] as const),
    ...[...messageSamples, ...callSamples].map(
      ([name, message]) => [name, { type: 'message', message } satisfies Frame] as const,
    ),
  ]

  for (const [name, frame] of frames) {
    test(`crosses unharmed: ${name}`, () => {
      assertEqual(decode(codec, [codec.encode(frame)]), [frame], 'whole')
    })
  }

  test('frames that follow one another stay apart', () => {
    const all = frames.map(([, frame]) => frame)
    assertEqual(
      decode(
        codec,
        all.map((frame) => codec.encode(frame)),
      ),
      all,
      'one by one',
    )
  })

  if (cuts === 'anywhere') {
    test('a stream cut into single bytes gives the same frames', () => {
      for (const [name, frame] of frames.filter(([, frame]) => sizeOf(codec.encode(frame)) < 2_000)) {
        const bytes = toBytes(codec.encode(frame))
        assertEqual(
          decode(
            codec,
            [...bytes].map((byte) => Uint8Array.of(byte)),
          ),
          [frame],
          name,
        )
      }
    })

    test('a stream cut in two at every byte gives the same frames', () => {
      for (const [name, frame] of frames.filter(([, frame]) => sizeOf(codec.encode(frame)) < 500)) {
        const bytes = toBytes(codec.encode(frame))
        for (let at = 0; at <= bytes.byteLength; at += 1) {
          assertEqual(
            decode(codec, [bytes.subarray(0, at), bytes.subarray(at)]),
            [frame],
            `${name}, cut at ${at}`,
          )
        }
      }
    })

    test('several frames in one slice come out as several', () => {
      const all = frames.map(([, frame]) => frame)
      const stream = concat(all.map((frame) => toBytes(codec.encode(frame))))
      assertEqual(decode(codec, [stream]), all, 'all in one slice')
    })
  }

  test('random messages cross unharmed (seeded)', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = seeded(seed)
      const sent: Frame[] = Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({
        type: 'message',
        message: randomMessage(random),
      }))
      const chunks = sent.map((frame) => codec.encode(frame))
      const slices = cuts === 'anywhere' ? randomSlices(concat(chunks.map(toBytes)), random) : chunks
      assertEqual(decode(codec, slices), sent, `seed ${seed}`)
    }
  })

  for (const { name, sent, sliceBytes } of growing) {
    test(`takes time in proportion to its size: ${name}`, () => {
      const slicesOf = (units: number) => {
        const chunks = sent(units).map((message) => codec.encode({ type: 'message', message }))
        return cuts === 'anywhere' ? slicesOfSize(concat(chunks.map(toBytes)), sliceBytes) : chunks
      }
      const [small, large] = [slicesOf(4_096), slicesOf(4_096 * 16)]
      assertEqual(
        decode(codec, large),
        sent(4_096 * 16).map((message) => ({ type: 'message', message })),
        'what came out',
      )
      // In quadratic time the second would be sixteen times the first.
      const ratio = leastRatio(
        () => decode(codec, large),
        () => {
          for (let left = 16; left > 0; left -= 1) decode(codec, small)
        },
        4,
      )
      assert(ratio < 4, `a stream 16 times as large took ${ratio} times as long as 16 small ones`)
    })
  }

  test('a message of exactly the limit passes, one byte more is refused with 1009', async () => {
    for (const data of ['x'.repeat(1_000), `${'ü'.repeat(500)}`, new Uint8Array(1_000)]) {
      const fits: Frame = { type: 'message', message: createMessage('sample', data, '1') }
      assertEqual(codec.decoder({ maxMessageBytes: 1_000 }).push(codec.encode(fits)), [fits], 'at the limit')
      const decoder = codec.decoder({ maxMessageBytes: 999 })
      const error = await errorOf(() => decoder.push(codec.encode(fits)), 'over the limit')
      assert(
        error instanceof ProtocolError,
        `over the limit is a ProtocolError, got ${error.name}: ${error.message}`,
      )
      assertEqual(error.closeCode, 1009, 'the close code of a message over the limit')
    }
  })

  test('decoders share nothing', () => {
    const [one, other] = [codec.decoder(), codec.decoder()]
    const frame: Frame = { type: 'message', message: createMessage('sample', 'first\nsecond', '1') }
    const bytes = codec.encode(frame)
    if (cuts === 'anywhere' && typeof bytes === 'string') {
      one.push(bytes.slice(0, -3))
      assertEqual(other.push(bytes), [frame], 'the other decoder')
      assertEqual(one.push(bytes.slice(-3)), [frame], 'the first decoder')
    } else {
      assertEqual([one.push(bytes), other.push(bytes)], [[frame], [frame]], 'both')
    }
  })

  test('a message that came out cannot be changed', () => {
    const [frame] = codec
      .decoder()
      .push(codec.encode({ type: 'message', message: createMessage('sample', 'x', '1') }))
    assert(frame?.type === 'message' && Object.isFrozen(frame.message), 'the message is frozen')
  })

  test('encoding is the same every time', () => {
    for (const [name, frame] of frames) assertEqual(codec.encode(frame), codec.encode(frame), name)
  })

  test('data samples keep their kind', () => {
    for (const [name, data] of dataSamples) {
      const [frame] = decode(codec, [
        codec.encode({ type: 'message', message: createMessage('sample', data) }),
      ])
      assert(frame?.type === 'message', name)
      assertEqual(typeof frame.message.data, typeof data, `the kind of data of: ${name}`)
    }
  })
}

/** Streams that grow: of so many units of text or bytes, cut into slices of a size. */
const growing: readonly { name: string; sent: (units: number) => Message[]; sliceBytes: number }[] = [
  {
    name: 'a long line, byte by byte',
    sent: (units) => [createMessage('sample', 'x'.repeat(units), '1')],
    sliceBytes: 1,
  },
  {
    name: 'a long line beyond ASCII, in slices that cut its letters',
    sent: (units) => [createMessage('sample', 'ü€'.repeat(units / 2), '1')],
    sliceBytes: 7,
  },
  {
    name: 'many lines in one message, byte by byte',
    sent: (units) => [createMessage('sample', 'a line\n'.repeat(units / 7), '1')],
    sliceBytes: 1,
  },
  {
    name: 'text with CR, byte by byte',
    sent: (units) => [createMessage('sample', 'a line\r'.repeat(units / 7), '1')],
    sliceBytes: 1,
  },
  {
    name: 'bytes, in small slices',
    sent: (units) => [createMessage('sample', new Uint8Array(units).fill(7), '1')],
    sliceBytes: 7,
  },
  {
    name: 'many messages in one slice',
    sent: (units) => Array.from({ length: units / 8 }, (_, at) => createMessage('sample', 'x', `${at}`)),
    sliceBytes: Number.POSITIVE_INFINITY,
  },
]

/** Shorter turns say more of the clock than of what ran. */
const leastTurnMs = 8
const maxRepeats = 256

/**
 * How many times as long one takes as the other, by turns until it is less than a bound: on a busy machine anything may happen to
 * a turn, and what is quadratic is over it in all of them.
 */
function leastRatio(one: () => void, other: () => void, bound: number): number {
  let times = 1
  const took = (run: () => void) => {
    const start = performance.now()
    for (let left = times; left > 0; left -= 1) run()
    return performance.now() - start
  }
  let least = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 12 && least >= bound; turn += 1) {
    let unit = took(other)
    // A browser's clock ticks once a millisecond, or less often, on purpose.
    while (unit < leastTurnMs && times < maxRepeats) {
      times *= 2
      unit = took(other)
    }
    least = Math.min(least, took(one) / unit)
  }
  return least
}

function slicesOfSize(bytes: Uint8Array, size: number): Uint8Array[] {
  const slices: Uint8Array[] = []
  for (let at = 0; at < bytes.byteLength; at += size) slices.push(bytes.subarray(at, at + size))
  return slices
}

function decode(codec: Codec, slices: readonly (string | Uint8Array)[]): Frame[] {
  const decoder = codec.decoder()
  return slices.flatMap((slice) => decoder.push(slice))
}

const utf8 = new TextEncoder()
const toBytes = (chunk: string | Uint8Array): Uint8Array =>
  typeof chunk === 'string' ? utf8.encode(chunk) : chunk
const sizeOf = (chunk: string | Uint8Array): number => byteLength(chunk)

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

function randomSlices(bytes: Uint8Array, random: () => number): Uint8Array[] {
  const slices: Uint8Array[] = []
  for (let at = 0; at < bytes.byteLength; ) {
    const size = 1 + Math.floor(random() * random() * 200)
    slices.push(bytes.subarray(at, at + size))
    at += size
  }
  return slices
}

const pieces = [
  'a',
  ' ',
  '\n',
  '\r',
  '\r\n',
  '\0',
  ':',
  'data:',
  'id: 1\n',
  'event: x',
  '\uFEFF',
  'ü',
  '😀',
  '~hello',
  '{"a":1}',
  '\n\n',
]

function randomMessage(random: () => number) {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const text = Array.from({ length: Math.floor(random() * 12) }, () => pick(pieces)).join('')
  const bytes = Uint8Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256))
  const id = random() < 0.3 ? '' : `e-${Math.floor(random() * 1e9)}`
  return createMessage(pick(['message', 'prices', 'ü', 'a b']), random() < 0.3 ? bytes : text, id)
}
