import type { Arrival, Remote } from './transport.ts'

/**
 * The URL that a request asked for, from its target and its `Host`. `undefined` when they make none: the request is
 * refused.
 */
export function requestUrl(target: string | undefined, host: string | undefined): URL | undefined {
  return target !== undefined && makesUrl(target, host) ? toUrl(target, host) : undefined
}

/** Whether a request's target and its `Host` make a URL. */
function makesUrl(target: string, host: string | undefined): boolean {
  // Only the origin form: `http://elsewhere/live` or `*` name no path of this server.
  if (!target.startsWith('/')) return false
  // Nearly all requests name the same host, and to parse it costs more than all the rest of an arrival.
  if (host === lastHost) return true
  // A name or an address and a port: anything else in a `Host` would leak into the path, the query or a password.
  if (host !== undefined && !/^(?:[^\s:/?#@\\[\]]+|\[[0-9a-f:.]+\])(?::[0-9]+)?$/i.test(host)) return false
  // Whatever follows a host that makes a URL makes one: what cannot stand there is escaped.
  if (!URL.canParse(`http://${host ?? 'localhost'}/`)) return false
  lastHost = host
  return true
}

/** The last that was found to be one. */
let lastHost: string | undefined

const toUrl = (target: string, host: string | undefined) => new URL(`http://${host ?? 'localhost'}${target}`)

/** As much of Node's request as an arrival is made of. */
export interface NodeRequest {
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined }
}

/**
 * A request of Node's http or http2 as an arrival. Its URL and headers are made, and the system is asked for the other end,
 * when somebody wants to know: a server has thousands that nobody looks at again.
 *
 * @param lastEventId - the position that a header names; it wins over the one in the query.
 * @returns `undefined` when its target and `Host` make no URL: see {@link requestUrl}.
 */
export function requestArrival(
  { url: target = '', headers, socket }: NodeRequest,
  lastEventId?: string,
): Arrival | undefined {
  const name = headers[':authority']
  const host = typeof name === 'string' ? name : (headers['host'] as string | undefined)
  if (!makesUrl(target, host)) return undefined
  return new LazyArrival(target, host, headers, socket, lastEventId)
}

/** Shared by all that ask for none. */
const noChannels: readonly string[] = []

class LazyArrival implements Arrival {
  readonly channels: readonly string[]
  readonly lastEventId: string
  readonly #target: string
  readonly #host: string | undefined
  readonly #headers: NodeRequest['headers']
  readonly #socket: NodeRequest['socket']

  constructor(
    target: string,
    host: string | undefined,
    headers: NodeRequest['headers'],
    socket: NodeRequest['socket'],
    lastEventId: string | undefined,
  ) {
    this.#target = target
    this.#host = host
    this.#headers = headers
    this.#socket = socket
    const query = queryOf(target)
    const channels = query?.getAll('channel') ?? noChannels
    this.channels = channels.length < 2 ? channels : [...new Set(channels)]
    this.lastEventId = lastEventId ?? query?.get('lastEventId') ?? ''
  }

  get url(): URL {
    return toUrl(this.#target, this.#host)
  }
  get headers(): Headers {
    return requestHeaders(this.#headers)
  }
  get remote(): Remote | undefined {
    return remoteOf(this.#socket)
  }
}

function queryOf(target: string): URLSearchParams | undefined {
  // No client of ours sends a fragment, but a URL may have one.
  const [asked = ''] = target.split('#', 1)
  const start = asked.indexOf('?')
  return start === -1 ? undefined : new URLSearchParams(asked.slice(start + 1))
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

/** The other end of a request's socket. `undefined` once it is gone, unless somebody asked before: Node keeps the answer. */
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
