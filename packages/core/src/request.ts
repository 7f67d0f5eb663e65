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
