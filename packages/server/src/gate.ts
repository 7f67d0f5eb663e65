import {
  authorityOf,
  type Gate,
  isSameOrigin,
  type NodeRequest,
  type OptionNames,
  show,
} from '@eitherway/core'
import { isIPv6 } from './internet.ts'

/** Which hosts are served, and whose pages. */
export interface GateOptions {
  /**
   * The hosts under which this server is known, e.g. `['localhost', '[::1]', 'app.example:8443']`; without a port, any port. A
   * request for another is refused (421). Set it where the server can be reached from a browser's own network: a page may have
   * its own name point there, and is of one origin with the server then (DNS rebinding).
   *
   * @defaultValue any
   */
  readonly hosts?: readonly string[]
  /**
   * The origins whose pages may connect, beside those of the server itself, spelled as a browser does: `https://app.example`.
   * `'*'` lets any page in; then nothing that a browser adds by itself, such as a cookie, may let anybody in.
   *
   * @defaultValue none: a page of another origin is refused (403)
   */
  readonly origins?: '*' | readonly string[]
  /** Whether pages of `origins` may send cookies with SSE, and read what comes of it. @defaultValue false */
  readonly credentials?: boolean
  /** Headers that pages of `origins` may send beside `Authorization`, `Content-Type`, `Last-Event-ID` and our own. @defaultValue none */
  readonly allowedHeaders?: readonly string[]
}

/** @internal */
export const gateNames: OptionNames<GateOptions> = {
  hosts: true,
  origins: true,
  credentials: true,
  allowedHeaders: true,
}

/** As much of Node's response, of http and of http2, as the gate says something in. */
export interface Answer {
  hasHeader(name: string): boolean
  getHeader(name: string): number | string | string[] | undefined
  setHeader(name: string, value: string | number): unknown
  writeHead(status: number): unknown
  end(): unknown
}

/** The one gate of a path: stream, upgrade, preflight and whatever else is asked there. */
export interface PathGate {
  /** Refuses what is for another host or comes from a page that may not. Its requests are well formed: see `malformed`. */
  readonly check: Gate
  /** Lets a page of an allowed origin read the answer, whatever that will be. What was set before is kept. */
  share(request: NodeRequest, response: Answer): void
  /** Answers, where this is a browser that asks leave for a page that the gate lets in. @returns whether it was. */
  answerPreflight(request: NodeRequest, response: Answer): boolean
}

/** @throws TypeError when a host or an origin is none, or is spelled as no browser spells it. */
export function createGate(options: GateOptions): PathGate {
  const { origins = [], credentials = false, allowedHeaders = [] } = options
  const hosts = options.hosts === undefined ? undefined : new Set([options.hosts].flat().map(checkHost))
  const listed = new Set(origins === '*' ? [] : [origins].flat().map(checkOrigin))
  if (origins === '*' && credentials) {
    throw new TypeError('`credentials` cannot go with `origins: "*"`; list the origins that may send cookies')
  }
  const headers = [
    'Authorization',
    'Content-Type',
    'Eitherway-Link',
    'Eitherway-Seq',
    'Last-Event-ID',
    ...[allowedHeaders].flat().map(checkHeader),
  ]

  const isListed = (origin: string) => origins === '*' || listed.has(origin)

  function check(request: NodeRequest) {
    if (hosts !== undefined && !isServed(authorityOf(request.headers) as string, hosts)) {
      return { status: 421, reason: 'this host is not served here; `hosts` lists those that are' }
    }
    const origin = request.headers['origin'] as string | undefined
    if (isOwn(request, origin) || (origin === undefined ? origins === '*' : isListed(origin)))
      return undefined
    const who = origin === undefined ? 'another origin' : show(origin)
    return {
      status: 403,
      reason: `pages of ${who} may not connect; \`origins\` lists those that may, and a proxy has to pass Host on`,
    }
  }

  function share(request: NodeRequest, response: Answer): void {
    // A middleware of the application's has done it.
    if (response.hasHeader('Access-Control-Allow-Origin')) return
    // Where all pages, or none, are let in, there is one answer for all of them that get one.
    if (listed.size > 0) vary(response, 'Origin')
    const origin = request.headers['origin'] as string | undefined
    if (origin === undefined || !isListed(origin)) return
    response.setHeader('Access-Control-Allow-Origin', origins === '*' ? '*' : origin)
    response.setHeader('Access-Control-Expose-Headers', 'Eitherway-Link, Retry-After')
    if (credentials) response.setHeader('Access-Control-Allow-Credentials', 'true')
  }

  function answerPreflight(request: NodeRequest, response: Answer): boolean {
    const { method, headers: asked } = request
    if (method !== 'OPTIONS' || asked['origin'] === undefined) return false
    if (asked['access-control-request-method'] === undefined) return false
    response.setHeader('Access-Control-Allow-Methods', 'GET, POST')
    response.setHeader('Access-Control-Allow-Headers', headers.join(', '))
    response.setHeader('Access-Control-Max-Age', maxAgeSeconds)
    response.writeHead(204)
    response.end()
    return true
  }

  return { check, share, answerPreflight }
}

/** As long as Chromium remembers it at most. */
const maxAgeSeconds = 7200

/**
 * Whether a page of ours asks, or no page at all.
 *
 * What the browser says of itself counts first: it knows the scheme, and no proxy has rewritten it. Chromium does not say it with a
 * WebSocket, and no browser does over plain HTTP: there the origin has to be that of the host.
 */
function isOwn(request: NodeRequest, origin: string | undefined): boolean {
  const site = request.headers['sec-fetch-site']
  if (site === 'same-origin') return true
  if (site !== undefined && site !== 'none') return false
  if (origin === undefined) return true
  const { encrypted = false } = request.socket as { encrypted?: boolean }
  return isSameOrigin(origin, authorityOf(request.headers) as string, encrypted)
}

/** A host without a port is one of either scheme's own. */
function isServed(host: string, hosts: ReadonlySet<string>): boolean {
  const asked = host.toLowerCase()
  if (hosts.has(asked)) return true
  const name = asked.replace(/:\d+$/, '')
  return name === asked ? hosts.has(`${name}:443`) || hosts.has(`${name}:80`) : hosts.has(name)
}

function checkHost(host: string): string {
  const [, name = '', port = ''] = /^(\[[0-9a-f:.]+\]|[^\s:/?#@*\\[\]]+)(:[1-9]\d*)?$/i.exec(host) ?? []
  const known = name !== '' && URL.canParse(`http://${name}${port}`) ? new URL(`http://${name}`).hostname : ''
  if (name !== '' && name === known) return host
  const advice = known !== '' ? spelled(known + port) : isIPv6(host) ? `; write "[${host}]"` : ''
  throw new TypeError(
    `\`hosts\` must hold whole names or addresses, with or without a port, got ${show(host)}${advice}`,
  )
}

function checkOrigin(origin: string): string {
  const { protocol, origin: known } = URL.canParse(origin) ? new URL(origin) : { protocol: '', origin: '' }
  const isWeb = protocol === 'http:' || protocol === 'https:'
  if (origin === 'null' || (isWeb && known === origin && !origin.includes('*'))) return origin
  // Of an application's own scheme, as in `capacitor://localhost`, no other spelling is known.
  if (known === 'null' && /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*,\\]*$/.test(origin)) return origin
  const advice = isWeb && known !== origin ? spelled(known) : ''
  throw new TypeError(
    `\`origins\` must hold whole origins such as "https://app.example", or be "*", got ${show(origin)}${advice}`,
  )
}

const spelled = (right: string): string => `; a browser spells it ${show(right)}`

function checkHeader(name: string): string {
  if (/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name)) return name
  throw new TypeError(`\`allowedHeaders\` must hold names of headers, got ${show(name)}`)
}

function vary(response: Answer, name: string): void {
  const given = [response.getHeader('Vary') ?? []].flat().join(', ')
  const names = given.split(',').map((each) => each.trim().toLowerCase())
  if (names.includes('*') || names.includes(name.toLowerCase())) return
  response.setHeader('Vary', given === '' ? name : `${given}, ${name}`)
}
