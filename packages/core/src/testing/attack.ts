/** A way in, by a request that is fine. A POST is described like any other. */
export interface Entrance {
  readonly name: string
  readonly method: string
  /** Beside `Host`, each `Name: value`. */
  readonly headers: readonly string[]
  /** What a fine request is answered. */
  readonly status: number
  /**
   * What may follow the head: nothing, frames of WebSocket, those with messages of `eitherway.v1`, or a body with messages for a
   * link. What comes by such a body asks for no link, so only attacks that need one are done to it.
   */
  readonly speaks: 'nothing' | 'frames' | 'messages' | 'body'
}

/** What somebody sends who means no good, and what must come of it. */
export interface Attack {
  readonly name: string
  /** Where it comes from: a rule, or somebody else's hole. */
  readonly source: string
  /** What an entrance has to speak for it to make sense. @defaultValue anything but a body */
  readonly needs?: readonly Entrance['speaks'][]
  /** How often it is done, one after the other. @defaultValue 1 */
  readonly times?: number
  /** What goes on the wire, piece by piece. A character is a byte. */
  bytes(target: AttackTarget): Iterable<string>
  readonly comes: Outcome
}

/** What an attack is aimed at. */
export interface AttackTarget {
  readonly entrance: Entrance
  /** The path that is served. */
  readonly path: string
  /** The newest position: `<epoch>-<number>`. */
  readonly position: string
  /** Where the entrance speaks by a body: the key of the attacker's own link, and that of somebody who showed a token. */
  readonly keys: { readonly own: string; readonly theirs: string }
}

/**
 * What must come of an attack.
 *
 * `service`: the entrance's own status, and the link stays. `the end`: the link is ended, and whatever comes before matters
 * not. A `status` reads as the close code that says the same, where the entrance speaks ours. `ends`: the attacker's link is
 * closed with that code, whatever the body is answered.
 */
export type Outcome =
  | 'service'
  | 'the end'
  | 'anything'
  | { readonly hears: string }
  | { readonly status: readonly number[] }
  | { readonly closeCode: number }
  | { readonly ends: number }

/** A request that is fine, but for its target and for what comes in more headers. */
export function requestOf(
  { method, headers }: Entrance,
  target: string,
  more: readonly string[] = [],
): string {
  return `${[`${method} ${target} HTTP/1.1`, 'Host: test', ...headers, ...more].join('\r\n')}\r\n\r\n`
}

/** How a frame differs from what a client should send. */
export interface FrameOptions {
  readonly fin?: boolean
  readonly masked?: boolean
  /** The three reserved bits: 4 says "compressed". */
  readonly rsv?: number
  /** The length that the head announces, where that is not the truth. */
  readonly announced?: bigint
}

/** A frame of WebSocket as a client sends it: masked, here with zeros, which leaves the payload readable. */
export function clientFrame(
  opcode: number,
  payload = '',
  { fin = true, masked = true, rsv = 0, announced = BigInt(payload.length) }: FrameOptions = {},
): string {
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const mask = masked ? 0x80 : 0
  const bytes = announced < 126n ? 0 : announced < 65_536n ? 2 : 8
  head.push(mask | (bytes === 0 ? Number(announced) : bytes === 2 ? 126 : 127))
  for (let at = bytes - 1; at >= 0; at -= 1) head.push(Number((announced >> BigInt(at * 8)) & 0xffn))
  return String.fromCharCode(...head) + (masked ? '\0\0\0\0' : '') + payload
}
