import {
  type Close,
  ConnectError,
  type Connection,
  clampRetryMs,
  closeCode,
  type Frame,
  isGreeting,
  type Limits,
  mayReturn,
} from '@eitherway/core'
import type { Credentials } from './credentials.ts'
import { load, type NamedTransport } from './transports.ts'

/** What a link is asked for. */
export interface LinkRequest {
  readonly transport: NamedTransport
  readonly channels: readonly string[]
  readonly lastEventId: string
}

/** Why there is no link any more. */
export interface Loss {
  readonly close: Close
  readonly retryAfterMs?: number | undefined
}

/** How a link of a client's went. */
export interface LostLink extends Loss {
  /** Whether the token that it showed was a new one. */
  readonly isRenewed: boolean
}

/** What the current link does. Of a link that is not, or no longer, the current one nothing is heard. */
export interface LinkEvents {
  opened(connection: Connection, request: LinkRequest): void
  /** Another link, which has brought a frame already, has taken over. */
  handed(connection: Connection, request: LinkRequest): void
  frame(frame: Frame): void
  /** What a link brings that was replaced and is still waited for: see {@link LinkEvents.isAwaited}. */
  late(frame: Frame): void
  /** Whether somebody waits for an answer that only this link can bring. */
  isAwaited(connection: Connection | undefined): boolean
  /** The link brings no more. */
  gone(connection: Connection, close: Close): void
  /** Whether somebody who reads what the frames bring is far behind. */
  isBehind(): boolean
  /** What the frames brought is being checked, and takes its time. */
  checking(): Promise<void> | undefined
  lost(loss: LostLink): void
  /** A transport failed in what it may not fail in. */
  failed(error: unknown): void
}

/** A client's links: one that is current and, during a handover, one that may become it. */
export interface Links {
  /** Makes a link and makes it the current one. */
  open(request: LinkRequest): void
  /**
   * Makes a second link beside the current one, which goes on until the new one has brought a frame.
   *
   * @throws (by rejection) ConnectError when that does not come about within `ms`; the current link is then as it was.
   */
  replace(request: LinkRequest, ms: number): Promise<void>
  /** Gives up a second link that has not taken over yet; its `replace` fails. */
  abandon(): void
  /** Nobody waits for this link any more: where it was replaced, it ends. */
  release(connection: Connection): void
  /** Ends every link. */
  drop(close?: Close): void
}

/** Turns of the microtask queue that one frame may leave to those who are behind. */
const maxTurns = 32

interface Link {
  readonly abort: AbortController
  connection?: Connection
  /** Whether what it shows was asked for as a new one. */
  isRenewed?: boolean
}

/** How long a link that was replaced may take for the answers that it owes. */
const maxRetiredMs = 30_000

/** Makes a client's links, of which there are none yet. @internal */
export function createLinks(
  url: URL,
  limits: Limits,
  credentials: Credentials | undefined,
  events: LinkEvents,
): Links {
  let current: Link | undefined
  let candidate: Link | undefined
  /** Replaced, and waited for. Each ends with this timer. */
  const retired = new Map<Link, ReturnType<typeof setTimeout>>()

  async function dial(link: Link, { transport, channels, lastEventId }: LinkRequest): Promise<Connection> {
    const { signal } = link.abort
    const { connect } = await load(transport)
    const shown = await credentials?.show(signal)
    link.isRenewed = shown?.isRenewed === true
    const connection = await connect(url, { lastEventId, channels, signal, limits, token: shown?.token })
    link.connection = connection
    return connection
  }

  /** A link, once it has brought what shows that it lives. */
  async function prove(link: Link, request: LinkRequest) {
    const connection = await dial(link, request)
    const frames = connection[Symbol.asyncIterator]()
    const first = await firstFrames(connection, frames, request.channels.length > 0)
    return { connection, frames, first }
  }

  async function run(link: Link, request: LinkRequest): Promise<void> {
    let connection: Connection
    try {
      connection = await dial(link, request)
    } catch (error) {
      if (link !== current) return
      current = undefined
      events.lost({ ...lossOf(error), isRenewed: link.isRenewed === true })
      return
    }
    if (link !== current) {
      connection.close()
      return
    }
    events.opened(connection, request)
    await pump(link, connection, connection[Symbol.asyncIterator]())
  }

  async function pump(link: Link, connection: Connection, frames: AsyncIterator<Frame>): Promise<void> {
    try {
      for (;;) {
        // Asked again for each frame: what it led to may have ended or replaced this link. A turn for each, on purpose: what
        // waited for a message goes on before the next one is heard.
        if (link !== current && !retired.has(link)) return
        const { done, value } = await frames.next()
        if (done) break
        if (link !== current) {
          if (retired.has(link)) events.late(value)
          continue
        }
        events.frame(value)
        const checking = events.checking()
        if (checking !== undefined) await checking
        // Much came at once, and whoever iterates awaits this and that for each message without being slow.
        for (let turns = 0; turns < maxTurns && events.isBehind(); turns += 1) await undefined
      }
    } catch (error) {
      if (link === current) events.failed(error)
      connection.close()
    } finally {
      void connection.closed.then((close) => events.gone(connection, close))
    }
    const close = await connection.closed
    if (retired.has(link)) end(link)
    if (link !== current) return
    current = undefined
    events.lost({ close, isRenewed: link.isRenewed === true })
  }

  /** Another link has its place. */
  function retire(link: Link | undefined): void {
    if (link === undefined || !events.isAwaited(link.connection)) end(link)
    else
      retired.set(
        link,
        setTimeout(() => end(link), maxRetiredMs),
      )
  }

  function end(link: Link | undefined, close?: Close): void {
    if (link !== undefined) {
      clearTimeout(retired.get(link))
      retired.delete(link)
    }
    link?.connection?.close(close)
    link?.abort.abort()
  }

  return {
    open(request) {
      end(current)
      current = { abort: new AbortController() }
      void run(current, request)
    },
    async replace(request, ms) {
      end(candidate)
      const link: Link = { abort: new AbortController() }
      candidate = link
      const late = new ConnectError(`no frame came over ${request.transport.name} within ${ms} ms`, {
        retryable: true,
      })
      const timer = setTimeout(() => end(link), ms)
      try {
        const { connection, frames, first } = await prove(link, request).catch((error: unknown) => {
          const closed = error instanceof ConnectError ? error.closeCode : closeCode.protocolError
          if (!credentials?.mayRenew(closed, link.isRenewed === true)) throw error
          // There is a link that lives, and somebody who waits: at once, and not more than this once.
          return prove(link, request)
        })
        if (link !== candidate)
          throw new ConnectError('another link was asked for meanwhile', { retryable: true })
        const before = current
        candidate = undefined
        current = link
        retire(before)
        events.handed(connection, request)
        for (const frame of first) if (link === current) events.frame(frame)
        void pump(link, connection, frames)
      } catch (error) {
        end(link)
        if (link === candidate) candidate = undefined
        throw link.abort.signal.aborted && !(error instanceof ConnectError) ? late : error
      } finally {
        clearTimeout(timer)
      }
    },
    abandon() {
      const given = candidate
      candidate = undefined
      end(given)
    },
    release(connection) {
      for (const link of [...retired.keys()]) if (link.connection === connection) end(link)
    },
    drop(close) {
      const ending = [current, candidate, ...retired.keys()]
      current = undefined
      candidate = undefined
      for (const link of ending) end(link, close)
    },
  }
}

/** The frames up to the first that proves the link: whoever is turned away may hear when to come back before the end. */
async function firstFrames(
  connection: Connection,
  frames: AsyncIterator<Frame>,
  greets: boolean,
): Promise<readonly Frame[]> {
  const first: Frame[] = []
  for (;;) {
    const { done, value } = await frames.next()
    if (done) {
      const { code, reason } = await connection.closed
      throw new ConnectError(`the link ended before it brought anything (${code}${reason && ` ${reason}`})`, {
        retryable: mayReturn(code),
        closeCode: code,
      })
    }
    first.push(value)
    if (isGreeting(value) || (value.type === 'heartbeat' && !value.partial && !greets)) return first
  }
}

/** Why no link came about, as the lifecycle has it. */
function lossOf(error: unknown): Loss {
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof ConnectError) {
    const { closeCode: code, retryAfterMs } = error
    return {
      close: { code, reason },
      retryAfterMs: retryAfterMs === undefined ? undefined : clampRetryMs(retryAfterMs),
    }
  }
  // Not the network's and not the server's: to try it again would bring the same.
  return { close: { code: closeCode.protocolError, reason } }
}
