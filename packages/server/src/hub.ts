import {
  type Accept,
  type Admission,
  type Admit,
  type Arrival,
  type Broker,
  byteLength,
  type Close,
  checkClose,
  checkName,
  closeCode,
  closeOfRefusal,
  defaultMaxMessageBytes,
  type FormatOption,
  fitReason,
  formatOf,
  type Message,
  ProtocolError,
  type Received,
  type Refusal,
  type ServerConnection,
} from '@eitherway/core'
import type { SlowPolicy } from './backlog.ts'
import { catchUp } from './catch-up.ts'
import { createGreetings } from './greetings.ts'
import { createHeartbeats } from './heartbeats.ts'
import { type HistoryLimits, memoryBroker } from './memory.ts'
import { createOutgoing } from './outgoing.ts'
import { createPast } from './past.ts'
import { checkRetryMs, HubPeer, type Peer } from './peer.ts'
import { spread } from './spread.ts'

/** Settings of {@link createHub}. */
export interface HubOptions {
  /** How the application's values become text or bytes. The clients name the same one. @defaultValue `'json'` */
  readonly format?: FormatOption
  /** How much is kept for clients that come back, by the hub's own broker. */
  readonly history?: HistoryLimits
  /** What orders, stores and spreads the messages. @defaultValue `memoryBroker(history)`: this process alone */
  readonly broker?: Broker
  /**
   * How often every peer hears from the server, in milliseconds; 0 for never. Clients take the link for dead when it is
   * silent for ten seconds longer.
   *
   * @defaultValue 25,000: below the 30 s after which the strictest of the usual proxies cut
   */
  readonly heartbeatMs?: number
  /** How long clients wait at least before they come back, in milliseconds; 0 to 300,000. @defaultValue 500 */
  readonly retryMs?: number
  /**
   * What becomes of messages for a peer that reads too slowly, for all channels or for each.
   *
   * @defaultValue `'disconnect'`: nothing is lost, since the peer comes back and resumes
   */
  readonly slow?: SlowPolicy | ((channel: string) => SlowPolicy)
  /** What may wait to be read by one peer, in bytes; beyond it the peer is closed (4008) and may come back. @defaultValue 1 MiB */
  readonly maxQueuedBytes?: number
  /** Largest message that may be published, in bytes. @defaultValue 1 MiB */
  readonly maxMessageBytes?: number
  /**
   * Hears what went wrong in a handler of the application. The hub and the peer go on.
   *
   * @defaultValue `console.error`
   */
  readonly onError?: (error: unknown) => void
}

/** Settings of one `publish`. */
export interface PublishOptions {
  /** The message's name. @defaultValue the channel's */
  readonly event?: string
}

/** Settings of {@link Hub.close}. */
export interface CloseOptions {
  /** @defaultValue 1001, or 1012 with `drainMs`: the clients come back */
  readonly code?: number
  /** At most 123 bytes. @defaultValue `the server goes away` */
  readonly reason?: string
  /**
   * Spreads the closes evenly over so many milliseconds, so that the clients do not come back all at once.
   *
   * @defaultValue 0: all at once
   */
  readonly drainMs?: number
  /** How long each client is told to wait before it comes back; 0 to 300,000. @defaultValue the hub's `retryMs` */
  readonly retryMs?: number
}

/** The server's publish side: channels, and the peers that follow them. It knows no transport. */
export interface Hub {
  /**
   * Publishes to every peer that follows the channel.
   *
   * @returns the message's id, once it is stored.
   * @throws (by rejection) TypeError when a name or the data cannot cross, or the message is over `maxMessageBytes`; Error
   * when the hub is closed.
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<string>
  /** Runs for each new peer, after its greeting. What it returns is awaited for errors only. @returns its undo. */
  onConnect(handler: (peer: Peer) => unknown): () => void
  /**
   * Runs for each message that a peer sends, one after the other: the next of the same peer waits until the promise that
   * the handler returned has settled, and so holds a fast sender back. @returns its undo.
   */
  onMessage(handler: (message: Received, peer: Peer) => unknown): () => void
  /** The peers that are connected now. */
  readonly peers: ReadonlySet<Peer>
  /** Decides on a request before it is answered, so that a refusal is an HTTP status. `serve` asks it. */
  readonly admit: Admit
  /** Takes a connection of any transport. `serve` calls it; so may a transport of your own. */
  readonly accept: Accept
  /**
   * Closes every peer, and the hub for good. New peers are refused (503) from the first call on; publishing goes on until the
   * last peer is closed. A second call closes what is left at once.
   */
  close(options?: CloseOptions): Promise<void>
}

/** Makes a hub. */
export function createHub(options: HubOptions = {}): Hub {
  const {
    heartbeatMs = 25_000,
    retryMs = 500,
    maxQueuedBytes = 1024 * 1024,
    maxMessageBytes = defaultMaxMessageBytes,
    onError = report,
  } = options
  checkRetryMs(retryMs)
  checkPositive('maxQueuedBytes', maxQueuedBytes)
  checkPositive('maxMessageBytes', maxMessageBytes)
  if (heartbeatMs !== 0) checkPositive('heartbeatMs', heartbeatMs)
  const format = formatOf(options.format)
  const { slow = 'disconnect' } = options
  const policyOf = typeof slow === 'function' ? slow : () => slow
  if (typeof slow !== 'function') checkPolicy(slow)
  const broker = options.broker ?? memoryBroker(options.history)

  const peers = new Set<HubPeer>()
  const followers = new Map<string, Set<HubPeer>>()
  const onConnect = new Set<(peer: Peer) => unknown>()
  const onMessage = new Set<(message: Received, peer: Peer) => unknown>()
  /** From the first call of `close` on: what new peers are told. */
  let leaving: (Close & { readonly retryMs: number }) | undefined
  let closing: Promise<void> | undefined
  const hurry = new AbortController()
  /** Once the last peer is closed. */
  let closed: Close | undefined

  const outgoing = createOutgoing((channel) => followers.get(channel))
  const past = createPast(broker, () => performance.now())
  const unsubscribe = broker.subscribe((channel, message) => {
    past.changed()
    outgoing.add(channel, message, policyOf(channel))
  })
  const greetings = createGreetings(retryMs, heartbeatMs)
  const heartbeats = createHeartbeats(heartbeatMs)
  const settings = { format, maxQueuedBytes, flush: outgoing.flush, tell }

  function admit(arrival: Arrival): Admission {
    return refusalOf(arrival.channels) ?? take
  }

  function refusalOf(channels: readonly string[]): Refusal | undefined {
    if (leaving !== undefined) return { status: 503, reason: leaving.reason, retryAfterMs: leaving.retryMs }
    try {
      for (const channel of channels) checkName('channel', channel)
    } catch (error) {
      return { status: 400, reason: (error as Error).message }
    }
    return undefined
  }

  function accept(connection: ServerConnection): void {
    const admission = leaving === undefined ? admit(connection) : take
    if (typeof admission === 'function') admission(connection)
    else connection.close(closeOfRefusal(admission))
  }

  /** A connection that was admitted becomes a peer. */
  function take(connection: ServerConnection): void {
    if (leaving !== undefined) {
      connection.close({ code: leaving.code, reason: leaving.reason })
      return
    }
    const peer = new HubPeer(connection, settings)
    peers.add(peer)
    heartbeats.add(peer)
    void connection.closed.then(() => forget(peer))
    if (peer.names.length === 0) {
      // A stream of its own: its ids are the application's, and the hub has no position to give.
      for (const chunk of greetings.for(peer.encoder, '')) peer.write(chunk)
      welcome(peer, connection)
    } else {
      resume(peer).then(() => welcome(peer, connection), tell)
    }
  }

  function welcome(peer: HubPeer, connection: ServerConnection): void {
    if (peer.hasEnded) return
    for (const handler of onConnect) void guard(peer, () => handler(peer))
    if (connection.direction === 'two-way') listen(peer, connection.messages[Symbol.asyncIterator]())
  }

  async function resume(peer: HubPeer): Promise<void> {
    peer.hold()
    // What was published before is not for this one.
    outgoing.flush()
    for (const channel of peer.names) follow(channel, peer)
    try {
      await catchUp(peer, past, greetings)
    } catch (error) {
      peer.close({ code: closeCode.serverError, reason: 'what was missed could not be read' })
      throw error
    }
  }

  /** One message after the other. No `for await`, whose frame would be kept for each peer that never says a word. */
  function listen(peer: HubPeer, messages: AsyncIterator<Message>): void {
    messages
      .next()
      .then(async ({ done, value }) => {
        if (done || !(await receive(peer, value))) return
        listen(peer, messages)
      })
      .catch(tell)
  }

  /** @returns whether the peer may go on. */
  async function receive(peer: HubPeer, { id, event, data }: Message): Promise<boolean> {
    let received: Received
    try {
      received = { id, event, data: format.decode(data) }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      peer.close({ code: 1007, reason: fitReason(error.message) })
      return false
    }
    for (const handler of onMessage) await guard(peer, () => handler(received, peer))
    return true
  }

  /** Runs a handler of the application: its failure is told and ends nothing. */
  async function guard(peer: HubPeer, run: () => unknown): Promise<void> {
    try {
      await run()
    } catch (error) {
      // Work that was given the peer's signal ends like this when the peer leaves.
      if (!(peer.hasEnded && (error as Error | undefined)?.name === 'AbortError')) tell(error)
    }
  }

  /** An `onError` that fails itself must not end a peer. */
  function tell(error: unknown): void {
    try {
      onError(error)
    } catch (failure) {
      report(failure)
    }
  }

  function follow(channel: string, peer: HubPeer): void {
    const readers = followers.get(channel)
    if (readers === undefined) followers.set(channel, new Set([peer]))
    else readers.add(peer)
  }

  function forget(peer: HubPeer): void {
    peer.end()
    peers.delete(peer)
    heartbeats.delete(peer)
    for (const channel of peer.names) {
      const readers = followers.get(channel)
      readers?.delete(peer)
      if (readers?.size === 0) followers.delete(channel)
    }
  }

  async function leave(
    all: readonly HubPeer[],
    end: Close,
    drainMs: number,
    waitMs: number | undefined,
  ): Promise<void> {
    await spread(all, drainMs, hurry.signal, (peer) => {
      if (peer.hasEnded) return
      if (waitMs !== undefined) peer.writeFrame({ type: 'retry', retryMs: waitMs })
      peer.close(end)
    })
    closed = end
    heartbeats.stop()
    unsubscribe()
    await Promise.all(all.map((peer) => peer.closed))
  }

  return {
    peers,
    admit,
    accept,
    async publish(channel, data, { event = channel } = {}) {
      if (closed !== undefined)
        throw new Error(`the hub is closed (${closed.code} ${closed.reason}); nothing was published`)
      checkName('channel', channel)
      checkName('event', event)
      const encoded = format.encode(data)
      const size = byteLength(encoded)
      if (size > maxMessageBytes) {
        throw new TypeError(
          `a message of ${size} bytes is over the hub's \`maxMessageBytes\` of ${maxMessageBytes}`,
        )
      }
      return broker.publish(channel, event, encoded)
    },
    onConnect: (handler) => add(onConnect, handler),
    onMessage: (handler) => add(onMessage, handler),
    async close({
      drainMs = 0,
      code = drainMs > 0 ? 1012 : closeCode.goingAway,
      reason = 'the server goes away',
      ...wait
    } = {}) {
      const end = { code, reason }
      checkClose(end)
      checkMs('drainMs', drainMs)
      if (wait.retryMs !== undefined) checkRetryMs(wait.retryMs)
      if (closing !== undefined) {
        hurry.abort()
        await closing
        return
      }
      leaving = { ...end, retryMs: wait.retryMs ?? retryMs }
      closing = leave([...peers], end, drainMs, wait.retryMs)
      await closing
    },
  }
}

function add<T>(set: Set<T>, item: T): () => void {
  set.add(item)
  return () => set.delete(item)
}

function checkPolicy(policy: SlowPolicy): void {
  if (policy === 'disconnect' || policy === 'conflate' || policy === 'drop-oldest') return
  throw new TypeError(
    `\`slow\` must be 'disconnect', 'conflate', 'drop-oldest' or a function, got ${String(policy)}`,
  )
}

function checkMs(name: string, value: number): void {
  if (value >= 0 && value <= maxDrainMs) return
  throw new TypeError(
    `\`${name}\` must be a number of milliseconds from 0 to ${maxDrainMs}, got ${String(value)}`,
  )
}

/** An hour: longer than any orchestrator waits. */
const maxDrainMs = 3_600_000

function checkPositive(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value <= 0) {
    throw new TypeError(`\`${name}\` must be a whole number over 0, got ${String(value)}`)
  }
}

function report(error: unknown): void {
  // biome-ignore lint/suspicious/noConsole: where nobody asked to hear of errors, silence would hide them
  console.error(error)
}
