import { ProtocolError } from './errors.ts'
import type { Format } from './format.ts'
import { kind } from './message.ts'

/** A library that makes bytes of values, as those of MessagePack and CBOR do. */
export interface BinaryLibrary {
  /** What the format is called in errors, e.g. `CBOR`. */
  readonly name: string
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
}

/**
 * Makes a format of a library: bytes on every transport. What the library throws becomes the error that a format has for it,
 * and no error shows what came.
 *
 * What peers send is only as safe as the library that reads it: some can be made to take all memory by a few bytes.
 *
 * @example
 * ```ts
 * import { binaryFormat } from '@eitherway/core'
 * import { decode, encode } from 'cborg'
 *
 * export const cbor = binaryFormat({ name: 'CBOR', encode, decode })
 * ```
 */
export function binaryFormat({ name, encode, decode }: BinaryLibrary): Format {
  return {
    name,
    encode(value) {
      let bytes: Uint8Array
      try {
        bytes = encode(value)
      } catch (cause) {
        throw new TypeError(`${kind(value)} cannot be written as ${name}: ${(cause as Error).message}`, {
          cause,
        })
      }
      if (!(bytes instanceof Uint8Array)) {
        throw new TypeError(`\`encode\` of the format ${name} must return a Uint8Array, got ${kind(bytes)}`)
      }
      return compact(bytes)
    },
    decode(data) {
      if (typeof data === 'string') {
        throw new ProtocolError(
          `what came is text, and ${name} is bytes: both sides must name the same \`format\``,
        )
      }
      try {
        return decode(data)
      } catch {
        // Not even as the cause: what a library says of it may show a piece.
        throw new ProtocolError(
          `what came is not ${name} (${data.byteLength} bytes): both sides must name the same \`format\``,
        )
      }
    },
  }
}

/** Libraries write into a buffer that they share out, and a message that is kept would keep all of it. */
function compact(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
