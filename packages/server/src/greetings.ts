import type { Encoder } from '@eitherway/core'

/** The first words to each peer, encoded once for all that come at one position. */
export interface Greetings {
  /** What may come before them: it proves that there is somebody. */
  early(encoder: Encoder): string | Uint8Array
  /** @param id - where the peer's stream goes on from; `''` where that is told later, or is the application's own. */
  for(encoder: Encoder, id: string): readonly (string | Uint8Array)[]
}

/** How long to wait before coming back, and then where the stream begins and how often the server will speak. */
export function createGreetings(retryMs: number, heartbeatMs: number): Greetings {
  const last = new WeakMap<
    Encoder,
    { readonly id: string; readonly chunks: readonly (string | Uint8Array)[] }
  >()
  return {
    early: (encoder) => encoder.encode({ type: 'retry', retryMs }),
    for(encoder, id) {
      const known = last.get(encoder)
      if (known?.id === id) return known.chunks
      const each = [
        encoder.encode({ type: 'retry', retryMs }),
        encoder.encode({ type: 'hello', id, heartbeatMs }),
      ].filter(({ length }) => length > 0)
      const chunks = encoder.join === undefined || each.length < 2 ? each : [encoder.join(each)]
      last.set(encoder, { id, chunks })
      return chunks
    },
  }
}
