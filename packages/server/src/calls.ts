import {
  type Agreement,
  byteLength,
  type Call,
  callMessage,
  checkFunction,
  checkRequestName,
  closeCode,
  failureData,
  kind,
  type Message,
  RequestError,
  show,
} from '@eitherway/core'
import { ContractError } from '@eitherway/core/contract'
import type { HubSettings } from './options.ts'
import { type HubPeer, highWaterBytes, type Peer } from './peer.ts'

/** Who asks, and for how long. */
export interface Requested<Context = undefined, A extends Agreement | undefined = undefined> {
  readonly peer: Peer<Context, A>
  /** Aborts when the client wants the answer no longer, or has left: give it to whatever works for this request. */
  readonly signal: AbortSignal
}

/**
 * Answers the requests of one name: what it returns is the reply, `undefined` crosses as null. What it throws is the failure: a
 * {@link RequestError} crosses whole, of any other error nothing does, and `onError` is told it.
 */
export type RequestHandler<
  Context = undefined,
  T = unknown,
  R = unknown,
  A extends Agreement | undefined = undefined,
> = (data: T, requested: Requested<Context, A>) => R

/** A request that was read, its data decoded. */
export interface Request {
  readonly number: number
  readonly name: string
  readonly data: unknown
  /** What it costs while it waits. */
  readonly bytes: number
}

/** What is done with the requests of all peers. */
export interface CallsOptions {
  readonly settings: Pick<HubSettings, 'format' | 'check' | 'maxMessageBytes' | 'maxConcurrentRequests'>
  readonly onRequest: () => void
  readonly onFailure: () => void
  /** Hears of what should not happen. */
  readonly tell: (error: unknown) => void
}

/** The requests that a hub answers. */
export interface Calls<Context> {
  /** @throws TypeError for a name that is none, or has a handler already. @returns its undo. */
  on(name: string, handler: RequestHandler<Context>): () => void
  /** A peer asks. @returns what to wait for before it is read on. */
  take(peer: HubPeer<Context>, request: Request): Promise<void> | undefined
  /** It wants the answer no longer. */
  abort(peer: HubPeer<Context>, number: number): void
}

/** The requests of one peer. */
interface Line {
  readonly running: Map<number, AbortController>
  /** In order, for a place among those that run. */
  waiting: Request[]
  waitingBytes: number
  /** Lets what is read of the peer go on. */
  resume: (() => void) | undefined
}

/** Makes the requests of a hub, which has no handler yet. @internal */
export function createCalls<Context>({
  settings: { format, check, maxMessageBytes, maxConcurrentRequests },
  onRequest,
  onFailure,
  tell,
}: CallsOptions): Calls<Context> {
  const handlers = new Map<string, RequestHandler<Context>>()
  /** Beside the peers, most of which never ask. */
  const lines = new WeakMap<HubPeer<Context>, Line>()

  function lineOf(peer: HubPeer<Context>): Line {
    const known = lines.get(peer)
    if (known !== undefined) return known
    const line: Line = { running: new Map(), waiting: [], waitingBytes: 0, resume: undefined }
    lines.set(peer, line)
    peer.signal.addEventListener('abort', () => {
      line.waiting = []
      line.waitingBytes = 0
      for (const abort of line.running.values()) abort.abort()
      line.resume?.()
    })
    return line
  }

  async function run(peer: HubPeer<Context>, line: Line, request: Request): Promise<void> {
    const abort = new AbortController()
    line.running.set(request.number, abort)
    const answer = await answerTo(request, { peer, signal: abort.signal })
    // It keeps its place until there is room for another, so that who does not read what it asked for asks no more.
    if (!abort.signal.aborted) await peer.answer(answer)
    line.running.delete(request.number)
    const next = line.waiting.shift()
    if (next === undefined) return
    start(peer, line, next)
    relieve(line, next)
  }

  /** One waits no longer. */
  function relieve(line: Line, { bytes }: Request): void {
    line.waitingBytes -= bytes
    if (line.waitingBytes <= highWaterBytes) line.resume?.()
  }

  function start(peer: HubPeer<Context>, line: Line, request: Request): void {
    run(peer, line, request).catch(tell)
  }

  async function answerTo({ number, name, data }: Request, requested: Requested<Context>): Promise<Message> {
    const handler = handlers.get(name)
    try {
      if (handler === undefined) {
        throw new RequestError(`nobody answers requests of the name ${show(name)}`, { code: 'unknown' })
      }
      const agreed = check === undefined ? data : await check('input', name, data)
      const value = await handler(agreed, requested)
      return callMessage({ type: 'reply', number, data: encode(name, value === undefined ? null : value) })
    } catch (error) {
      onFailure()
      return callMessage({ type: 'failure', number, data: failureFor(error, requested.signal) })
    }
  }

  function encode(name: string, value: unknown): Message['data'] {
    const encoded = format.encode(value)
    if (typeof encoded !== 'string' && !(encoded instanceof Uint8Array)) {
      throw new TypeError(`the format made ${kind(encoded)} of the reply to ${show(name)}`)
    }
    const size = byteLength(encoded)
    if (size <= maxMessageBytes) return encoded
    throw new TypeError(
      `the reply to ${show(name)} has ${size} bytes and is over the hub's \`maxMessageBytes\` of ${maxMessageBytes}`,
    )
  }

  function failureFor(thrown: unknown, { aborted }: AbortSignal): string {
    const error = thrown instanceof ContractError ? invalid(thrown) : thrown
    if (error instanceof RequestError) {
      try {
        return checked(failureData(error))
      } catch (cause) {
        tell(new TypeError(`the \`data\` of a RequestError cannot cross: ${String(cause)}`, { cause: error }))
        return neutral
      }
    }
    // Work that was given the signal ends like this.
    if (!(aborted && (error as Error | undefined)?.name === 'AbortError')) tell(error)
    return neutral
  }

  function checked(data: string): string {
    const size = byteLength(data)
    if (size <= maxMessageBytes) return data
    throw new TypeError(`${size} bytes are over the hub's \`maxMessageBytes\` of ${maxMessageBytes}`)
  }

  return {
    on(name, handler) {
      checkRequestName(name)
      checkFunction('handler', handler)
      if (handlers.has(name)) {
        throw new TypeError(`requests of the name ${show(name)} have a handler, and an answer has one giver`)
      }
      handlers.set(name, handler)
      return () => {
        if (handlers.get(name) === handler) handlers.delete(name)
      }
    },
    take(peer, request) {
      // Nobody is left who would hear the answer.
      if (peer.hasEnded) return undefined
      const { number } = request
      const line = lineOf(peer)
      if (line.running.has(number) || line.waiting.some((other) => other.number === number)) {
        peer.close({
          code: closeCode.protocolError,
          reason: `two requests at once have the number ${number}`,
        })
        return undefined
      }
      onRequest()
      if (line.running.size < maxConcurrentRequests) {
        start(peer, line, request)
        return undefined
      }
      line.waiting.push(request)
      line.waitingBytes += request.bytes
      if (line.waitingBytes <= highWaterBytes) return undefined
      return new Promise((resolve) => {
        line.resume = resolve
      })
    },
    abort(peer, number) {
      const line = lines.get(peer)
      line?.running.get(number)?.abort()
      const at = line?.waiting.findIndex((request) => request.number === number) ?? -1
      if (line === undefined || at === -1) return
      for (const given of line.waiting.splice(at, 1)) relieve(line, given)
    },
  }
}

/** Whoever asked so is told what is wrong with it. */
const invalid = ({ message, issues }: ContractError) =>
  new RequestError(message, { code: 'invalid', data: { issues } })

/** What crosses of an error that was not meant to. */
const neutral = failureData(new RequestError('the request failed', { code: 'failed' }))

/** A request that came off the wire, and what it costs. @internal */
export function requestOf(call: Extract<Call, { type: 'request' }>, data: unknown): Request {
  const { number, name } = call
  return { number, name, data, bytes: byteLength(call.data) + name.length + 64 }
}
