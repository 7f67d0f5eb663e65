import type { Encoder, Message } from '@eitherway/core'

/** Messages of history as the wires have them: when thousands come back at once, they are encoded once for all. */
export interface Replays {
  /**
   * All of them in order, in as few chunks as this wire allows, none much larger than what a peer may be given at a time.
   * Those who come back at the same place get the same chunks; those at another, the same from the next cut on.
   */
  chunksOf(messages: readonly Message[], encoder: Encoder): Generator<string | Uint8Array, void>
}

/** What is kept for the next to come back, messages and pieces together; then it starts over. */
const maxKeptBytes = 8 * 1024 * 1024

/** A peer gets about so much before it is asked whether it has room for more. */
const pieceBytes = 64 * 1024

/** Messages that follow each other for whoever follows these channels, in one chunk. */
interface Piece {
  readonly messages: readonly Message[]
  readonly chunk: string | Uint8Array
}

/** What one kind of wire was given. */
interface Kept {
  readonly chunks: Map<Message, string | Uint8Array>
  /** By their first message. Those of other channels, or of a later time, go on differently from there. */
  readonly pieces: Map<Message, Piece[]>
  /** Before these a piece was cut because it was full. Whoever comes by cuts there as well, and goes on with known pieces. */
  readonly cuts: Set<Message>
}

/** Keeps nothing yet. */
export function createReplays(): Replays {
  let kept = new Map<Encoder, Kept>()
  let bytes = 0

  function keptFor(encoder: Encoder): Kept {
    let mine = kept.get(encoder)
    if (mine === undefined) {
      mine = { chunks: new Map(), pieces: new Map(), cuts: new Set() }
      kept.set(encoder, mine)
    }
    return mine
  }

  /** Makes room for so much. */
  function count(chunk: string | Uint8Array): void {
    bytes += chunk.length
    if (bytes <= maxKeptBytes) return
    kept = new Map()
    bytes = chunk.length
  }

  function encode(message: Message, encoder: Encoder): string | Uint8Array {
    const known = kept.get(encoder)?.chunks.get(message)
    if (known !== undefined) return known
    const chunk = encoder.encode({ type: 'message', message })
    count(chunk)
    keptFor(encoder).chunks.set(message, chunk)
    return chunk
  }

  /** The same buffer for all: what a wire makes of it (it may compress), it makes once. */
  function join(messages: readonly Message[], encoder: Encoder & Required<Pick<Encoder, 'join'>>) {
    const first = messages[0] as Message
    const known = kept
      .get(encoder)
      ?.pieces.get(first)
      ?.find((piece) => isSame(piece.messages, messages))
    if (known !== undefined) return known.chunk
    const chunk = encoder.join(messages.map((message) => encode(message, encoder)))
    count(chunk)
    const { pieces } = keptFor(encoder)
    const beside = pieces.get(first) ?? []
    beside.push({ messages, chunk })
    pieces.set(first, beside)
    return chunk
  }

  return {
    *chunksOf(messages, encoder) {
      if (!canJoin(encoder)) {
        for (const message of messages) yield encode(message, encoder)
        return
      }
      let piece: Message[] = []
      let size = 0
      for (const message of messages) {
        const { cuts } = keptFor(encoder)
        if (size >= pieceBytes) cuts.add(message)
        if (piece.length > 0 && cuts.has(message)) {
          yield join(piece, encoder)
          piece = []
          size = 0
        }
        piece.push(message)
        size += encode(message, encoder).length
      }
      if (piece.length > 0) yield join(piece, encoder)
    },
  }
}

const canJoin = (encoder: Encoder): encoder is Encoder & Required<Pick<Encoder, 'join'>> =>
  encoder.join !== undefined

/** All of them: with the same ends they may still be of other channels, which this peer may not see. */
const isSame = (some: readonly Message[], others: readonly Message[]): boolean =>
  some.length === others.length && some.every((message, at) => message === others[at])
