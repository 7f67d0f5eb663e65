import { ProtocolError } from './errors.ts'
import { byteLength, kind, show } from './message.ts'

/** How an application's values become a message's text or bytes, and back. Both sides name the same one. */
export interface Format {
  readonly name: string
  /** @throws TypeError when the value has no form here. */
  encode(value: unknown): string | Uint8Array
  /** @throws ProtocolError when the data is not of this format. */
  decode(data: string | Uint8Array): unknown
}

/** Any value that JSON can hold; a `Uint8Array` travels as the bytes it is. The default. */
export const json: Format = {
  name: 'json',
  encode(value) {
    if (value instanceof Uint8Array) return value
    let text: string | undefined
    try {
      text = JSON.stringify(value)
    } catch (cause) {
      throw new TypeError(`${kind(value)} cannot be written as JSON: ${(cause as Error).message}`, { cause })
    }
    if (text === undefined) {
      const advice = value === undefined ? '; null can' : ''
      throw new TypeError(`${kind(value)} cannot be written as JSON${advice}`)
    }
    return text
  },
  decode(data) {
    if (typeof data !== 'string') return data
    try {
      return JSON.parse(data)
    } catch {
      // Not even as the cause: what the engine says of it shows a piece.
      throw new ProtocolError(
        `what came is not JSON (${byteLength(data)} bytes); both sides must name the same \`format\`, 'text' for plain text`,
      )
    }
  },
}

/** Text and bytes as they are: for streams that are no JSON. Anything but a string or a `Uint8Array` is refused. */
export const text: Format = {
  name: 'text',
  encode(value) {
    if (typeof value === 'string' || value instanceof Uint8Array) return value
    throw new TypeError(`\`format: 'text'\` carries strings and Uint8Arrays, got ${kind(value)}`)
  },
  decode: (data) => data,
}

/** A format by its name, or one of the application's own. */
export type FormatOption = 'json' | 'text' | Format

/** @throws TypeError for a name that is no format. */
export function formatOf(option: FormatOption = 'json'): Format {
  if (option === 'json') return json
  if (option === 'text') return text
  if (
    typeof option === 'object' &&
    typeof option?.encode === 'function' &&
    typeof option.decode === 'function'
  ) {
    return option
  }
  const given = typeof option === 'string' ? show(option) : kind(option)
  throw new TypeError(`\`format\` must be 'json', 'text' or an object with encode and decode, got ${given}`)
}
