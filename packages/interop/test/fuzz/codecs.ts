import { type Codec, createMessage, type Frame, type Message, ProtocolError } from '@eitherway/core'
import { assert, assertEqual } from '@eitherway/core/testing'
import { codec as sse } from '@eitherway/sse/codec'
import { codec as ws } from '@eitherway/ws/codec'
import { asSeen, referenceReader, type Seen } from '../../../sse/test/reference-reader.ts'
import type { Target } from './target.ts'

/** What a decoder made of a stream. */
interface Outcome {
  readonly frames: readonly Frame[]
  /** With which it gave up. */
  readonly closeCode?: number
}

const fieldWords = [
  'data',
  'data:',
  'data: ',
  'event: ',
  'id: ',
  'id',
  'retry: ',
  ':',
  '\n\n',
  '\r',
  '\r\n\r\n',
]
const frameWords = [
  '~hello',
  '~gap',
  '~close',
  '~retry',
  '~position',
  '~heartbeat',
  '~later',
  '~request:1:sum',
  '~reply:1',
  '~failure:1',
  '~abort:1',
  '{"heartbeatMs":1e308}',
  '{"reason":"epoch","channels":["a"]}',
  '{"code":4000,"reason":"x"}',
  '{"__proto__":1}',
  'data:text/plain;charset=utf-8;base64,',
  'data:application/octet-stream;base64,',
  '\xef\xbb\xbf',
  '\xf0\x9f\x98\x80',
  '\xed\xa0\x80',
  '\0',
  '99999999999999999999',
]

export const eventStream: Target = {
  name: 'event-stream',
  seeds: [
    'retry: 500\nid: k3f9-0\nevent: ~hello\ndata: {"heartbeatMs":25000}\n\nid: k3f9-1\nevent: a\ndata: 1\ndata: 2\n\n',
    '\xef\xbb\xbf:x\r\nevent:~gap\rid:7\ndata:{"reason":"epoch","channels":["a"]}\r\n\r\n',
    'event: ~close\ndata: {"code":4000,"reason":"x"}\n\nid\n\ndata\n\n',
    'data: data:text/plain;charset=utf-8;base64,YQ1i\n\ndata: data:application/octet-stream;base64,AAEC\n\n',
  ],
  words: [...fieldWords, ...frameWords],
  run(input) {
    const whole = read(sse, [input])
    for (const size of [1, 2, 3, 7, 64]) {
      assertEqual(summary(read(sse, cut(input, size))), summary(whole), `in pieces of ${size}`)
    }
    // Ours gives up on a broken frame of its own, which a plain reader does not know.
    if (whole.closeCode === undefined) {
      assertEqual(visible(asSeen(whole.frames)), visible(unwrapped(referenceReader(input))), 'the standard')
    }
    const small = read(sse, cut(input, 16), 8)
    assert(
      small.closeCode === undefined || [1002, 1009].includes(small.closeCode),
      `a limit leads to 1009, not ${small.closeCode}`,
    )
    for (const frame of small.frames) assert(sizeOf(frame) <= 8, 'over the limit, and given out')
    returns(sse, whole.frames)
  },
}

export const webSocketMessage: Target = {
  name: 'web-socket-message',
  seeds: ['k3f9-1\nprices\n{"a":1}', '\n~hello\n{"heartbeatMs":0}', '\n\n', 'a\nb\n\0\xff'],
  words: ['\n', '\n\n', ...frameWords],
  run(input) {
    const asBytes = read(ws, [input])
    const asText = read(ws, [new TextDecoder('utf-8', { ignoreBOM: true }).decode(input)])
    for (const { closeCode } of [asBytes, asText]) {
      assert(closeCode === undefined || [1002, 1007].includes(closeCode), `gave up with ${closeCode}`)
    }
    returns(ws, asText.frames)
    returns(ws, asBytes.frames)
  },
}

/** What an application publishes, whatever it is: refused, or carried unharmed and as one message only. */
export const publishing: Target = {
  name: 'publishing',
  seeds: ['prices\n1\n{"a":1}', 'a\rb\n7\nx', 'x\n1\ndata: y\n\nevent: z\rid: 9', '__proto__\n~\n\r\n'],
  words: ['\n', '\r', '\0', '~', ...fieldWords, ...frameWords],
  run(input) {
    const text = new TextDecoder().decode(input)
    // Parted by LF first, and by a tab where the parts are to hold LFs.
    for (const parts of [text.split('\n'), text.split('\t')]) {
      const [event = '', id = '', ...data] = parts
      for (const payload of [data.join('\n'), input]) {
        let message: Message
        try {
          message = createMessage(event, payload, id)
        } catch (error) {
          assert(error instanceof TypeError, `refused by ${String(error)}`)
          continue
        }
        const frame: Frame = { type: 'message', message }
        for (const codec of [sse, ws]) {
          const { frames } = read(codec, [codec.encode(frame)])
          assertEqual(frames, [frame], 'what came back')
        }
        const seen = referenceReader(new TextEncoder().encode(sse.encode(frame) as string))
        assertEqual(seen.length, 2, 'one message and a position for a plain reader')
      }
    }
  },
}

function read(codec: Codec, chunks: readonly (string | Uint8Array)[], maxMessageBytes?: number): Outcome {
  const decoder = codec.decoder(maxMessageBytes === undefined ? {} : { maxMessageBytes })
  const frames: Frame[] = []
  for (const chunk of chunks) {
    try {
      frames.push(...decoder.push(chunk))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return { frames: [...frames, ...error.frames], closeCode: error.closeCode }
    }
  }
  return { frames }
}

/** Where the pieces end may settle a position sooner; to an application it is the same. */
const summary = ({ frames, closeCode }: Outcome) => [
  visible(asSeen(frames)),
  frames.filter(isWord),
  closeCode,
]
const isWord = ({ type }: Frame) => ['hello', 'gap', 'close', 'retry'].includes(type)
const visible = (seen: readonly Seen[]) => seen.filter((one) => one !== 'comment')

/** A plain reader sees the `data:` URL. */
function unwrapped(seen: readonly Seen[]): Seen[] {
  return seen.map((one) => {
    if (typeof one === 'string' || !('data' in one) || typeof one.data !== 'string') return one
    const [, kind = '', base64 = ''] =
      /^data:(text\/plain;charset=utf-8|application\/octet-stream);base64,([\s\S]*)$/.exec(one.data) ?? []
    if (kind === '' || !isBase64(base64)) return one
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
    const data = kind.startsWith('text') ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes) : bytes
    return { ...one, data }
  })
}

function isBase64(text: string): boolean {
  try {
    atob(text)
    return true
  } catch {
    // That is the answer.
    return false
  }
}

/** Whatever a decoder gives out can be written again, if this side may write it, and is the same then. */
function returns(codec: Codec, frames: readonly Frame[]): void {
  for (const frame of frames) {
    if (frame.type === 'message') {
      try {
        createMessage(frame.message.event, frame.message.data, frame.message.id)
      } catch {
        // Others may send what we would not.
        continue
      }
    }
    // More than anybody waits, and written as no digits. Nor has JSON a way to say -0.
    if (frame.type === 'retry' && frame.retryMs > Number.MAX_SAFE_INTEGER) continue
    if (frame.type === 'hello' && Object.is(frame.heartbeatMs, -0)) continue
    if ('id' in frame && /[\r\n\0]/.test(frame.id)) continue
    const again = read(codec, [codec.encode(frame)])
    assertEqual(
      again.frames.filter(({ type }) => type === frame.type),
      [frame],
      `${frame.type}, written and read again`,
    )
  }
}

function sizeOf(frame: Frame): number {
  if (frame.type !== 'message') return 0
  const { data } = frame.message
  return typeof data === 'string' ? new TextEncoder().encode(data).byteLength : data.byteLength
}

function cut(input: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(input.byteLength / size) }, (_, at) =>
    input.subarray(at * size, (at + 1) * size),
  )
}
