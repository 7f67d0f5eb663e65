import {
  malformed,
  type NodeRequest,
  oversized,
  type Refusal,
  type Remote,
  webRequest,
} from '@eitherway/core'
import { createLinks, isTwoWay, linkHeader, seqHeader } from '@eitherway/post/links'
import { createResponder, refusalResponse } from '@eitherway/sse/web'
import { createUpgrader, isUpgrade, type Upgrade } from '@eitherway/ws/web'
import { type Answer, createGate, type GateOptions } from './gate.ts'
import type { Hub } from './hub.ts'
import { createSources } from './source.ts'
import { misdirected } from './stream-request.ts'

/** Settings of whatever answers a `Request`. */
export interface EntranceOptions extends GateOptions {
  /** Largest message that a client may send, in bytes; beyond it the peer is closed (1009). @defaultValue 1 MiB */
  readonly maxMessageBytes?: number
}

/** Makes the WebSocket that was agreed on. @returns the answer of the handshake; `undefined` where the runtime gives it. */
export type Shake = (upgrade: Upgrade) => Response | undefined

/** All transports, for requests as the web has them. @internal */
export type Entrance = (
  request: Request,
  info: object | undefined,
  shake: Shake | undefined,
) => Promise<Response | undefined>

/** @throws TypeError for a setting that is none. @internal */
export function createEntrance(
  hub: Pick<Hub, 'admit' | 'refused'> & Partial<Pick<Hub, 'relay'>>,
  options: EntranceOptions,
): Entrance {
  const { maxMessageBytes } = options
  const gate = createGate(options)
  const onRefused = (refusal: Refusal) => hub.refused(refusal)
  const settings = { gate: gate.check, onRefused }
  const bounded = maxMessageBytes === undefined ? settings : { ...settings, maxMessageBytes }
  const sources = createSources(hub.admit)
  const respond = createResponder(sources.admit, settings)
  const agree = createUpgrader(sources.admit, bounded)
  const links = createLinks({ ...bounded, relay: hub.relay })

  /** A stream, the down half of a link both ways among them. */
  function stream(asked: NodeRequest, signal: AbortSignal | undefined, answer: WebAnswer): Promise<Response> {
    if (!isTwoWay(asked)) return respond(asked, signal)
    return respond(asked, signal, async (arrival) => {
      const admission = await sources.admit(arrival)
      if (typeof admission !== 'function') return admission
      const { key, accept } = await links.open(admission, headerOf(asked, 'Authorization'))
      answer.setHeader(linkHeader, key)
      return accept
    })
  }

  async function post(asked: NodeRequest, body: Request['body']): Promise<Response | Refusal> {
    const taken = await links.receive({
      key: headerOf(asked, linkHeader),
      seq: headerOf(asked, seqHeader),
      authorization: headerOf(asked, 'Authorization'),
      contentType: headerOf(asked, 'Content-Type'),
      contentEncoding: headerOf(asked, 'Content-Encoding'),
      contentLength: headerOf(asked, 'Content-Length'),
      body: chunksOf(body),
    })
    if ('status' in taken) return taken
    return Response.json({ seq: taken.seq }, { headers: { 'Cache-Control': 'no-store' } })
  }

  /** Whatever is no upgrade. */
  async function answerTo(request: Request, info: object | undefined, asked: NodeRequest): Promise<Response> {
    const answer = new WebAnswer()
    gate.share(asked, answer)
    const refuse = (refusal: Refusal) => {
      onRefused(refusal)
      return answer.onto(refusalResponse(refusal))
    }
    if (asked.method === 'GET') {
      // A stream passes the same gate.
      const refusal = isUpgrade(asked) ? withoutUpgrade : misdirected(asked)
      if (refusal !== undefined) return refuse(refusal)
      const signal = tellsCompletion(info) ? undefined : request.signal
      const response = await sources.during(info ?? request, () => stream(asked, signal, answer))
      return answer.onto(response)
    }
    const refusal = malformed(asked) ?? gate.check(asked)
    if (refusal !== undefined) return refuse(refusal)
    if (asked.method === 'POST') {
      const taken = oversized(asked) ?? (await post(asked, request.body))
      return taken instanceof Response ? answer.onto(taken) : refuse(taken)
    }
    if (gate.answerPreflight(asked, answer)) return answer.onto(new Response(null, { status: answer.status }))
    answer.setHeader('Allow', 'GET, POST')
    return refuse({
      status: 405,
      reason: `${asked.method} is not for this path; GET an event stream, or POST to its link`,
    })
  }

  return async (request, info, shake) => {
    const asked = webRequest(request, remoteOf(request, info))
    if (isBehindAnother(info)) {
      onRefused(behindAnother)
      return refusalResponse(behindAnother)
    }
    if (shake === undefined || !isUpgrade(asked)) return answerTo(request, info, asked)
    const agreed = await sources.during(info ?? request, () => agree(asked))
    return 'status' in agreed ? refuseUpgrade(agreed) : shake(agreed)
  }
}

function refuseUpgrade(refusal: Refusal): Response {
  const response = refusalResponse(refusal)
  if (refusal.status === 426) response.headers.set('Sec-WebSocket-Version', '13')
  return response
}

/** What is answered where the runtime makes no WebSocket of a request that asks for one. @internal */
export const noHandshake: Refusal = { status: 400, reason: 'this is no handshake of WebSocket' }

const headerOf = ({ headers }: NodeRequest, name: string) => headers[name.toLowerCase()] as string | undefined

/** By hand: some runtimes have no iteration of streams. */
async function* chunksOf(body: Request['body']): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done || value === undefined) return
    yield value
  }
}

const withoutUpgrade: Refusal = {
  status: 400,
  reason: 'there is no WebSocket at this path; GET an event stream',
}

/** What is said before there is an answer. */
class WebAnswer implements Answer {
  status = 200
  readonly #headers = new Headers()

  hasHeader(name: string): boolean {
    return this.#headers.has(name)
  }
  getHeader(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined
  }
  setHeader(name: string, value: string | number): void {
    this.#headers.set(name, String(value))
  }
  writeHead(status: number): void {
    this.status = status
  }
  end(): void {
    // It has no body.
  }

  onto(response: Response): Response {
    for (const [name, value] of this.#headers) response.headers.set(name, value)
    return response
  }
}

/** What runtimes and frameworks hand over beside a request. */
interface Info {
  /** Deno. */
  readonly remoteAddr?: { readonly hostname?: string; readonly port?: number }
  readonly completed?: unknown
  /** Bun: its server. */
  requestIP?(request: Request): { readonly address: string; readonly port: number } | null
  /** Hono on Node. */
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string; readonly remotePort?: number } }
  readonly outgoing?: { readonly socket?: object | null }
  /** Hono's context: what its runtime handed over. */
  readonly env?: Info
  readonly server?: Info
}

/** On Node, behind another answer on one connection: it would never begin, and nobody would say that its client is gone. */
function isBehindAnother(info: Info | undefined): boolean {
  return info !== undefined && (info.outgoing?.socket === null || isBehindAnother(info.env))
}

const behindAnother: Refusal = {
  status: 503,
  reason: 'a stream cannot wait behind another answer on one connection',
}

/** Deno, which cancels a body that nobody reads any more, and warns whoever looks at the signal of its requests. */
function tellsCompletion(info: Info | undefined): boolean {
  return info !== undefined && (info.completed !== undefined || tellsCompletion(info.env))
}

function remoteOf(request: Request, info: Info | undefined): Remote | undefined {
  if (info === undefined) return undefined
  const { hostname, port } = info.remoteAddr ?? {}
  if (hostname !== undefined && port !== undefined) return { address: hostname, port }
  const ip = info.requestIP?.(request)
  if (ip !== undefined && ip !== null) return { address: ip.address, port: ip.port }
  const { remoteAddress, remotePort } = info.incoming?.socket ?? {}
  if (remoteAddress !== undefined && remotePort !== undefined) {
    return { address: remoteAddress, port: remotePort }
  }
  return remoteOf(request, info.env ?? info.server)
}
