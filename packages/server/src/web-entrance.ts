import {
  malformed,
  type NodeRequest,
  type OptionNames,
  oversized,
  type Refusal,
  type Remote,
  webRequest,
} from '@eitherway/core'
import { createLinks, isTwoWay, linkHeader, seqHeader } from '@eitherway/post/links'
import { createResponder, refusalResponse } from '@eitherway/sse/web'
import { createUpgrader, isUpgrade, type Upgrade } from '@eitherway/ws/web'
import { type Answer, createGate, type GateOptions, gateNames } from './gate.ts'
import type { EntranceHub } from './hub.ts'
import { purposeOf } from './purpose.ts'
import { createSources } from './source.ts'

/** Settings of whatever answers a `Request`. */
export interface EntranceOptions extends GateOptions {
  /** Largest message that a client may send, in bytes; beyond it the peer is closed (1009). @defaultValue 1 MiB */
  readonly maxMessageBytes?: number
}

/** @internal */
export const entranceNames: OptionNames<EntranceOptions> = { ...gateNames, maxMessageBytes: true }

/** Makes the WebSocket that was agreed on. @returns the answer of the handshake; `undefined` where the runtime gives it. */
export type Shake = (upgrade: Upgrade) => Response | undefined

/** All transports, for requests as the web has them. @internal */
export type Entrance = (
  request: Request,
  info: object | null | undefined,
  shake: Shake | undefined,
) => Promise<Response | undefined>

/** @throws TypeError for a setting that is none. @internal */
export function createEntrance(hub: EntranceHub, options: EntranceOptions): Entrance {
  const { maxMessageBytes } = options
  const gate = createGate(options)
  const onRefused = (refusal: Refusal) => hub.refused(refusal)
  const settings = { gate: gate.check, onRefused }
  const bounded = maxMessageBytes === undefined ? settings : { ...settings, maxMessageBytes }
  const sources = createSources(hub.admit)
  const respond = createResponder(sources.admit, settings)
  const agree = createUpgrader(sources.admit, bounded)
  const links = createLinks({ ...bounded, relay: hub.relay, onError: hub.tell })

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
  async function answerTo(
    request: Request,
    info: object | null | undefined,
    asked: NodeRequest,
  ): Promise<Response> {
    const answer = new WebAnswer()
    const refuse = (refusal: Refusal) => {
      onRefused(refusal)
      return answer.onto(refusalResponse(refusal))
    }
    const purpose = purposeOf(asked, answer, gate)
    if (typeof purpose === 'object') return refuse(purpose)
    if (purpose === 'answered') return answer.onto(new Response(null, { status: answer.status }))
    if (purpose === 'post') {
      const improper = malformed(asked) ?? gate.check(asked) ?? oversized(asked)
      const taken = improper ?? (await post(asked, request.body))
      return taken instanceof Response ? answer.onto(taken) : refuse(taken)
    }
    const signal = tellsCompletion(info) ? undefined : request.signal
    const response = await sources.during(info ?? request, () => stream(asked, signal, answer))
    return answer.onto(response)
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
  timeout?(request: Request, seconds: number): void
  /** Hono on Node. */
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string; readonly remotePort?: number } }
  readonly outgoing?: { readonly socket?: object | null }
  /** Hono's context: what its runtime handed over. */
  readonly env?: Info | null
  readonly server?: Info | null
}

/** What was handed over, and what that holds. */
export function layersOf(info: Info | null | undefined): readonly Info[] {
  return info === undefined || info === null ? [] : [info, ...layersOf(info.env ?? info.server)]
}

/** On Node, behind another answer on one connection: it would never begin, and nobody would say that its client is gone. */
function isBehindAnother(info: Info | null | undefined): boolean {
  return layersOf(info).some(({ outgoing }) => outgoing?.socket === null)
}

const behindAnother: Refusal = {
  status: 503,
  reason: 'a stream cannot wait behind another answer on one connection',
}

/** Deno, which cancels a body that nobody reads any more, and warns whoever looks at the signal of its requests. */
function tellsCompletion(info: Info | null | undefined): boolean {
  return layersOf(info).some(({ completed }) => completed !== undefined)
}

function remoteOf(request: Request, info: Info | null | undefined): Remote | undefined {
  for (const layer of layersOf(info)) {
    const { hostname, port } = layer.remoteAddr ?? {}
    if (hostname !== undefined && port !== undefined) return { address: hostname, port }
    const ip = layer.requestIP?.(request)
    if (ip !== undefined && ip !== null) return { address: ip.address, port: ip.port }
    const { remoteAddress, remotePort } = layer.incoming?.socket ?? {}
    if (remoteAddress !== undefined && remotePort !== undefined) {
      return { address: remoteAddress, port: remotePort }
    }
  }
  return undefined
}
