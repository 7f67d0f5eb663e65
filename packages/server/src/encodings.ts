import type { Encoder, Frame } from '@eitherway/core'

/** A frame as the wires have it, encoded once for each kind, however many connections there are. */
export interface Encodings {
  for(encoder: Encoder): string | Uint8Array
}

/** Nothing is encoded before it is asked for. */
export function createEncodings(frame: Frame): Encodings {
  // Two kinds of wire are the rule, and a map for each message would cost more than it holds.
  let first: { encoder: Encoder; chunk: string | Uint8Array } | undefined
  let others: Map<Encoder, string | Uint8Array> | undefined
  return {
    for(encoder) {
      if (first?.encoder === encoder) return first.chunk
      const known = others?.get(encoder)
      if (known !== undefined) return known
      const chunk = encoder.encode(frame)
      if (first === undefined) first = { encoder, chunk }
      else {
        others ??= new Map()
        others.set(encoder, chunk)
      }
      return chunk
    },
  }
}
