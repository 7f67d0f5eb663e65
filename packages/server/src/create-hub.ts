import {
  type Admission,
  type Agreement,
  type Arrival,
  type Broker,
  byteLength,
  type Close,
  checkClose,
  checkFunction,
  checkName,
  checkOptions,
  closeCode,
  kind,
  type Received,
  type Refusal,
  type ServerConnection,
  show,
  turnAway,
} from '@eitherway/core'
import { type Authorized, createJudge } from './admission.ts'
import { createCalls, type RequestHandler } from './calls.ts'
import { catchUp, makeUp } from './catch-up.ts'
import { createExpiries } from './expiries.ts'
import { createGreetings } from './greetings.ts'
import { createHeartbeats } from './heartbeats.ts'
import type { Hub } from './hub.ts'
import { createInbound } from './inbound.ts'
import { memoryBroker } from './memory.ts'
import {
  type CloseOptions,
  checkDrainMs,
  closeNames,
  type HubOptions,
  type PublishOptions,
  publishNames,
  settingsOf,
} from './options.ts'
import { createOutgoing } from './outgoing.ts'
import { createPast } from './past.ts'
import { checkRetryMs, HubPeer, highWaterBytes, type Peer, type PeerSettings } from './peer.ts'
import { createPlaces } from './places.ts'
import { createPressure } from './pressure.ts'
import { signal } from './signals.ts'
import { spread } from './spread.ts'
import { createCounts } from './stats.ts'

/**
 * Makes a hub.
 *
 * @throws TypeError for a setting that is none.
 */
export function createHub<Context = undefined, A extends Agreement | undefined = undefined>(
  options: HubOptions<Context, A> = {},
): Hub<Context, A> {
  const settings = settingsOf(options)
  const { format, heartbeatMs, retryMs, maxMessageBytes, policyOf } = settings
  const onError = options.onError ?? report
  const broker = checkBroker(options.broker ?? memoryBroker(options.history))
  const judge = createJudge(options, tell)
  const places = createPlaces(options)
  const counts = createCounts()

  const peers = new Set<HubPeer<Context>>()
  const followers = new Map<string, Set<HubPeer<Context>>>()
  const onConnect = new Set<(peer: Peer<Context>) => unknown>()
  const onMessage = new Set<(message: Received, peer: Peer<Context>) => unknown>()
  /** From the first call of `close` on: what new peers are told. */
  let leaving: (Close & { readonly retryMs: number }) | undefined
  let closing: Promise<void> | undefined
  const hurry = new AbortController()
  /** Once the last peer is closed. */
  let closed: Close | undefined

  const outgoing = createOutgoing((channel) => followers.get(channel))
  const past = createPast(broker, nowMs)
  const unsubscribe = broker.subscribe(
    (channel, message) => {
      counts.heard()
      past.changed()
      outgoing.add(channel, message, policyOf(channel))
    },
    (after) => makeUpAll(after),
  )
  const greetings = createGreetings(retryMs, heartbeatMs)
  const heartbeats = createHeartbeats(heartbeatMs)
  const expiries = createExpiries(() => Date.now())
  const pressure = createPressure<HubPeer<Context>>(settings.maxTotalQueuedBytes, highWaterBytes, (peer) =>
    peer.closeAsSlow('too much waits to be read by all peers together'),
  )
  const calls = createCalls<Context>({
    settings,
    onRequest: counts.requested,
    onFailure: counts.answeredFailure,
    tell,
  })
  const inbound = createInbound<Context>({
    settings,
    now: nowMs,
    onArrival: counts.received,
    calls,
    async handle(message, peer) {
      if (onMessage.size === 0) tellOfUnheard(message)
      for (const handler of onMessage) await guard(peer, () => handler(message, peer))
    },
    tell,
  })
  const shared: PeerSettings<Context> = {
    ...settings,
    flush: outgoing.flush,
    tell,
    onBehind: pressure.add,
    onSlow(peer, queuedBytes) {
      signal('eitherway:peer:slow', () => ({ peer, queuedBytes }))
    },
    onGap(peer, gap) {
      counts.gap(gap)
      signal('eitherway:peer:gap', () => ({ peer, gap }))
    },
    onArrival: inbound.arrived,
    onEnd: forget,
  }

  function admit(request: Arrival): Admission | Promise<Admission> {
    const closing = leavingRefusal()
    if (closing !== undefined) return refuse(request, closing)
    const place = places.take(request)
    if (typeof place !== 'string') return refuse(request, place)
    const verdict = judge(request)
    return verdict instanceof Promise
      ? verdict.then((settled) => admissionOf(request, settled, place))
      : admissionOf(request, verdict, place)
  }

  function admissionOf(request: Arrival, verdict: Authorized<Context> | Refusal, place: string): Admission {
    // Its connection takes one anew, in the same turn: what is admitted may be gone by then, and nobody would say so.
    places.free(place)
    if ('status' in verdict) return refuse(request, verdict)
    const refusal = leavingRefusal() ?? expiryOf(verdict)
    if (refusal !== undefined) return refuse(request, refusal)
    return (connection) => take(connection, verdict)
  }

  function leavingRefusal(): Refusal | undefined {
    if (leaving === undefined) return undefined
    return { status: 503, reason: leaving.reason, retryAfterMs: leaving.retryMs }
  }

  function refuse(request: Arrival | undefined, refusal: Refusal): Refusal {
    counts.refused(refusal)
    signal('eitherway:request:refused', () => ({ request, refusal }))
    return refusal
  }

  function accept(connection: ServerConnection): void {
    if (leaving !== undefined) {
      connection.close({ code: leaving.code, reason: leaving.reason })
      return
    }
    const admission = admit(connection)
    const settle = (settled: Admission) => {
      if (typeof settled === 'function') settled(connection)
      else turnAway(connection, settled)
    }
    if (!(admission instanceof Promise)) {
      settle(admission)
      return
    }
    let hasLeft = false
    void connection.closed.then(() => {
      hasLeft = true
    })
    void admission.then((settled) => {
      if (!hasLeft) settle(settled)
    })
  }

  /** A connection that was admitted becomes a peer. */
  function take(connection: ServerConnection, { context, expiresAt }: Authorized<Context>): void {
    const place = places.take(connection)
    if (typeof place !== 'string') {
      turnAway(connection, refuse(connection, place))
      return
    }
    const peer = new HubPeer(connection, context, place, shared)
    peers.add(peer)
    heartbeats.add(peer)
    if (expiresAt !== undefined) expiries.add(peer, expiresAt)
    if (connection.attach !== undefined) connection.attach(peer)
    else void connection.closed.then((close) => peer.ended(close))
    counts.opened(connection.direction, connection.lastEventId !== '')
    signal('eitherway:peer:open', () => ({ peer }))
    // Between its request and now the hub may have begun to close.
    if (leaving !== undefined) peer.close({ code: leaving.code, reason: leaving.reason })
    else resume(peer, connection)
  }

  function welcome(peer: HubPeer<Context>, connection: ServerConnection): void {
    if (peer.hasEnded) return
    for (const handler of onConnect) void guard(peer, () => handler(peer))
    if (connection.direction === 'two-way') inbound.listen(peer, connection)
  }

  function resume(peer: HubPeer<Context>, connection: ServerConnection): void {
    if (peer.names.length === 0) {
      // A stream of its own: its ids are the application's, and the hub has no position to give.
      for (const chunk of greetings.for(peer.encoder, '')) peer.write(chunk)
      welcome(peer, connection)
      return
    }
    peer.hold()
    // What was published before is not for this one.
    outgoing.flush()
    for (const channel of peer.names) follow(channel, peer)
    const caught = catchUp(peer, past, greetings)
    if (caught === undefined) welcome(peer, connection)
    else
      caught.then(
        () => welcome(peer, connection),
        (error) => lose(peer, error),
      )
  }

  /** The broker has missed something. */
  function makeUpAll(after: string): void {
    outgoing.flush()
    past.changed()
    for (const peer of peers) makeUp(peer, past, after)?.catch((error) => lose(peer, error))
  }

  function lose(peer: HubPeer<Context>, error: unknown): void {
    peer.close({ code: closeCode.serverError, reason: 'what was missed could not be read' })
    tell(error)
  }

  /** Runs a handler of the application: its failure is told and ends nothing. */
  async function guard(peer: HubPeer<Context>, run: () => unknown): Promise<void> {
    try {
      await run()
    } catch (error) {
      // Work that was given the peer's signal ends like this when the peer leaves.
      if (!(peer.hasEnded && (error as Error | undefined)?.name === 'AbortError')) tell(error)
    }
  }

  /** An `onError` that fails itself must not end a peer. */
  function tell(error: unknown): void {
    counts.failed()
    signal('eitherway:error', () => ({ error }))
    try {
      onError(error)
    } catch (failure) {
      report(failure)
    }
  }

  let hasToldOfUnheard = false
  function tellOfUnheard({ event }: Received): void {
    if (hasToldOfUnheard) return
    hasToldOfUnheard = true
    tell(
      new Error(
        `a peer sent a message of event ${show(event)}, and nobody hears it: the hub has no \`onMessage\` handler. It is not said again`,
      ),
    )
  }

  function follow(channel: string, peer: HubPeer<Context>): void {
    const readers = followers.get(channel)
    if (readers === undefined) followers.set(channel, new Set([peer]))
    else readers.add(peer)
    broker.presence?.add(channel, 1)
  }

  function forget(peer: HubPeer<Context>, close: Close): void {
    peers.delete(peer)
    places.free(peer.place)
    heartbeats.delete(peer)
    expiries.delete(peer)
    pressure.delete(peer)
    counts.closed(close, peer.bytesWritten)
    signal('eitherway:peer:close', () => ({ peer, close }))
    for (const channel of peer.names) {
      const readers = followers.get(channel)
      if (readers?.delete(peer)) broker.presence?.add(channel, -1)
      if (readers?.size === 0) followers.delete(channel)
    }
  }

  async function leave(
    all: readonly HubPeer<Context>[],
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
    expiries.stop()
    unsubscribe()
    await Promise.all(all.map((peer) => peer.closed))
  }

  const hub: Hub<Context> = {
    peers,
    async count(channel) {
      checkName('channel', channel)
      return broker.presence === undefined
        ? (followers.get(channel)?.size ?? 0)
        : await broker.presence.count(channel)
    },
    stats() {
      const { readers, bytes } = pressure.now
      return counts.with({
        peers: peers.size,
        channels: followers.size,
        queuedBytes: bytes,
        slowPeers: readers,
      })
    },
    admit,
    accept,
    refused: (refusal) => void refuse(undefined, refusal),
    tell,
    relay: broker.relay,
    async publish(channel, data, options) {
      if (options !== undefined) checkOptions<PublishOptions>('publish', options, publishNames)
      const event = options?.event ?? channel
      if (closed !== undefined)
        throw new Error(`the hub is closed (${closed.code} ${closed.reason}); nothing was published`)
      checkName('channel', channel)
      if (event !== channel) checkName('event', event)
      const encoded = format.encode(data)
      const size = byteLength(encoded)
      if (size > maxMessageBytes) {
        throw new TypeError(
          `a message of ${size} bytes is over the hub's \`maxMessageBytes\` of ${maxMessageBytes}`,
        )
      }
      const id = await broker.publish(channel, event, encoded)
      counts.published()
      return id
    },
    onConnect: (handler) => add(onConnect, handler),
    onMessage: (handler) => add(onMessage, handler),
    onRequest: (name, handler) => calls.on(name, handler as RequestHandler<Context>),
    async close(given = {}) {
      // As a handler of a signal it is given the signal's name.
      const options: CloseOptions = typeof given === 'string' ? {} : given
      checkOptions('close', options, closeNames)
      const { drainMs = 0, reason = 'the server goes away' } = options
      const { code = drainMs > 0 ? 1012 : closeCode.goingAway } = options
      const end = { code, reason }
      checkClose(end)
      checkDrainMs(drainMs)
      if (options.retryMs !== undefined) checkRetryMs(options.retryMs)
      if (closing !== undefined) {
        hurry.abort()
        await closing
        return
      }
      leaving = { ...end, retryMs: options.retryMs ?? retryMs }
      closing = leave([...peers], end, drainMs, options.retryMs)
      await closing
    },
  }
  return hub as Hub<Context, A>
}

const nowMs = () => performance.now()

function expiryOf({ expiresAt }: Authorized<unknown>): Refusal | undefined {
  if (expiresAt === undefined || expiresAt > Date.now()) return undefined
  return { status: 401, reason: 'what was shown has expired' }
}

function add<T>(set: Set<T>, item: T): () => void {
  checkFunction('handler', item)
  set.add(item)
  return () => set.delete(item)
}

function report(error: unknown): void {
  // biome-ignore lint/suspicious/noConsole: where nobody asked to hear of errors, silence would hide them
  console.error(error)
}

const brokerMethods = ['publish', 'subscribe', 'position', 'isAfter', 'history'] as const

/** A client of Redis has `publish` and `subscribe` as well. Whatever is missing would fail with the first peer, or a late one. */
function checkBroker(broker: Broker): Broker {
  const missing = brokerMethods.find((name) => typeof broker[name] !== 'function')
  if (missing === undefined) return broker
  throw new TypeError(
    `\`broker\` must be a Broker, such as \`redisBroker({ client })\` or \`memoryBroker()\`, got ${kind(broker)} without \`${missing}\``,
  )
}
