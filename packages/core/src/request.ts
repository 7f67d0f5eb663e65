import type { Remote } from './transport.ts'

/**
 * The URL that a request asked for, from its target and its `Host`. `undefined` when they make none: the request is
 * refused.
 */
export function requestUrl(target: string | undefined, host: string | undefined): URL | undefined {
  // Only the origin form: `http://elsewhere/live` or `*` name no path of this server.
  if (target === undefined || !target.startsWith('/')) return undefined
  // A name or an address and a port: anything else in a `Host` would leak into the path, the query or a password.
  if (host !== undefined && !/^(?:[^\s:/?#@\\[\]]+|\[[0-9a-f:.]+\])(?::[0-9]+)?$/i.test(host))
    return undefined
  try {
    return new URL(`http://${host ?? 'localhost'}${target}`)
  } catch {
    return undefined
  }
}

/** A request's headers as the web has them, from what Node's http and http2 hand over. */
export function requestHeaders(given: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given)) {
    // HTTP/2's pseudo-headers, such as `:path`, are no headers.
    if (value === undefined || name.startsWith(':')) continue
    for (const item of typeof value === 'string' ? [value] : value) headers.append(name, item)
  }
  return headers
}

/** The other end of a request's socket. `undefined` once it is gone. */
export function remoteOf(socket: {
  remoteAddress?: string | undefined
  remotePort?: number | undefined
}): Remote | undefined {
  const { remoteAddress: address, remotePort: port } = socket
  return address === undefined || port === undefined ? undefined : { address, port }
}

/**
 * How long a `Retry-After` asks to wait, in milliseconds; `undefined` where it asks for nothing. It is a number of seconds or
 * a date.
 *
 * @param nowMs - the time, as `Date.now` tells it.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfterMs(value: string | null | undefined, nowMs: number): number | undefined {
  if (value === null || value === undefined) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : dateMs(value) - nowMs
  return ms > 0 ? ms : undefined
}

// biome-ignore lint/style/noRestrictedGlobals: to parse a date is to read no clock
const dateMs = Date.parse
