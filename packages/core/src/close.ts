import { byteLength, kind, show } from './message.ts'
import type { Refusal } from './transport.ts'

/**
 * Why a connection ended. The codes are those of WebSocket on every transport, so a reader of logs learns one table.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4
 */
export interface Close {
  readonly code: number
  /** For people and logs. What crosses the wire is at most 123 bytes of UTF-8, the room that a WebSocket close frame has. */
  readonly reason: string
}

/**
 * The codes that Eitherway gives a meaning. In the application's range the number alone says whether the client may come
 * back: 4000 to 4499 yes, 4500 to 4999 no.
 */
export const closeCode = {
  /** Done: nobody comes back. */
  normal: 1000,
  /** The server goes away, or the page was left. */
  goingAway: 1001,
  /** The other side broke the protocol. */
  protocolError: 1002,
  /** Never on the wire: the other side closed without a code. */
  noCode: 1005,
  /** Never on the wire: the link ended without a goodbye. */
  abnormal: 1006,
  /** A message was larger than the limit. */
  tooBig: 1009,
  /** The server failed. */
  serverError: 1011,
  /** The server restarts; come back after `retryMs`. */
  restart: 1012,
  /** The client's own word for a link that was silent for longer than `silenceMs`. */
  silent: 4000,
  /** The client's own word for a link that did not open in time. */
  connectTimeout: 4001,
  /** The peer read too slowly and was let go; it may come back and resume. */
  slowReader: 4008,
  /** What the client showed to be let in counts no longer; it may come back and show something new. */
  expired: 4010,
  /** The peer sent more than it may within a time; it may come back. */
  tooMany: 4029,
  /** The request made no sense (HTTP 400). */
  badRequest: 4500,
} as const

/** Whether a client may come back after this code: the one question that every code must answer. */
export function mayReturn(code: number): boolean {
  if (code >= 4000) return code < 4500
  return !final.has(code)
}

/** Codes below 4000 after which coming back would meet the same end. 3000 and 3003 are IANA's 401 and 403. */
const final = new Set([1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003])

/**
 * The close code that says what an HTTP status says, so that a refusal reads the same on every transport: 401 is 4501,
 * 404 is 4504 (final); 429 is 4029, 503 is 4103 (come back). 204 is 1000: the standard's way to tell an `EventSource`
 * to stop.
 */
export function closeCodeOfStatus(status: number): number {
  if (status === 204) return closeCode.normal
  if (status >= 500) return 4100 + (status - 500)
  if (status === 408 || status === 425 || status === 429) return 4000 + (status - 400)
  if (status >= 400) return 4500 + (status - 400)
  return closeCode.protocolError
}

/** The close that says what a refusal by HTTP status says. */
export function closeOfRefusal({ status, reason }: Refusal): Close {
  return { code: closeCodeOfStatus(status), reason: fitReason(reason) }
}

/**
 * Checks a close that an application asks for.
 *
 * @throws TypeError when the code may not be sent (RFC 6455 §7.4: 1000 to 1003, 1007 to 1014, 3000 to 4999) or the reason is no text of at
 * most 123 bytes.
 */
export function checkClose(close: Close): void {
  const { code, reason } = close
  const sendable =
    Number.isInteger(code) &&
    ((code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999))
  if (!sendable) {
    throw new TypeError(
      `a close's \`code\` must be 1000 to 1003, 1007 to 1014 or 3000 to 4999, got ${show(code)}`,
    )
  }
  if (typeof reason !== 'string')
    throw new TypeError(`a close's \`reason\` must be a string, got ${kind(reason)}`)
  if (byteLength(reason) > 123) {
    throw new TypeError(
      `a close's \`reason\` must be at most 123 bytes, got ${byteLength(reason)}: ${show(reason)}`,
    )
  }
}

/** Cuts a reason to the room of a close frame, never inside a character. */
export function fitReason(reason: string): string {
  if (byteLength(reason) <= 123) return reason
  const characters = [...reason]
  while (byteLength(characters.join('')) > 120) characters.pop()
  return `${characters.join('')}…`
}
