import {
  byteLength,
  type Close,
  type Codec,
  checkSize,
  closeCode,
  type Decoder,
  defaultEvent,
  defaultMaxMessageBytes,
  type Frame,
  fitReason,
  fromTriple,
  type Limits,
  ProtocolError,
  type Triple,
  toTriple,
} from '@eitherway/core'

/** The subprotocol that `codec` speaks. A link without a subprotocol is plain. */
export const subprotocol = 'eitherway.v1'

/** Room for a message's id and event beside its data, in bytes. @internal */
export const headRoomBytes = 4096

/** The package `ws` takes 32 bits of its limit: 4 GiB would be nothing, and 2 GiB no bound. @internal */
export const maxPayloadBytes: number = 2 ** 31 - 1

/**
 * Frames of the subprotocol `eitherway.v1`: the triple of Server-Sent Events, split by its first two line feeds,
 * `id LF event LF data`, text in a text message, bytes in a binary one.
 */
export const codec: Codec = { encode, decoder: createDecoder }

/** A link without a subprotocol: a message is its data and nothing more, and the protocol's own frames have no word. */
export const plain: Codec = {
  encode: (frame) => (frame.type === 'message' ? frame.message.data : ''),
  decoder({ maxMessageBytes = defaultMaxMessageBytes } = {}) {
    return {
      push(data) {
        checkSize(data, maxMessageBytes)
        return [{ type: 'message', message: Object.freeze({ id: '', event: defaultEvent, data }) }]
      },
    }
  },
}

const utf8 = new TextEncoder()

function encode(frame: Frame): string | Uint8Array {
  return encodeTriple(frame.type === 'message' ? frame.message : toTriple(frame))
}

/** A client sends messages and no other frames: what only a server writes stays out of pages. @internal */
export function encodeTriple({ id, event, data }: Triple): string | Uint8Array {
  if (typeof data === 'string') return `${id}\n${event}\n${data}`
  const head = utf8.encode(`${id}\n${event}\n`)
  const bytes = new Uint8Array(head.byteLength + data.byteLength)
  bytes.set(head)
  bytes.set(data, head.byteLength)
  return bytes
}

/** Each `push` takes one WebSocket message: the wire cuts nowhere else. @internal */
export function createDecoder({ maxMessageBytes = defaultMaxMessageBytes }: Limits = {}): Decoder {
  return {
    push(chunk: string | Uint8Array): Frame[] {
      const frame = fromTriple(typeof chunk === 'string' ? splitText(chunk) : splitBytes(chunk))
      if (frame.type === 'message') checkSize(frame.message.data, maxMessageBytes)
      return [frame]
    },
  }
}

function splitText(chunk: string) {
  const first = chunk.indexOf('\n')
  const second = first === -1 ? -1 : chunk.indexOf('\n', first + 1)
  if (second === -1) throw missing(chunk)
  return named(chunk.slice(0, first), chunk.slice(first + 1, second), chunk.slice(second + 1))
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function splitBytes(chunk: Uint8Array) {
  const first = chunk.indexOf(10)
  const second = first === -1 ? -1 : chunk.indexOf(10, first + 1)
  if (second === -1) throw missing(chunk)
  let head: string
  try {
    head = strictUtf8.decode(chunk.subarray(0, second))
  } catch (cause) {
    throw new ProtocolError('the id and event of a binary message are not UTF-8', { closeCode: 1007, cause })
  }
  return named(
    head.slice(0, head.indexOf('\n')),
    head.slice(head.indexOf('\n') + 1),
    chunk.subarray(second + 1),
  )
}

function named<T>(id: string, event: string, data: T) {
  return { id, event: event === '' ? defaultEvent : event, data }
}

function missing(chunk: string | Uint8Array): ProtocolError {
  const size = byteLength(chunk)
  return new ProtocolError(
    `a message of ${subprotocol} is id, event and data, split by line feeds; got ${size} bytes without`,
  )
}

/**
 * What the package `ws` closed a link with, from the error that it tells of it; `undefined` for an error of the network.
 *
 * @see https://github.com/websockets/ws/blob/master/doc/ws.md#error-codes
 */
export function closeOfError(error: unknown): Close | undefined {
  if (!(error instanceof Error)) return undefined
  const { code } = error as { code?: unknown }
  // zlib's: what was to be inflated is no deflate.
  if (typeof code === 'string' && code.startsWith('Z_'))
    return { code: 1007, reason: fitReason(error.message) }
  if (typeof code !== 'string' || !code.startsWith('WS_ERR_')) return undefined
  return { code: closeCodes.get(code) ?? closeCode.protocolError, reason: fitReason(error.message) }
}

const closeCodes = new Map<string, number>([
  ['WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', closeCode.tooBig],
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', closeCode.tooBig],
  ['WS_ERR_INVALID_UTF8', 1007],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008],
])
