import { kind } from './message.ts'

/** Longest token, in characters: with the rest of a request's headers it must fit what servers take, 16 KiB in Node. */
export const maxTokenLength = 8192

/** What every wire carries as it is: visible ASCII. A little more than RFC 6750 has, and no space. */
const legible = /^[\x21-\x7e]+$/

/**
 * Checks a token that a client is to show. No message of it holds the token, or any part of it.
 *
 * @throws TypeError when it is no text of 1 to 8192 visible ASCII characters, without a space.
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 */
export function checkToken(token: string): void {
  if (typeof token !== 'string') {
    throw new TypeError(`a token must be a string, or undefined for none, got ${kind(token)}`)
  }
  if (token.length > maxTokenLength) {
    throw new TypeError(`a token must be at most ${maxTokenLength} characters, got ${token.length}`)
  }
  if (legible.test(token)) return
  const problem =
    token === '' ? 'is empty; give undefined for none' : `has another at ${token.search(/[^\x21-\x7e]/)}`
  throw new TypeError(
    `a token must be visible ASCII without a space, and this one ${problem}; encode it, as Base64 say`,
  )
}

/** Before the token, in Base64url without padding, in the subprotocols that a WebSocket offers. */
const bearer = 'bearer.'

/** The subprotocol that carries a token where a WebSocket has no headers. It is only offered: a server never selects it. */
export function tokenProtocol(token: string): string {
  checkToken(token)
  return bearer + btoa(token).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** The token that a request shows: by its `Authorization`, or else by the subprotocols that it offers. */
export function tokenOf(authorization: string | undefined, offered: string | undefined): string | undefined {
  const [, shown] = /^bearer +([\x21-\x7e]+)$/i.exec(authorization?.trim() ?? '') ?? []
  if (shown !== undefined || offered === undefined) return shown
  const tokens = protocolsOf(offered).filter(isToken)
  const [only = ''] = tokens
  // Of two nobody can say which one counts.
  return tokens.length === 1 ? fromBase64Url(only.slice(bearer.length)) : undefined
}

/** The subprotocols without any that carries a token: what may be shown and logged. `undefined` where none is left. */
export function withoutToken(offered: string): string | undefined {
  if (!offered.includes(bearer)) return offered
  return (
    protocolsOf(offered)
      .filter((name) => !isToken(name))
      .join(', ') || undefined
  )
}

const protocolsOf = (offered: string) => offered.split(',').map((name) => name.trim())
const isToken = (name: string) => name.startsWith(bearer)

function fromBase64Url(encoded: string): string | undefined {
  if (!/^[\w-]+$/.test(encoded) || encoded.length % 4 === 1) return undefined
  const token = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
  return legible.test(token) ? token : undefined
}
