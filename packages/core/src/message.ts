/** A message as the application has it, its data decoded by its format. */
export interface Received<T = unknown> {
  /** Its position, or `''`. */
  readonly id: string
  readonly event: string
  readonly data: T
}

/** What an application sent: the triple that crosses the wire on every transport. */
export interface Message {
  /**
   * The message's position in its stream, or `''` when it has none. A client that lost its link names the last id it
   * was given and goes on after it.
   */
  readonly id: string
  /** The message's name, and the `event` field of Server-Sent Events. A hub's messages are named after their channel. */
  readonly event: string
  /** Text or bytes, as the application's format encoded them. */
  readonly data: string | Uint8Array
}

/** The event of a message that was given no name: what `EventSource` hands to `onmessage`. */
export const defaultEvent = 'message'

/** Longest id, in bytes: beyond it, the Fetch standard no longer lets an `EventSource` send it back without a preflight. */
export const maxIdBytes = 128

/** Longest event or channel name, in UTF-8 bytes. */
export const maxNameBytes = 255

/**
 * Makes a message, frozen: the hub hands one and the same object to every connection.
 *
 * @throws TypeError when `id` or `event` could not cross every transport unharmed: see {@link checkId} and
 * {@link checkName}.
 */
export function createMessage(event: string, data: string | Uint8Array, id = ''): Message {
  checkName('event', event)
  if (id !== '') checkId(id)
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
    throw new TypeError(`\`data\` of event ${show(event)} must be text or a Uint8Array, got ${kind(data)}`)
  }
  return Object.freeze({ id, event, data })
}

/**
 * Checks an id that this side mints: 1 to 128 printable ASCII characters, no space at either end.
 *
 * Anything else cannot come back in an HTTP header, and a client that tries stops for good.
 *
 * @throws TypeError when it is anything else.
 */
export function checkId(id: string): void {
  if (typeof id !== 'string') throw new TypeError(`\`id\` must be a string, got ${kind(id)}`)
  if (!/^[!-~](?:[ -~]{0,126}[!-~])?$/.test(id)) {
    throw new TypeError(
      `\`id\` must be 1 to ${maxIdBytes} printable ASCII characters without a space at either end, got ${show(id)}: ` +
        'a client sends it back in an HTTP header',
    )
  }
}

/**
 * Checks the name of an event or a channel: 1 to 255 bytes, no CR, LF or NUL, and no leading `~`, which marks frames of
 * the protocol itself.
 *
 * @param what - the word for it in the error, e.g. `event` or `channel`.
 * @throws TypeError when it is anything else. Nothing is repaired in silence: a name with a line end would let its
 * writer forge whole messages.
 */
export function checkName(what: string, name: string): void {
  if (typeof name !== 'string') throw new TypeError(`\`${what}\` must be a string, got ${kind(name)}`)
  if (name === '') throw new TypeError(`\`${what}\` must not be empty`)
  if (/[\r\n\0]/.test(name)) {
    throw new TypeError(
      `\`${what}\` must not contain CR, LF or NUL, got ${show(name)}: SSE would read the rest as a new field`,
    )
  }
  if (name.startsWith('~')) {
    throw new TypeError(
      `\`${what}\` must not start with "~", got ${show(name)}: those names belong to the protocol`,
    )
  }
  // A string of n UTF-16 units is at most 3n bytes, so most names need no count.
  if (name.length * 3 > maxNameBytes && byteLength(name) > maxNameBytes) {
    throw new TypeError(
      `\`${what}\` must be at most ${maxNameBytes} bytes, got ${byteLength(name)}: ${show(name)}`,
    )
  }
}

const utf8 = new TextEncoder()

/** Counts without a copy. Node has it, Bun too; a browser has not. */
const counted = (globalThis as { Buffer?: { byteLength(text: string): number } }).Buffer?.byteLength

/** How many bytes text or bytes take on the wire, before any framing. */
export function byteLength(data: string | Uint8Array): number {
  if (typeof data !== 'string') return data.byteLength
  if (counted !== undefined) return counted(data)
  return isShortAscii(data) ? data.length : utf8.encode(data).byteLength
}

/** Looking at each unit of short text takes a third of the time of encoding it, and copies nothing. */
function isShortAscii(text: string): boolean {
  if (text.length > 256) return false
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

/** What a message costs that waits in memory, in bytes, roughly: also a message without data costs something. */
export function costOf({ id, event, data }: Message): number {
  return byteLength(data) + id.length + event.length + 64
}

/**
 * A value as it may stand in an error. Text is quoted, its control characters visible, and short: `"64"` is no number, and must
 * not look like one. Of an object its kind.
 *
 * What JSON leaves as it is, and a terminal or a viewer of logs would obey (further controls, line ends, directions), becomes U+FFFD.
 */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    const text = JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
    return text.replace(/[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, '\ufffd')
  }
  return typeof value === 'object' || typeof value === 'function' ? kind(value) : String(value)
}

/** The kind of a value, for an error that says what was given instead. */
export function kind(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  return value.constructor?.name ?? 'an object'
}
