import { setTimeout } from 'node:timers/promises'
import { connect } from '@eitherway/client'
import { sse } from '@eitherway/sse/client'
import { type WebSocketLike, ws } from '@eitherway/ws/client'
import { EventSource, type EventSourceFetchInit, type FetchLikeResponse, type ReaderLike } from 'eventsource'
import { WebSocket as WebSocketOfPackage } from 'ws'

/** What a message carries, without anything of the wire around it. */
export type Data = string | Uint8Array

/** A connection to a server of the user's. It only listens. */
export interface Link {
  /** Fulfils once it is closed, as far as this side can know. */
  close(): Promise<void>
  readonly isOpen: boolean
  /** Whether it was closed from this side, because more came than {@link linkLimits} allow. */
  readonly isFull: boolean
}

/** What one connection may bring, so that no server fills this machine's memory. */
export const linkLimits: { readonly bytes: number; readonly messageBytes: number } = {
  bytes: 64 * 1024 * 1024,
  messageBytes: 4 * 1024 * 1024,
}

/**
 * Opens one, and fulfils when it is open.
 *
 * @throws Error (by rejection) when it does not come about.
 */
export type OpenLink = (
  onData: (data: Data) => void,
  signal: AbortSignal,
  /** Longest wait for it to open, in milliseconds. @defaultValue 5,000 */
  withinMs?: number,
) => Promise<Link>

const connectMs = 5000

/** How long a WebSocket server may take to answer a goodbye. */
const goodbyeMs = 1000

/** What the promise holds, or `undefined` after so many milliseconds. The process stays for as long. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const over = new AbortController()
  const end = setTimeout(ms, undefined, { signal: over.signal }).catch(() => undefined)
  try {
    return await Promise.race([promise, end])
  } finally {
    over.abort()
  }
}

/** How much a message counts. */
export function sizeOf(data: Data): number {
  return typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength
}

/** Lets data through until there was too much of it. */
class Allowance {
  isFull = false
  #left = linkLimits.bytes
  readonly #onFull: () => void

  constructor(onFull: () => void) {
    this.#onFull = onFull
  }

  /** @returns Whether so much more may come. */
  take(bytes: number): boolean {
    this.#left -= bytes
    if (this.#left >= 0) return true
    if (!this.isFull) {
      this.isFull = true
      this.#onFull()
    }
    return false
  }
}

/** Our client over SSE: any event stream will do. */
export function sseLink(url: URL): OpenLink {
  return (onData, signal, withinMs) => open(url, sse(), onData, signal, withinMs)
}

/** Our client over WebSocket. @param speech - `ours`: the subprotocol `eitherway.v1`; `plain`: none. */
export function wsLink(url: URL, speech: Speech): OpenLink {
  return (onData, signal, withinMs) =>
    open(url, ws({ plain: speech === 'plain', WebSocket: oursBounded }), onData, signal, withinMs)
}

async function open(
  url: URL,
  transport: ReturnType<typeof sse> | ReturnType<typeof ws>,
  onData: (data: Data) => void,
  signal: AbortSignal,
  withinMs: number = connectMs,
): Promise<Link> {
  const client = connect(url, {
    transport,
    format: 'text',
    reconnect: false,
    silenceMs: 0,
    connectMs: withinMs,
    signal,
    maxQueuedBytes: 16 * 1024 * 1024,
    maxMessageBytes: linkLimits.messageBytes,
    // Of a message that cannot be read the link ends, and that is seen.
    onError: () => undefined,
  })
  const allowance = new Allowance(() => void client.close())
  // By iteration: handlers hear one event each, and which events a server has is not known here.
  void (async () => {
    for await (const { data } of client) {
      if (allowance.take(sizeOf(data as Data))) onData(data as Data)
    }
  })()
  await new Promise<void>((resolve, reject) => {
    client.onState((state, reason) => {
      if (state === 'open') resolve()
      if (state === 'closed') reject(new Error(reason?.reason || `closed with ${reason?.code}`))
    })
    if (client.state === 'closed') reject(signal.reason as Error)
  })
  return {
    get isOpen() {
      return client.state === 'open'
    },
    get isFull() {
      return allowance.isFull
    },
    async close() {
      await within(goodbyeMs, client.close())
    },
  }
}

/** `EventSource` without our client. */
export function eventSourceLink(url: URL): OpenLink {
  return (onData, signal, withinMs) => {
    const allowance = new Allowance(() => source.close())
    const source = new HearsAll(url, onData, allowance)
    return opened(
      signal,
      withinMs,
      (resolve, reject) => {
        source.addEventListener('open', () => resolve())
        // It would come back by itself; here each link lives once.
        source.addEventListener('error', ({ message, code }) => {
          source.close()
          reject(new Error(message ?? `the server answered ${code}`))
        })
      },
      () => source.close(),
      {
        get isOpen() {
          return source.readyState === EventSource.OPEN
        },
        get isFull() {
          return allowance.isFull
        },
        async close() {
          source.close()
        },
      },
    )
  }
}

/** An `EventSource` gives an event to those only who know its name, and the names of a foreign server are not known. */
class HearsAll extends EventSource {
  readonly #onData: (data: string) => void
  readonly #allowance: Allowance

  constructor(url: URL, onData: (data: string) => void, allowance: Allowance) {
    super(url, { fetch: (from, init) => fetchBounded(from, init, allowance) })
    this.#onData = onData
    this.#allowance = allowance
  }

  override dispatchEvent(event: Event): boolean {
    // With a tilde begin the events of our protocol, which carry nothing of the server's own.
    const isMessage = 'data' in event && typeof event.data === 'string' && !event.type.startsWith('~')
    if (isMessage && !this.#allowance.isFull) this.#onData(event.data as string)
    return super.dispatchEvent(event)
  }
}

/** `fetch` for an `EventSource`, which by itself would wait for the end of an event for ever. */
async function fetchBounded(
  url: string | URL,
  init: EventSourceFetchInit,
  allowance: Allowance,
): Promise<FetchLikeResponse> {
  const response = await fetch(url, init as RequestInit)
  const { status, redirected, headers, body } = response
  if (body === null) return response
  let eventBytes = 0
  const getReader = (): ReaderLike => {
    const reader = body.getReader()
    return {
      cancel: () => reader.cancel(),
      async read() {
        const part = await reader.read()
        if (part.done) return { done: true }
        const end = endOfEvents(part.value)
        eventBytes = end === undefined ? eventBytes + part.value.byteLength : part.value.byteLength - end
        if (eventBytes <= linkLimits.messageBytes && allowance.take(part.value.byteLength)) return part
        await reader.cancel()
        throw new Error(
          allowance.isFull
            ? `more than ${linkLimits.bytes} bytes came`
            : `a message is over the limit of ${linkLimits.messageBytes} bytes`,
        )
      },
    }
  }
  return { url: response.url, status, redirected, headers, body: { getReader } }
}

/** Where the last event ends that ends in these bytes. An end that two chunks share is missed, and the next one is not. */
function endOfEvents({ buffer, byteOffset, byteLength }: Uint8Array): number | undefined {
  const bytes = Buffer.from(buffer, byteOffset, byteLength)
  const end = Math.max(...['\n\n', '\r\n\r\n', '\r\r'].map((blank) => bytes.lastIndexOf(blank)))
  return end === -1 ? undefined : end
}

type BoundedWebSocket = new (url: URL, protocols?: string[]) => WebSocketOfPackage

/** The class of the package `ws`, as a platform's has no limits that could be set. */
function bounded(perMessageDeflate: boolean): BoundedWebSocket {
  const options = { maxPayload: linkLimits.messageBytes + 4096, closeTimeout: goodbyeMs, perMessageDeflate }
  return class extends WebSocketOfPackage {
    constructor(url: URL, protocols: string[] = []) {
      super(url, protocols, options)
      // Each ping is answered, and who does not read the answers would have them pile up here.
      this.on('ping', () => {
        if (this.bufferedAmount > linkLimits.messageBytes) this.terminate()
      })
    }
  }
}

const oursBounded = bounded(false) as unknown as WebSocketLike
const BareWebSocket = bounded(true)

/** `WebSocket` without our client. */
export function webSocketLink(url: URL): OpenLink {
  return (onData, signal, withinMs) => {
    const socket = new BareWebSocket(url)
    socket.binaryType = 'arraybuffer'
    const allowance = new Allowance(() => socket.terminate())
    socket.addEventListener('message', ({ data }) => {
      const heard = typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer)
      if (allowance.take(sizeOf(heard))) onData(heard)
    })
    const closed = new Promise<void>((resolve) => socket.addEventListener('close', () => resolve()))
    return opened(
      signal,
      withinMs,
      (resolve, reject) => {
        socket.addEventListener('open', () => resolve())
        socket.addEventListener('error', ({ message }) => reject(new Error(message || 'the upgrade failed')))
      },
      () => socket.close(),
      {
        get isOpen() {
          return socket.readyState === WebSocketOfPackage.OPEN
        },
        get isFull() {
          return allowance.isFull
        },
        async close() {
          socket.close()
          await within(goodbyeMs, closed)
        },
      },
    )
  }
}

async function opened(
  signal: AbortSignal,
  withinMs: number = connectMs,
  listen: (resolve: () => void, reject: (error: Error) => void) => void,
  giveUp: () => void,
  link: Link,
): Promise<Link> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(withinMs)])
  let onAbort: () => void = () => undefined
  try {
    await new Promise<void>((resolve, reject) => {
      listen(resolve, reject)
      onAbort = () =>
        reject(new Error(signal.aborted ? 'the run was ended' : `not open within ${withinMs} ms`))
      ends.addEventListener('abort', onAbort)
      if (ends.aborted) onAbort()
    })
    return link
  } catch (error) {
    giveUp()
    throw error
  } finally {
    ends.removeEventListener('abort', onAbort)
  }
}

/** How a WebSocket server is spoken to. */
export type Speech = 'ours' | 'plain'

/** How long a server has to show that it is ours, in milliseconds. */
const proofMs = 1000

/**
 * Finds out whether a WebSocket server speaks our subprotocol, by one connection. That it accepts the name is no proof:
 * the package `ws` accepts any. A server of ours begins with a frame of the protocol's own, which no other would send.
 *
 * @returns the link too, where it came about.
 */
export async function speechOf(
  url: URL,
  signal: AbortSignal,
): Promise<{ readonly speech: Speech; readonly link: Link | undefined }> {
  const opening = AbortSignal.timeout(connectMs)
  const ended = new AbortController()
  const onOpening = () => ended.abort(opening.reason)
  opening.addEventListener('abort', onOpening)
  try {
    const request = { lastEventId: '', channels: [], signal: AbortSignal.any([signal, ended.signal]) }
    const connection = await ws({ WebSocket: oursBounded }).connect(url, request)
    opening.removeEventListener('abort', onOpening)
    let isOpen = true
    const closed = connection.closed.then(() => {
      isOpen = false
    })
    const first = connection[Symbol.asyncIterator]().next()
    const frame = await within(proofMs, first)
    return {
      speech: frame?.value === undefined || frame.value.type === 'message' ? 'plain' : 'ours',
      link: {
        get isOpen() {
          return isOpen
        },
        isFull: false,
        async close() {
          connection.close()
          await within(goodbyeMs, closed)
        },
      },
    }
  } catch {
    // Refused or not reachable: the first plain link will say which.
    return { speech: 'plain', link: undefined }
  } finally {
    opening.removeEventListener('abort', onOpening)
  }
}
