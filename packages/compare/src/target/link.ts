import { setTimeout } from 'node:timers/promises'
import { connect } from '@eitherway/client'
import { sse } from '@eitherway/sse/client'
import { ws } from '@eitherway/ws/client'
import { EventSource } from 'eventsource'
import { WebSocket as WebSocketOfPackage } from 'ws'

/** What a message carries, without anything of the wire around it. */
export type Data = string | Uint8Array

/** A connection to a server of the user's. It only listens. */
export interface Link {
  /** Fulfils once it is closed, as far as this side can know. */
  close(): Promise<void>
  readonly isOpen: boolean
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

/** Our client over SSE: any event stream will do. */
export function sseLink(url: URL): OpenLink {
  return (onData, signal, withinMs) => open(url, sse(), onData, signal, withinMs)
}

/** Our client over WebSocket. @param speech - `ours`: the subprotocol `eitherway.v1`; `plain`: none. */
export function wsLink(url: URL, speech: Speech): OpenLink {
  return (onData, signal, withinMs) => open(url, ws({ plain: speech === 'plain' }), onData, signal, withinMs)
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
    // Of a message that cannot be read the link ends, and that is seen.
    onError: () => undefined,
  })
  // By iteration: handlers hear one event each, and which events a server has is not known here.
  void (async () => {
    for await (const { data } of client) onData(data as Data)
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
    async close() {
      await client.close()
    },
  }
}

/** `EventSource` without our client. */
export function eventSourceLink(url: URL): OpenLink {
  return (onData, signal, withinMs) => {
    const source = new HearsAll(url, onData)
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
  constructor(url: URL, onData: (data: string) => void) {
    super(url)
    this.#onData = onData
  }
  override dispatchEvent(event: Event): boolean {
    if ('data' in event && typeof event.data === 'string') this.#onData(event.data)
    return super.dispatchEvent(event)
  }
}

/** `WebSocket` without our client: the platform's, or that of the package `ws` where there is none (Node before 22). */
export function webSocketLink(url: URL): OpenLink {
  const WebSocket = globalThis.WebSocket ?? (WebSocketOfPackage as unknown as typeof globalThis.WebSocket)
  return (onData, signal, withinMs) => {
    const socket = new WebSocket(url)
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }: MessageEvent<string | ArrayBuffer>) =>
      onData(typeof data === 'string' ? data : new Uint8Array(data)),
    )
    const closed = new Promise<void>((resolve) => socket.addEventListener('close', () => resolve()))
    return opened(
      signal,
      withinMs,
      (resolve, reject) => {
        socket.addEventListener('open', () => resolve())
        socket.addEventListener('error', (event) =>
          reject(new Error((event as ErrorEvent).message || 'the upgrade failed')),
        )
      },
      () => socket.close(),
      {
        get isOpen() {
          return socket.readyState === WebSocket.OPEN
        },
        async close() {
          socket.close()
          await Promise.race([closed, setTimeout(goodbyeMs, undefined, { ref: false })])
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
    const connection = await ws().connect(url, request)
    opening.removeEventListener('abort', onOpening)
    let isOpen = true
    const closed = connection.closed.then(() => {
      isOpen = false
    })
    const first = connection[Symbol.asyncIterator]().next()
    const silence = setTimeout(proofMs, undefined, { ref: false })
    const frame = await Promise.race([first, silence])
    return {
      speech: frame?.value === undefined || frame.value.type === 'message' ? 'plain' : 'ours',
      link: {
        get isOpen() {
          return isOpen
        },
        async close() {
          connection.close()
          await closed
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
