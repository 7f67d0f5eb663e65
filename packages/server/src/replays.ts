import type { Encoder, Message } from '@eitherway/core'

/** Messages of history as the wires have them: when thousands come back at once, they are encoded once for all. */
export interface Replays {
  /** All of them in order, in as few chunks as this wire allows, none much larger than what a peer may be given at a time. */
  chunksOf(messages: readonly Message[], encoder: Encoder): Generator<string | Uint8Array, void>
}

/** What is kept for the next to come back; then it starts over. */
const maxKeptBytes = 4 * 1024 * 1024

/** A peer gets about so much before it is asked whether it has room for more. */
const pieceBytes = 64 * 1024

/** Keeps nothing yet. */
export function createReplays(): Replays {
  let kept = new Map<Encoder, Map<Message, string | Uint8Array>>()
  let bytes = 0

  function encode(message: Message, encoder: Encoder): string | Uint8Array {
    const known = kept.get(encoder)?.get(message)
    if (known !== undefined) return known
    const chunk = encoder.encode({ type: 'message', message })
    bytes += chunk.length
    if (bytes > maxKeptBytes) {
      kept = new Map()
      bytes = chunk.length
    }
    const chunks = kept.get(encoder) ?? new Map<Message, string | Uint8Array>()
    kept.set(encoder, chunks.set(message, chunk))
    return chunk
  }

  return {
    *chunksOf(messages, encoder) {
      let piece: (string | Uint8Array)[] = []
      let size = 0
      for (const message of messages) {
        const chunk = encode(message, encoder)
        if (encoder.join === undefined) {
          yield chunk
          continue
        }
        piece.push(chunk)
        size += chunk.length
        if (size < pieceBytes) continue
        yield encoder.join(piece)
        piece = []
        size = 0
      }
      if (piece.length > 0 && encoder.join !== undefined) yield encoder.join(piece)
    },
  }
}
