import { byteLength, maxIdBytes } from './message.ts'
import { tokenOf, withoutToken } from './token.ts'
import type { Arrival, Refusal, Remote } from './transport.ts'

/** Longest target of a request: its path and query, in bytes. */
export const maxTargetBytes = 8192

/** Longest `Host` of a request, in characters: DNS has no longer name, and a port has five digits. */
const maxHostLength = 260

/** Most parameters of a query, and with them most channels of one peer. */
export const maxParameters = 1000

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
  // An engine takes the square of a host's length to find out what it is called in ASCII.
  if (host !== undefined && host.length > maxHostLength) return false
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

/** As much of Node's request, of http and of http2, as is looked at before it is answered. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[]
  readonly socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined }
}

/** The host and port that were asked for. HTTP/2 has a word of its own for them. */
export function authorityOf(headers: NodeRequest['headers']): string | undefined {
  return (headers[':authority'] ?? headers['host']) as string | undefined
}

/** Whether a body comes behind the headers. One of no length is none. */
export function hasBody(headers: NodeRequest['headers']): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0)
}

/**
 * What is wrong with a request's form, whatever it is for. Node lets all of this through, most of it on an upgrade only, and
 * picks one meaning where another server on the way may have picked the other. Nobody's browser and no honest client sends
 * any of it.
 *
 * @returns the refusal; `undefined` where the request is well formed.
 */
export function malformed({ url = '', method = '', headers, rawHeaders }: NodeRequest): Refusal | undefined {
  const seen = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase()
    if (!single.has(name)) continue
    if (seen.has(name)) return { status: 400, reason: `the header ${name} may come once, and came twice` }
    seen.add(name)
  }
  const { host, ':authority': authority = host } = headers
  if (authority === undefined) return { status: 400, reason: 'the request has no Host' }
  if (host !== undefined && host !== authority) {
    return { status: 400, reason: 'the request names one host in :authority and another in Host' }
  }
  if (!url.startsWith('/')) return { status: 400, reason: 'the target must be a path, which starts with "/"' }
  if (bodiless.has(method) && hasBody(headers)) {
    return { status: 400, reason: `a body came with ${method}, which has none` }
  }
  return undefined
}

/** Headers that decide something here, and of which Node keeps the first or joins all. */
const single = new Set([
  'authorization',
  'content-length',
  'content-type',
  'host',
  'last-event-id',
  'origin',
  'sec-fetch-site',
  'sec-websocket-key',
  'sec-websocket-version',
  'transfer-encoding',
])

/** Where a body has no meaning, its bytes are somebody's try to have them read as another request, or as frames. */
const bodiless = new Set(['GET', 'HEAD', 'OPTIONS'])

/** @returns the refusal of a well-formed request that asks for too much. A client of ours may learn it as a close. */
export function oversized({ url = '' }: NodeRequest): Refusal | undefined {
  if (url.length > maxTargetBytes) {
    return {
      status: 414,
      reason: `a URL's path and query are at most ${maxTargetBytes} bytes, not ${url.length}`,
    }
  }
  // A shorter one cannot have as many.
  if (url.length > maxParameters && url.split('&').length > maxParameters) {
    return { status: 400, reason: `a URL has at most ${maxParameters} parameters` }
  }
  return undefined
}

/**
 * A request of Node's http or http2 as an arrival. Its URL and headers are made, and the system is asked for the other end,
 * when somebody wants to know: a server has thousands that nobody looks at again.
 *
 * A position over 128 bytes or with control characters in it becomes U+FFFD, which no server gives.
 *
 * @param lastEventId - the position that a header names; it wins over the one in the query.
 * @returns `undefined` when its target and `Host` make no URL: see {@link requestUrl}.
 */
export function requestArrival(
  { url: target = '', headers, socket }: NodeRequest,
  lastEventId?: string,
): RequestArrival | undefined {
  return makesUrl(target, authorityOf(headers))
    ? new LazyArrival(target, headers, socket, lastEventId)
    : undefined
}

/** The arrival of a request of Node's. */
export interface RequestArrival extends Arrival {
  /** Keeps what the request's headers say as one text: for who lets go of the request, and lives for long. */
  compact(): void
}

/**
 * A position that may have been given, as it came. What cannot have been is never the empty one, by which the client would lose
 * messages and not hear of it: it is one that no server gives, and becomes a gap.
 */
function legibleId(id: string): string {
  return byteLength(id) <= maxIdBytes && !controls.test(id) ? id : '\ufffd'
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\x00-\x1f\x7f]/

const offers = 'sec-websocket-protocol'

class LazyArrival implements Arrival {
  readonly channels: readonly string[]
  readonly lastEventId: string
  readonly #target: string
  /** As Node has them, or as one text. */
  #headers: NodeRequest['headers'] | string
  readonly #socket: NodeRequest['socket']

  constructor(
    target: string,
    headers: NodeRequest['headers'],
    socket: NodeRequest['socket'],
    lastEventId: string | undefined,
  ) {
    this.#target = target
    this.#headers = headers
    this.#socket = socket
    const asked = askedBy(target)
    this.channels = asked.channels
    this.lastEventId = lastEventId === undefined ? asked.lastEventId : legibleId(lastEventId)
  }

  compact(): void {
    this.#headers = asText(givenBy(this.#headers))
  }

  get url(): URL {
    return toUrl(this.#target, authorityOf(givenBy(this.#headers)))
  }
  get headers(): Headers {
    const headers = requestHeaders(givenBy(this.#headers))
    const offered = headers.get(offers)
    if (offered === null) return headers
    const shown = withoutToken(offered)
    if (shown === undefined) headers.delete(offers)
    else if (shown !== offered) headers.set(offers, shown)
    return headers
  }
  get token(): string | undefined {
    const { authorization, [offers]: offered } = givenBy(this.#headers)
    return tokenOf(authorization as string | undefined, offered as string | undefined)
  }
  get remote(): Remote | undefined {
    return remoteOf(this.#socket)
  }
}

/** Names and values by turns, a line each: no header holds a line's end. In two thirds of what they take as an object. */
function asText(headers: NodeRequest['headers']): string {
  const lines: string[] = []
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') lines.push(name, value)
    else for (const item of value ?? []) lines.push(name, item)
  }
  // Joined once: what is added up bit by bit stays a tree of bits.
  return lines.join('\n')
}

function givenBy(headers: NodeRequest['headers'] | string): NodeRequest['headers'] {
  if (typeof headers !== 'string') return headers
  // Without what every object has: a header may be named like it.
  const given: Record<string, string | string[]> = Object.create(null)
  const lines = headers.split('\n')
  for (let at = 0; at < lines.length; at += 2) {
    const [name = '', value = ''] = lines.slice(at, at + 2)
    const others = given[name]
    given[name] = others === undefined ? value : [others, value].flat()
  }
  return given
}

/** What a query asks for. */
interface Asked {
  readonly query: string
  /** Frozen: all who ask the same share it. */
  readonly channels: readonly string[]
  readonly lastEventId: string
}

function askedBy(target: string): Asked {
  const query = queryOf(target)
  // Most who come for the first time ask the same, and to read a query costs as much as to look at all of the headers.
  if (query !== lastAsked.query) lastAsked = readQuery(query)
  return lastAsked
}

function queryOf(target: string): string {
  // No client of ours sends a fragment, but a URL may have one.
  const end = target.indexOf('#')
  const asked = end === -1 ? target : target.slice(0, end)
  const start = asked.indexOf('?')
  return start === -1 ? '' : asked.slice(start + 1)
}

function readQuery(query: string): Asked {
  const parameters = new URLSearchParams(query)
  const channels = Object.freeze([...new Set(parameters.getAll('channel'))])
  return { query, channels, lastEventId: legibleId(parameters.get('lastEventId') ?? '') }
}

let lastAsked: Asked = { query: '', channels: Object.freeze([]), lastEventId: '' }

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
