import { readCall } from './call.ts'
import type { Close } from './close.ts'
import { ProtocolError } from './errors.ts'
import { byteLength, type Message } from './message.ts'
import { checkWhole } from './setting.ts'

/**
 * What crosses the wire. All but `message` belong to the protocol: an application never sees them.
 *
 * An `id` of `''` leaves the reader's position where it is.
 */
export type Frame =
  /** The server's first word: where the stream goes on from, and how often it will speak (0: it makes no promise). */
  | { readonly type: 'hello'; readonly id: string; readonly heartbeatMs: number }
  | { readonly type: 'message'; readonly message: Message }
  /** Moves the reader's position without a message. Here `''` is a position too: the beginning. */
  | { readonly type: 'position'; readonly id: string }
  /** Messages before `id` are lost to this reader, and why. The position travels in the same frame as the news. */
  | { readonly type: 'gap'; readonly id: string; readonly gap: Gap }
  /** How long the client waits before it comes back, in milliseconds. */
  | { readonly type: 'retry'; readonly retryMs: number }
  /** `partial`: a connection's own word for bytes that complete no frame yet. The link lives, and has brought nothing. */
  | { readonly type: 'heartbeat'; readonly partial?: true }
  /** The server's last word. WebSocket has a close frame of its own and uses that. */
  | { readonly type: 'close'; readonly close: Close }

/** Messages that history can no longer give back. */
export interface Gap {
  /**
   * `evicted`: history was too short; `epoch`: history was lost; `unknown`: the position was never one of the hub's;
   * `slow`: this reader was too slow for a channel that gives up its oldest.
   */
  readonly reason: 'evicted' | 'epoch' | 'unknown' | 'slow'
  /** The channels in which something may be missing. */
  readonly channels: readonly string[]
}

/** Bounds of a decoder. Beyond one it throws a {@link ProtocolError} and is of no further use. */
export interface Limits {
  /** Largest message, in bytes of data. @defaultValue 1 MiB (1,048,576) */
  readonly maxMessageBytes?: number
}

/** The default of {@link Limits.maxMessageBytes}: 1 MiB. */
export const defaultMaxMessageBytes: number = 1024 * 1024

/**
 * Largest message that is taken, in bytes.
 *
 * @throws TypeError when the setting is no size: with what is no number there would be no bound at all.
 * @internal
 */
export function maxMessageBytesOf({ maxMessageBytes = defaultMaxMessageBytes }: Limits): number {
  checkWhole('maxMessageBytes', maxMessageBytes)
  return maxMessageBytes
}

/** Writes frames. Its identity is the cache key of encode-once: one encoder, one encoding, however many connections. */
export interface Encoder {
  /** The bytes or text of one frame; `''` where this wire has no word for it. */
  encode(frame: Frame): string | Uint8Array
  /**
   * Several encoded frames as one chunk, where this wire needs no boundary between two writes. Left out, each frame is
   * written by itself.
   */
  join?(chunks: readonly (string | Uint8Array)[]): string | Uint8Array
}

/** Frames to bytes or text and back, without I/O. */
export interface Codec extends Encoder {
  /** A new decoder, for one connection. */
  decoder(limits?: Limits): Decoder
}

/** Reads one connection's frames. */
export interface Decoder {
  /**
   * Takes the next slice, cut anywhere a wire may cut it, and returns the frames that it completed.
   *
   * @throws ProtocolError when the slice breaks the protocol or a limit; its `frames` are those that were complete before.
   */
  push(chunk: string | Uint8Array): Frame[]
}

/** The three parts of every frame on every wire: SSE's fields, or WebSocket's three lines. */
export type Triple = Message

/**
 * The triple of a frame of the protocol itself. Its event starts with `~`, which no application may use; a plain
 * `EventSource` has no listener for it and never notices.
 */
export function toTriple(frame: Exclude<Frame, { type: 'message' }>): Triple {
  switch (frame.type) {
    case 'hello':
      return { id: frame.id, event: '~hello', data: JSON.stringify({ heartbeatMs: frame.heartbeatMs }) }
    case 'position':
      return { id: frame.id, event: '~position', data: '' }
    case 'gap':
      return { id: frame.id, event: '~gap', data: JSON.stringify(frame.gap) }
    case 'retry':
      return { id: '', event: '~retry', data: String(frame.retryMs) }
    case 'heartbeat':
      return { id: '', event: '~heartbeat', data: '' }
    case 'close':
      return { id: '', event: '~close', data: JSON.stringify(frame.close) }
  }
}

/**
 * The frame of a triple. A word of a call crosses as a message: see `readCall`. A `~` event that this version does not know is
 * a newer server's word: a sign of life, and a position where it has an id.
 *
 * @throws ProtocolError when a frame of the protocol does not hold what it must.
 */
export function fromTriple(triple: Triple): Frame {
  const { id, event, data } = triple
  if (!event.startsWith('~')) return { type: 'message', message: Object.freeze(triple) }
  switch (event) {
    case '~hello': {
      const { heartbeatMs } = parseObject(event, data)
      if (!isDuration(heartbeatMs)) throw malformed(event, data)
      return { type: 'hello', id, heartbeatMs }
    }
    case '~position':
      return { type: 'position', id }
    case '~gap': {
      const { reason, channels } = parseObject(event, data)
      if (
        !isReason(reason) ||
        !Array.isArray(channels) ||
        !channels.every((name) => typeof name === 'string')
      ) {
        throw malformed(event, data)
      }
      return { type: 'gap', id, gap: { reason, channels } }
    }
    case '~retry':
      if (typeof data !== 'string' || !/^[0-9]+$/.test(data)) throw malformed(event, data)
      return { type: 'retry', retryMs: Number(data) }
    case '~heartbeat':
      return { type: 'heartbeat' }
    case '~close': {
      const { code, reason } = parseObject(event, data)
      const isCode = typeof code === 'number' && Number.isInteger(code) && code >= 1000 && code <= 4999
      if (!isCode || typeof reason !== 'string' || byteLength(reason) > 123) throw malformed(event, data)
      return { type: 'close', close: { code, reason } }
    }
    default:
      if (readCall(triple) !== undefined) return { type: 'message', message: Object.freeze(triple) }
      return id === '' ? { type: 'heartbeat' } : { type: 'position', id }
  }
}

const isReason = (value: unknown): value is Gap['reason'] =>
  value === 'evicted' || value === 'epoch' || value === 'unknown' || value === 'slow'
const isDuration = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value < Infinity

function parseObject(event: string, data: string | Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = typeof data === 'string' ? JSON.parse(data) : undefined
  } catch {
    // Not even as the cause: what the engine says of it shows a piece.
    throw malformed(event, data)
  }
  if (typeof value !== 'object' || value === null) throw malformed(event, data)
  return value as Record<string, unknown>
}

function malformed(event: string, data: string | Uint8Array): ProtocolError {
  const held = `${byteLength(data)} bytes of ${typeof data === 'string' ? 'text' : 'data'}`
  return new ProtocolError(`the server's ${event} frame holds ${held} that are not what the protocol says`)
}

/** Throws when a message's data is over the limit, in bytes. @internal */
export function checkSize(data: string | Uint8Array, limit: number): void {
  // Text is at most three bytes for each of its units, so nearly all of it needs no count, which would copy it.
  if (typeof data === 'string' && data.length * 3 <= limit) return
  const bytes = byteLength(data)
  if (bytes <= limit) return
  throw new ProtocolError(
    `a message of ${bytes} bytes is over the limit of ${limit}; raise the receiver's \`maxMessageBytes\` if it is expected`,
    { closeCode: 1009 },
  )
}
