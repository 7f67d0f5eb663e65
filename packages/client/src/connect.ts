import {
  type Agreement,
  begin,
  type Choice,
  type Close,
  type Connection,
  checkClose,
  checkFunction,
  checkOptions,
  checkWhole,
  closeCode,
  createMessage,
  type Direction,
  type Effect,
  formatOf,
  type Gap,
  type Input,
  isGreeting,
  type LifecycleOptions,
  type Limits,
  type State,
  step,
} from '@eitherway/core'
import { createCalls } from './calls.ts'
import type { Client, Handler, Listener, TwoWayClient } from './client.ts'
import { createCredentials } from './credentials.ts'
import { createDeadline } from './deadline.ts'
import { closedError, oneWayError } from './errors.ts'
import { createInbox } from './inbox.ts'
import { createLinks, type LinkRequest } from './links.ts'
import {
  type ClientOptions,
  checkChannels,
  checkClientOptions,
  checkMs,
  maxTimerMs,
  report,
  urlOf,
} from './options.ts'
import { createOutbox } from './outbox.ts'
import { createOverlap } from './overlap.ts'
import { type DirectionOf, type NamedTransport, type TransportOption, transportOf } from './transports.ts'
import { onWake } from './wake.ts'

/**
 * Connects to a stream, and stays connected until it is closed: a lost link is made again, and the stream goes on after
 * the last message that was delivered.
 *
 * @param url - `http(s)` or `ws(s)`, either way; in a page it may be relative.
 * @returns the client at once, in state `connecting`.
 * @throws TypeError when the URL, the transport or a setting is none.
 *
 * @example
 * ```ts
 * const client = connect('/live', { transport: 'sse', channels: ['prices'] })
 * client.on('prices', (prices) => console.log(prices))
 * ```
 */
export function connect<const T extends TransportOption, A extends Agreement | undefined = undefined>(
  url: string | URL,
  options: ClientOptions<T, A>,
): Client<DirectionOf<T>, A> {
  return createClient(url, options) as Client<DirectionOf<T>, A>
}

function createClient(
  given: string | URL,
  options: ClientOptions<TransportOption, Agreement | undefined>,
): Listener {
  const url = urlOf(given)
  checkClientOptions(options)
  let transport = transportOf(options?.transport)
  const { lastEventId = '', maxQueuedBytes = 1024 * 1024 } = options
  checkWhole('maxQueuedBytes', maxQueuedBytes)
  if (options.maxMessageBytes !== undefined) checkWhole('maxMessageBytes', options.maxMessageBytes)
  const format = formatOf(options.format)
  const channels = new Set(checkChannels(options.channels ?? []))
  const limits: Limits =
    options.maxMessageBytes === undefined ? {} : { maxMessageBytes: options.maxMessageBytes }
  const settings: LifecycleOptions = {
    reconnect: options.reconnect ?? true,
    connectMs: checkMs('connectMs', options.connectMs ?? 10_000),
    silenceMs: options.silenceMs === undefined ? undefined : checkMs('silenceMs', options.silenceMs),
    baseMs: 500,
    capMs: 30_000,
  }

  const first = begin(lastEventId, settings)
  let life = first.next
  /** An `onError` that fails itself must not end the client. */
  function onError(error: unknown): void {
    try {
      ;(options.onError ?? report)(error)
    } catch (failure) {
      report(failure)
    }
  }
  const check = options.contract?.check
  const inbox = createInbox({ format, check, maxQueuedBytes, onError })
  const outbox = createOutbox(maxQueuedBytes)
  const calls = createCalls({ format, check, outbox, onAnswered: (connection) => links.release(connection) })
  const onState = new Set<(state: State, reason: Close | undefined) => void>()
  const onGap = new Set<(gap: Gap) => void>()
  const deadline = createDeadline(() => feed({ type: 'deadline', random: Math.random() }))
  let settle: (close: Close) => void
  const closed = new Promise<Close>((resolve) => {
    settle = resolve
  })

  const credentials = createCredentials(options.token, onError)
  const links = createLinks(url, limits, credentials, {
    opened(connection, request) {
      // Whoever serves channels greets; any other server may be silent for as long as it likes.
      feed({ type: 'opened', greets: request.channels.length > 0 })
      attach(connection, request)
    },
    handed(connection, request) {
      overlap.handed()
      feed({ type: 'handed', at: request.lastEventId })
      attach(connection, request)
    },
    frame(frame) {
      // What this link left out, one that was asked before would bring, behind what is newer.
      if (frame.type === 'gap') links.abandon()
      // What a gap left out may lie between the ids that follow it, until a position ends that.
      if (frame.type === 'gap' && frame.gap.reason !== 'slow') isMending = frame.id === ''
      else if (frame.type === 'position') isMending = false
      if (!isMending) mended()
      if (isGreeting(frame)) hasBrought = true
      feed({ type: 'frame', frame: overlap.pass(frame) })
    },
    late(frame) {
      if (frame.type === 'message') calls.hear(frame.message)
    },
    isAwaited: calls.isAwaited,
    gone: calls.gone,
    isBehind: () => inbox.isBehind,
    checking: () => inbox.checking,
    lost({ isRenewed, ...loss }) {
      isMending = false
      outbox.detach()
      // A link that was greeted had been let in, so what it showed was worth something.
      const returns = credentials?.mayRenew(loss.close.code, isRenewed && !hasBrought) || undefined
      feed({ type: 'lost', random: Math.random(), ...loss, returns })
      mended()
    },
    failed: onError,
  })

  /** What the current link was asked for. */
  let asked: LinkRequest | undefined
  /** Whether the current link has brought what can give a position: before that there is none to take over at. */
  let hasBrought = false
  /** Whether the link is between a gap and the position behind it: from there a second link would bring what was left out. */
  let isMending = false
  let mended: () => void = () => undefined
  const overlap = createOverlap()
  let choice: Choice | undefined
  function attach(connection: Connection, request: LinkRequest): void {
    asked = request
    choice = connection.choice
    hasBrought = false
    isMending = false
    mended()
    outbox.detach()
    if (connection.direction === 'two-way' && life.state !== 'closed') outbox.attach(connection)
  }

  const linkRequest = (over: NamedTransport): LinkRequest => ({
    transport: over,
    channels: [...channels],
    lastEventId: life.lastEventId,
  })

  function feed(input: Input): void {
    const before = life
    const { next, effects } = step(life, input, settings)
    life = next
    for (const effect of effects) perform(effect)
    if (next.state === before.state) return
    if (next.state === 'closed') finish(next.close ?? gone)
    for (const handler of [...onState]) {
      // An earlier one may have closed the client, of which all have been told then.
      if (life.state === next.state) guard(() => handler(next.state, next.close))
    }
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'connect':
        hasBrought = false
        links.open(linkRequest(transport))
        break
      case 'disconnect':
        isMending = false
        mended()
        outbox.detach()
        links.drop(effect.close)
        break
      case 'deadline':
        deadline.set(effect.ms)
        break
      case 'hasten':
        deadline.hasten(effect.ms)
        break
      case 'deliver':
        if (!calls.hear(effect.message)) inbox.deliver(effect.message)
        break
      case 'gap':
        for (const handler of [...onGap]) guard(() => handler(effect.gap))
    }
  }

  function guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      onError(error)
    }
  }

  /** Lets a link with today's channels take over without a break; where there is none to go on meanwhile, the next one has them. */
  async function reopen(over: NamedTransport): Promise<void> {
    if (life.state === 'open' && isMending) await mending()
    if (life.state === 'open' && hasBrought) {
      overlap.begin()
      try {
        await links.replace(linkRequest(over), settings.connectMs || maxTimerMs)
        transport = over
      } finally {
        // Changes nothing once the new link has taken over.
        overlap.kept()
      }
      return
    }
    transport = over
    choice = undefined
    if (life.state === 'waiting') wake()
    else feed({ type: 'restart', close: { code: closeCode.normal, reason: 'asked anew' } })
    await opened()
  }

  /** Fulfils when the position behind a gap has come, the link has gone, or a server that owes one has had its time. */
  async function mending(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    await new Promise<void>((resolve) => {
      mended = resolve
      timer = setTimeout(resolve, settings.connectMs || maxTimerMs)
    })
    clearTimeout(timer)
    isMending = false
  }

  /** Fulfils when there is a link. */
  function opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settleBy = (state: State, close: Close | undefined) => {
        if (state === 'open') resolve()
        else if (state === 'closed') reject(closedError(close ?? gone))
        else return
        onState.delete(settleBy)
      }
      onState.add(settleBy)
      settleBy(life.state, life.close)
    })
  }

  /** One reopening at a time; those that are asked for in one turn become one. */
  let reopening: Promise<void> = Promise.resolve()
  function enqueue(run: () => Promise<void>): Promise<void> {
    if (life.state === 'closed') return Promise.reject(closedError(life.close ?? gone))
    const result = reopening.then(run)
    reopening = result.catch(() => {
      // Told to whoever asked for it; the next one starts afresh.
    })
    return result
  }
  async function follow(): Promise<void> {
    if (life.state === 'open' && sameNames(asked?.channels ?? [], channels)) return
    try {
      await reopen(transport)
    } catch (error) {
      // Refused, say. The link goes on with what it was asked for.
      channels.clear()
      for (const name of asked?.channels ?? []) channels.add(name)
      throw error
    }
  }

  function finish(close: Close): void {
    options.signal?.removeEventListener('abort', onAbort)
    stopWaking()
    inbox.end()
    outbox.end(close)
    calls.end(close)
    isMending = false
    mended()
    settle(close)
  }

  const onAbort = () => feed({ type: 'close', close: { code: closeCode.normal, reason: 'aborted' } })
  const wake = () => {
    deadline.check()
    feed({ type: 'wake', random: Math.random() })
  }
  const stopWaking = onWake({
    seen: wake,
    online() {
      wake()
      // The link may be dead without knowing it. A second one is the proof, and takes over at once.
      if (life.state === 'open') void enqueue(() => reopen(transport)).catch(() => undefined)
    },
  })

  const client: Listener = {
    get transport() {
      return choice?.transport ?? transport.name
    },
    get choice() {
      return choice
    },
    get state() {
      return life.state
    },
    get lastEventId() {
      return life.lastEventId
    },
    get channels() {
      return [...channels]
    },
    closed,
    on: (event, handler) => inbox.on(event, handler as Handler),
    onState: (handler) => add(onState, handler),
    onGap: (handler) => add(onGap, handler),
    async subscribe(...names) {
      for (const name of checkChannels(names)) channels.add(name)
      await enqueue(follow)
    },
    async unsubscribe(...names) {
      for (const name of names) channels.delete(name)
      await enqueue(follow)
    },
    async switchTo<T extends TransportOption>(option: T) {
      const next = transportOf(option)
      await enqueue(() => reopen(next))
      setDirection(next.direction)
      if (next.direction === 'one-way') {
        outbox.refuse(oneWayError(next.name))
      }
      return client as Client<DirectionOf<T>>
    },
    close(close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      feed({ type: 'close', close })
      return closed
    },
    [Symbol.asyncIterator]: () => inbox.iterate(),
    async [Symbol.asyncDispose]() {
      await client.close()
    },
  }

  const send: TwoWayClient['send'] = async (event, data, options = {}) => {
    checkOptions('send', options, { signal: true })
    const message = createMessage(event, format.encode(data))
    // Whoever kept the function from before a change of transport.
    if (transport.direction === 'one-way') throw oneWayError(transport.name)
    await outbox.send(message, options.signal)
  }
  const request = (async (name, data, settings) => {
    if (transport.direction === 'one-way') throw oneWayError(transport.name)
    return await calls.request(name, data, settings)
  }) as TwoWayClient['request']
  function setDirection(direction: Direction): void {
    Object.assign(client, direction === 'two-way' ? { direction, send, request } : { direction })
    if (direction === 'two-way') return
    for (const name of ['send', 'request']) Reflect.deleteProperty(client, name)
  }
  setDirection(transport.direction)

  options.signal?.addEventListener('abort', onAbort)
  if (options.signal?.aborted) onAbort()
  else for (const effect of first.effects) perform(effect)
  return client
}

/** A close without words. */
const gone: Close = { code: closeCode.normal, reason: '' }

function add<T>(set: Set<T>, item: T): () => void {
  checkFunction('handler', item)
  set.add(item)
  return () => set.delete(item)
}

function sameNames(one: readonly string[], other: ReadonlySet<string>): boolean {
  return one.length === other.size && one.every((name) => other.has(name))
}
