import type { Arrival, Remote } from './transport.ts'

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

/** As much of Node's request as an arrival is made of. */
export interface NodeRequest {
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined }
}

/**
 * A request of Node's http or http2 as an arrival, whose URL and headers are made when they are asked for: a server has
 * thousands that nobody looks at again, and each costs more than the connection.
 *
 * @returns `undefined` when its target and `Host` make no URL: see {@link requestUrl}.
 */
export function requestArrival(
  { url: target = '', headers, socket }: NodeRequest,
  lastEventIdOf: (url: URL) => string,
): Arrival | undefined {
  const name = headers[':authority']
  const host = typeof name === 'string' ? name : (headers['host'] as string | undefined)
  const url = requestUrl(target, host)
  if (url === undefined) return undefined
  return new LazyArrival(target, host, headers, remoteOf(socket), lastEventIdOf(url))
}

class LazyArrival implements Arrival {
  readonly remote: Remote | undefined
  readonly lastEventId: string
  readonly #target: string
  readonly #host: string | undefined
  readonly #headers: NodeRequest['headers']

  constructor(
    target: string,
    host: string | undefined,
    headers: NodeRequest['headers'],
    remote: Remote | undefined,
    lastEventId: string,
  ) {
    this.#target = target
    this.#host = host
    this.#headers = headers
    this.remote = remote
    this.lastEventId = lastEventId
  }

  get url(): URL {
    // It was one when the request came.
    return requestUrl(this.#target, this.#host) as URL
  }
  get headers(): Headers {
    return requestHeaders(this.#headers)
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
