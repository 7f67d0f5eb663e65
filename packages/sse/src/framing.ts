import type { Encoder } from '@eitherway/core'
import { codec } from './codec.ts'

const join = (chunks: readonly (string | Uint8Array)[]) => Buffer.concat(chunks as readonly Uint8Array[])

/** As bytes, so that a text is not turned into UTF-8 anew for each peer. */
export const frames: Encoder = { encode: (frame) => Buffer.from(codec.encode(frame)), join }

/**
 * As chunks of HTTP/1.1, framed once for all peers.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */
export const chunkedFrames: Encoder = {
  encode(frame) {
    const text = codec.encode(frame)
    // A chunk of no length would be the last.
    if (text.length === 0) return text
    return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
  },
  join,
}
