import type { Codec, Encoder } from '@eitherway/core'
import { codec, plain } from './codec.ts'
import type { Deflate } from './compression.ts'

/**
 * Frames the messages of a codec for the wire, so that one buffer serves every peer: `ws` would frame each message anew
 * for each, at a quarter more CPU. It goes to the socket that Node's `upgrade` event handed over, whole and in one write,
 * so it never falls inside a frame of `ws`.
 */
export function framed({ encode }: Codec, { deflate, heartbeat }: Framing = {}): Encoder {
  return {
    encode(frame) {
      if (frame.type === 'heartbeat' && heartbeat !== undefined) return heartbeat
      const payload = encode(frame)
      if (payload.length === 0 && frame.type !== 'message') return payload
      const deflated = deflate?.(payload)
      const opcode = typeof payload === 'string' ? text : binary
      return deflated === undefined ? toWire(opcode, payload) : toWire(opcode | rsv1, deflated)
    },
    join: (chunks) => Buffer.concat(chunks as readonly Uint8Array[]),
  }
}

interface Framing {
  readonly deflate?: Deflate
  /** What a link sends that has no word for it. */
  readonly heartbeat?: Uint8Array
}

const text = 1
const binary = 2
/** "This message is compressed." @see https://www.rfc-editor.org/rfc/rfc7692#section-6 */
const rsv1 = 0x40

/** An unmasked frame: a final text or binary message. @see https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
function toWire(bits: number, payload: string | Uint8Array): Buffer {
  const size = Buffer.byteLength(payload)
  const head = size < 126 ? 2 : size < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(head + size)
  frame[0] = 0x80 | bits
  if (head === 2) {
    frame[1] = size
  } else if (head === 4) {
    frame[1] = 126
    frame.writeUInt16BE(size, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(size), 2)
  }
  if (typeof payload === 'string') frame.write(payload, head)
  else frame.set(payload, head)
  return frame
}

export const frames: Encoder = framed(codec)
/** A plain link has no word for a heartbeat, so an empty ping keeps the proxies in between awake. */
export const ping: Uint8Array = Uint8Array.of(0x89, 0)
export const plainFrames: Encoder = framed(plain, { heartbeat: ping })
