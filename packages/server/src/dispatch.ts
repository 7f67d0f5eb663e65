import type { Encoder, Frame } from '@eitherway/core'

/** One reader of a channel, as far as sending goes. */
export interface Reader {
  readonly encoder: Encoder
  write(chunk: string | Uint8Array): void
}

/**
 * Gives one frame to many readers, encoded once for each kind of wire, however many they are.
 *
 * @param give - how a reader takes it. @defaultValue by its `write`
 */
export function dispatch<R extends Reader>(
  frame: Frame,
  readers: Iterable<R>,
  give: (reader: R, chunk: string | Uint8Array) => void = (reader, chunk) => reader.write(chunk),
): void {
  const encoded = new Map<Encoder, string | Uint8Array>()
  for (const reader of readers) {
    let chunk = encoded.get(reader.encoder)
    if (chunk === undefined) {
      chunk = reader.encoder.encode(frame)
      encoded.set(reader.encoder, chunk)
    }
    give(reader, chunk)
  }
}
