import { type Client, ConnectError, connect, type Gap } from '@eitherway/client'
import type { Broker, Connection, ConnectOptions, Frame, Transport } from '@eitherway/core'
import { createNetwork, type Meeting, seeded, type Wire } from '@eitherway/core/testing'
import { createHub, type Hub, memoryBroker } from '@eitherway/server'
import { codec as sseCodec } from '@eitherway/sse/codec'
import { codec as wsCodec } from '@eitherway/ws/codec'
import { vi } from 'vitest'

/** One thing that happens at a time of its own, in virtual milliseconds. */
export type Action = { readonly at: number } & (
  | { readonly type: 'publish'; readonly channel: string; readonly count: number }
  /** `which` in [0, 1) chooses among the links that there are then. */
  | { readonly type: 'cut' | 'stall'; readonly which: number }
  | { readonly type: 'cut all' }
  | { readonly type: 'hold'; readonly which: number; readonly ms: number }
  | { readonly type: 'meet'; readonly meeting: Meeting }
  /** `crash`: without a goodbye. `keeps`: with the history. */
  | { readonly type: 'restart'; readonly crash: boolean; readonly keeps: boolean; readonly downMs: number }
  | { readonly type: 'drain'; readonly keeps: boolean; readonly drainMs: number }
  | { readonly type: 'jump'; readonly ms: number }
  | { readonly type: 'switch' | 'close'; readonly client: number }
  /** The page is told something that makes its clients look after their links. */
  | { readonly type: 'wake'; readonly by: 'online' | 'pageshow' }
  | { readonly type: 'subscribe' | 'unsubscribe'; readonly client: number; readonly channel: string }
)

/** What a seed stands for. */
interface Plan {
  readonly clients: readonly { readonly wire: 'sse' | 'ws'; readonly channels: readonly string[] }[]
  /** Messages that history keeps of each channel. */
  readonly history: number
  readonly ageMs: number
  readonly delayMs: number
  readonly splits: number
  readonly skewMs: number
  readonly windowBytes: number
  readonly maxQueuedBytes: number
  readonly padBytes: number
  /** The longest that the broker takes to answer. */
  readonly brokerMs: number
  readonly slow: 'disconnect' | 'drop-oldest'
  readonly actions: readonly Action[]
}

/** How a run ended. */
export interface Outcome {
  /** What did not hold; empty when all did. */
  readonly problems: readonly string[]
  /** What happened, with its virtual time; empty unless it was asked for. */
  readonly trace: readonly string[]
  /** Messages that handlers heard. */
  readonly heard: number
  readonly gaps: number
}

const wires: Readonly<Record<'sse' | 'ws', Wire>> = {
  sse: { name: 'sse', direction: 'one-way', codec: sseCodec, unit: 'bytes' },
  ws: { name: 'ws', direction: 'two-way', codec: wsCodec, unit: 'messages' },
}
export const allChannels = ['a', 'b', 'c'] as const

/** How long faults happen, and how long the rest may take to come right. */
const faultyMs = 20_000
const quietMs = 40_000
const calmMs = 120_000
const maxTimers = 100

/** Runs one seed. `actions` in place of its own make a smaller case of it. */
export async function simulate(
  seed: number,
  { actions, tracing = false }: { readonly actions?: readonly Action[]; readonly tracing?: boolean } = {},
): Promise<Outcome> {
  const plan = planOf(seed)
  const restore = replaceWorld(seed)
  try {
    return await run(seed, actions === undefined ? plan : { ...plan, actions }, tracing)
  } finally {
    restore()
  }
}

/** Removes what is not needed for a seed to fail, and tells all about the rest. */
export async function explain(seed: number): Promise<string> {
  let { actions } = planOf(seed)
  for (let size = Math.ceil(actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < actions.length; ) {
      const fewer = [...actions.slice(0, at), ...actions.slice(at + size)]
      if ((await simulate(seed, { actions: fewer })).problems.length > 0) actions = fewer
      else at += size
    }
  }
  const { problems, trace } = await simulate(seed, { actions, tracing: true })
  const { actions: _, ...settings } = planOf(seed)
  return [
    `SEED=${seed}`,
    ...problems,
    `settings: ${JSON.stringify(settings)}`,
    'schedule, without what is not needed:',
    ...actions.map((action) => `  ${JSON.stringify(action)}`),
    'trace:',
    ...trace.map((line) => `  ${line}`),
  ].join('\n')
}

function planOf(seed: number): Plan {
  const random = seeded(seed)
  const upTo = (limit: number) => Math.floor(random() * limit)
  const oneOf = <T>(items: readonly T[]): T => items[upTo(items.length)] as T
  const channels = allChannels.slice(0, 1 + upTo(3))
  const clients = Array.from({ length: 1 + upTo(3) }, () => ({
    wire: oneOf(['sse', 'ws'] as const),
    channels: channels.filter((_, at) => at === 0 || random() < 0.7),
  }))
  const isHeavy = random() < 0.1
  const actions: Action[] = []
  // Much can go wrong before there is a position.
  const at = () => (random() < 0.15 ? upTo(500) : upTo(faultyMs))
  for (let left = 20 + upTo(40); left > 0; ) {
    const count = Math.min(left, 1 + upTo(4))
    actions.push({ at: at(), type: 'publish', channel: oneOf(channels), count })
    left -= count
  }
  for (let left = 3 + upTo(12); left > 0; left -= 1) {
    const fault = faultOf(random, at(), channels, clients.length)
    actions.push(fault)
    // What is published around a fault is what it may harm.
    if (random() < 0.7) {
      const near = Math.min(faultyMs - 1, Math.max(0, fault.at + upTo(200) - 80))
      actions.push({ at: near, type: 'publish', channel: oneOf(channels), count: 1 + upTo(3) })
    }
  }
  return {
    clients,
    history: oneOf([2, 5, 20, 100, 100, 100]),
    ageMs: oneOf([5_000, 300_000, 300_000, 300_000]),
    delayMs: oneOf([0, 5, 40, 200]),
    splits: oneOf([0, 0.3, 0.8]),
    skewMs: oneOf([0, 20, 500]),
    windowBytes: isHeavy ? 20_000 : oneOf([300, 64 * 1024]),
    maxQueuedBytes: isHeavy ? 200_000 : oneOf([600, 1024 * 1024, 1024 * 1024]),
    padBytes: isHeavy ? 15_000 : 0,
    brokerMs: oneOf([0, 5, 100]),
    slow: oneOf(['disconnect', 'disconnect', 'drop-oldest']),
    actions: actions.sort((one, other) => one.at - other.at),
  }
}

function faultOf(random: () => number, at: number, channels: readonly string[], clients: number): Action {
  const upTo = (limit: number) => Math.floor(random() * limit)
  const which = random()
  const client = upTo(clients)
  const channel = channels[upTo(channels.length)] as string
  const dice = upTo(100)
  if (dice < 21) return { at, type: 'cut', which }
  if (dice < 24) return { at, type: 'cut all' }
  if (dice < 31) return { at, type: 'stall', which }
  if (dice < 39) return { at, type: 'hold', which, ms: upTo(3_000) }
  if (dice < 55) {
    const meetings: readonly Meeting[] = [
      'refused',
      'unheard',
      'unanswered',
      'doubled',
      'shortened',
      'shortened',
      'shortened',
    ]
    return { at, type: 'meet', meeting: random() < 0.03 ? 'forbidden' : (meetings[upTo(7)] as Meeting) }
  }
  const keeps = random() < 0.6
  if (dice < 62) return { at, type: 'restart', crash: random() < 0.5, keeps, downMs: upTo(3_000) }
  if (dice < 65) return { at, type: 'drain', keeps, drainMs: upTo(2_000) }
  if (dice < 68) return { at, type: 'jump', ms: upTo(60_000) - 10_000 }
  if (dice < 80) return { at, type: 'switch', client }
  if (dice < 86) return { at, type: 'wake', by: random() < 0.7 ? 'online' : 'pageshow' }
  if (dice < 87) return { at, type: 'close', client }
  return { at, type: random() < 0.5 ? 'subscribe' : 'unsubscribe', client, channel }
}

/** The only time and chance from here on are the seed's. @returns its undo. */
export function replaceWorld(seed: number): () => void {
  const random = seeded(seed ^ 0x5eed)
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    now: 1_700_000_000_000,
  })
  const spies = [
    vi.spyOn(Math, 'random').mockImplementation(random),
    vi.spyOn(crypto, 'getRandomValues').mockImplementation((array) => {
      const numbers = array as unknown as Uint32Array
      for (let at = 0; at < numbers.length; at += 1) numbers[at] = random() * 2 ** 32
      return array
    }),
  ]
  // A page, so that its clients can be woken.
  vi.stubGlobal('window', new EventTarget())
  vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }))
  return () => {
    vi.unstubAllGlobals()
    for (const spy of spies) spy.mockRestore()
    vi.useRealTimers()
  }
}

const { setImmediate } = globalThis
/** Everything that waits for nothing but its turn has had it. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

async function run(seed: number, plan: Plan, tracing: boolean): Promise<Outcome> {
  const start = performance.now()
  const problems: string[] = []
  const trace: string[] = []
  const note = (text: string | (() => string)) => {
    if (!tracing) return
    const at = String(Math.round(performance.now() - start)).padStart(6)
    trace.push(`${at} ${typeof text === 'string' ? text : text()}`)
  }
  const fail = (problem: string) => {
    problems.push(problem)
    note(`!!! ${problem}`)
  }

  const ledger = createLedger()
  const random = seeded(seed ^ 0x11e7)
  const network = createNetwork({
    ...plan,
    random,
    timers: { set: setTimeout, clear: (timer) => clearTimeout(timer as NodeJS.Timeout) },
    onTrace: note,
  })
  const hubs: Hub[] = []
  const closings: Promise<void>[] = []
  let broker: Broker

  function startHub(keeps: boolean): void {
    if (!keeps)
      broker = ledger.watch(memoryBroker({ messages: plan.history, ageMs: plan.ageMs }), plan, random, fail)
    const { slow, maxQueuedBytes } = plan
    const hub = createHub({
      broker,
      heartbeatMs: 5_000,
      maxQueuedBytes,
      slow,
      onError: (error) => fail(`the hub met ${String(error)}`),
    })
    hubs.push(hub)
    network.listen('server', hub)
  }
  const hubNow = () => hubs.at(-1) as Hub

  startHub(false)
  await settled()
  const watched = plan.clients.map(({ wire, channels }, number) =>
    watchClient({ number, wire, channels, network, ledger, fail, note }),
  )

  const pad = 'x'.repeat(plan.padBytes)
  function publish(channel: string): void {
    const n = ledger.count(channel)
    note(() => `publish ${channel}${n}`)
    void hubNow()
      .publish(channel, { n, pad })
      .then((id) => note(() => `  is ${id}`))
      .catch((error) => fail(`publishing failed: ${String(error)}`))
  }
  const linkAt = (which: number) => [...network.links][Math.floor(which * network.links.size)]

  function perform(action: Action): void {
    note(() => JSON.stringify(action))
    switch (action.type) {
      case 'publish':
        for (let left = action.count; left > 0; left -= 1) publish(action.channel)
        break
      case 'cut':
        linkAt(action.which)?.cut()
        break
      case 'cut all':
        for (const link of [...network.links]) link.cut()
        break
      case 'stall':
        linkAt(action.which)?.stall()
        break
      case 'hold':
        linkAt(action.which)?.hold(action.ms)
        break
      case 'meet':
        network.meet(action.meeting)
        break
      case 'restart': {
        const before = hubNow()
        if (action.crash) for (const link of [...network.links]) link.cut()
        closings.push(before.close({ code: 1012 }))
        startHub(action.keeps)
        if (action.downMs > 500) {
          const after = hubNow()
          network.listen('server', undefined)
          setTimeout(() => after === hubNow() && network.listen('server', after), action.downMs)
        }
        break
      }
      case 'drain': {
        const before = hubNow()
        startHub(action.keeps)
        closings.push(before.close({ drainMs: action.drainMs, retryMs: 1_000 }))
        break
      }
      case 'wake':
        window.dispatchEvent(new Event(action.by))
        break
      case 'jump':
        vi.setSystemTime(Date.now() + action.ms)
        break
      default:
        watched[action.client]?.perform(action)
    }
  }

  async function step(): Promise<void> {
    vi.advanceTimersToNextTimer()
    await settled()
    for (const client of watched) client.check()
    if (vi.getTimerCount() > maxTimers) fail(`${vi.getTimerCount()} timers are set`)
  }
  /** Time goes on until something holds. */
  async function until(holds: () => boolean, ms: number): Promise<boolean> {
    const end = performance.now() + ms
    while (!holds()) {
      if (performance.now() >= end || problems.length > 0) return false
      await step()
    }
    return true
  }

  await settled()
  for (const action of plan.actions) setTimeout(() => perform(action), action.at)
  let faulty = true
  setTimeout(() => {
    faulty = false
  }, faultyMs)
  await until(() => !faulty, faultyMs * 2)

  network.listen('server', hubNow())
  network.calm()
  // Links that are dead are noticed meanwhile.
  await until(() => false, quietMs)
  // The first may meet what the faults left behind; the second must be heard by all.
  for (const excuses of [true, false]) {
    for (const channel of allChannels) publish(channel)
    await settled()
    if (await until(() => watched.every((client) => client.unsettled(excuses) === undefined), calmMs))
      continue
    const why = watched.map((client) => client.unsettled(excuses)).find((reason) => reason !== undefined)
    if (problems.length === 0) fail(why ?? 'time stood still')
    break
  }
  for (const client of watched) client.finish()
  for (const hub of hubs) closings.push(hub.close())
  await settled()
  if (!(await until(() => vi.getTimerCount() === 0 || problems.length > 0, 20_000))) {
    if (problems.length === 0) fail(`${vi.getTimerCount()} timers are left at the end`)
  }
  if (problems.length === 0) await Promise.all(closings)
  vi.clearAllTimers()
  return {
    problems,
    trace,
    heard: watched.reduce((sum, { heard }) => sum + heard(), 0),
    gaps: watched.reduce((sum, { gaps }) => sum + gaps(), 0),
  }
}

/** All that was published, by any broker: the truth that clients are held against. */
export interface Ledger {
  /** A broker that answers in its own time, and whose publications are written down. */
  watch(broker: Broker, plan: Plan, random: () => number, fail: (problem: string) => void): Broker
  /** Where an id stands among those of all brokers; -1 for `''`. */
  order(id: string): number
  /** How many were published to a channel. */
  count(channel: string): number
  /** Those of a channel that stand between, both left out. */
  between(channel: string, after: number, before: number): readonly number[]
  /** The newest of a channel; -1 where there is none. */
  newest(channel: string): number
  /** The newest of all. */
  now(): number
  /** Whether it was lost after some had heard it: a gap may then come behind what is newer, once one of them has said so. */
  isLost(at: number): boolean
  /** Whether somebody still knows of it, so that the gap has to come. */
  isKnown(at: number): boolean
}

interface Entry {
  readonly order: number
  readonly at: number
}

const perBroker = 1_000_000

function createLedger(): Ledger {
  const epochs: string[] = []
  const entries = new Map<string, Entry[]>()
  const of = (channel: string) => entries.get(channel) ?? []
  let now = 0

  function order(id: string): number {
    const [epoch = '', number = ''] = id.split('-')
    return id === '' ? -1 : epochs.indexOf(epoch) * perBroker + Number(number)
  }

  const ledger: Ledger = {
    order,
    now: () => now,
    count: (channel) => of(channel).length,
    newest: (channel) => of(channel).at(-1)?.order ?? -1,
    isLost: () => false,
    isKnown: () => true,
    between: (channel, after, before) =>
      of(channel)
        .map((entry) => entry.order)
        .filter((at) => at > after && at < before),
    watch(broker, { brokerMs, history, ageMs }, random, fail) {
      const index = epochs.length
      epochs.push('')
      now = index * perBroker
      void Promise.resolve(broker.position()).then((id) => {
        epochs[index] = id.split('-')[0] ?? ''
      })
      const lag = async () => {
        if (brokerMs > 0) await new Promise((resolve) => setTimeout(resolve, random() * brokerMs))
      }
      broker.subscribe((channel, { id }) => {
        now = index * perBroker + Number(id.split('-')[1])
        entries.set(channel, [...of(channel), { order: now, at: Date.now() }])
      })
      return {
        publish: (channel, event, data) => broker.publish(channel, event, data),
        subscribe: (listener) => broker.subscribe(listener),
        isAfter: (id, other) => broker.isAfter(id, other),
        async position() {
          await lag()
          const id = await broker.position()
          await lag()
          return id
        },
        async history(channels, after, page) {
          await lag()
          // A few messages a page, so that much happens in between.
          const found = await broker.history(channels, after, { ...page, maxBytes: 300 })
          const from = order(after)
          const isOurs = Math.floor(from / perBroker) === index
          const { gap } = found
          if (gap !== undefined && (gap.reason === 'epoch') === isOurs) {
            fail(`a gap of reason ${gap.reason} was told after "${after}" by broker ${index}`)
          }
          if (gap === undefined && !isOurs) fail(`no gap was told after "${after}" by broker ${index}`)
          for (const channel of isOurs ? channels : []) {
            const missed = of(channel).filter((entry) => entry.order > from)
            const isOver =
              missed.length > history || missed.some(({ at }) => Math.abs(Date.now() - at) >= ageMs * 0.99)
            if (gap?.channels.includes(channel) && !isOver) {
              // Clocks that were set back age nothing; that is why an age that was reached once counts as well.
              if (ageMs > 10_000) fail(`${channel} had a gap after "${after}", and history had not run out`)
            }
          }
          await lag()
          return found
        },
      }
    },
  }
  return ledger
}

export interface WatchOptions {
  readonly number: number
  readonly wire: 'sse' | 'ws'
  readonly channels: readonly string[]
  readonly network: ReturnType<typeof createNetwork>
  readonly ledger: Ledger
  fail(problem: string): void
  note(text: string | (() => string)): void
}

/** A client, and what it was promised. */
export interface Watched {
  perform(action: Extract<Action, { client: number }>): void
  /** What must hold at any moment. */
  check(): void
  /** Why it is not yet where it should be. With `excuses`, a gap in place of a message will do. */
  unsettled(excuses: boolean): string | undefined
  /** The end: after it, nothing may be heard. */
  finish(): void
  heard(): number
  gaps(): number
}

/** How one channel is followed. */
interface Following {
  /** The position from which on nothing may be missed; `undefined` while that is not promised. */
  from: number | undefined
  last: number
  /** A gap was told since `last`. */
  excused: boolean
  /** What was lost, and no gap has told yet. */
  untold: readonly number[]
}

export function watchClient({ number, wire, channels, network, ledger, fail, note }: WatchOptions): Watched {
  const name = `client ${number}`
  const followings = new Map<string, Following>(
    allChannels.map((channel) => [channel, { from: undefined, last: -1, excused: false, untold: [] }]),
  )
  /** The connections that this client holds. */
  const live = new Map<Connection, ConnectOptions>()
  let positioned = false
  let closed = false
  let operations = 0
  let heard = 0
  let gaps = 0
  let current = wire

  /** The first position: from there on what the link was asked for is followed. */
  function begin(id: string, asked: readonly string[]): void {
    if (positioned) return
    positioned = true
    note(() => `${name} begins after ${id}`)
    for (const [channel, following] of followings) {
      if (asked.includes(channel) && client.channels.includes(channel)) following.from ??= ledger.order(id)
    }
  }

  function tap(transport: Transport): Transport {
    return {
      ...transport,
      async connect(url, options) {
        const connection = await transport.connect(url, options)
        live.set(connection, options)
        const leave = () => live.delete(connection)
        void connection.closed.then(leave)
        async function* frames(): AsyncGenerator<Frame, void, undefined> {
          for await (const frame of connection) {
            note(() => `${name} < ${show(frame)}`)
            yield frame
            // Asked for the next one: this one counted.
            if (frame.type === 'hello' && frame.id !== '') begin(frame.id, options.channels)
          }
        }
        return {
          ...connection,
          close(close) {
            leave()
            connection.close(close)
          },
          [Symbol.asyncIterator]: frames,
        } as Connection
      },
    }
  }

  const transports = {
    sse: tap(network.transport(wires.sse)),
    ws: tap(network.transport(wires.ws)),
  }
  const client: Client = connect('http://server/live', {
    transport: transports[wire],
    channels,
    connectMs: 4_000,
    onError: (error) => fail(`${name} met ${String(error)}`),
  })
  client.onState((state, reason) => note(() => `${name} is ${state} (${reason?.code} ${reason?.reason})`))
  client.onGap((gap) => onGap(gap))
  for (const channel of allChannels) {
    client.on<{ n: number }>(channel, (_, { id }) => onMessage(channel, id))
  }
  void client.closed.then(() => {
    closed = true
  })

  function onGap(gap: Gap): void {
    gaps += 1
    note(() => `${name} has a gap: ${gap.reason} in ${gap.channels.join()}`)
    if (closed) fail(`${name} was told a gap after its end`)
    if (gap.reason === 'unknown') fail(`${name} was told a gap of reason unknown`)
    for (const channel of gap.channels) {
      const following = followings.get(channel)
      if (following === undefined) continue
      following.excused = true
      following.untold = []
    }
  }

  function onMessage(channel: string, id: string): void {
    heard += 1
    if (closed) fail(`${name} heard ${id} of ${channel} after its end`)
    const following = followings.get(channel) as Following
    const at = ledger.order(id)
    const { from, last, excused } = following
    if (at <= last) fail(`${name} heard ${id} of ${channel} after ${last}: twice, or out of order`)
    following.last = at
    following.excused = false
    if (from === undefined || excused) return
    const all = ledger.between(channel, Math.max(from, last), at)
    const missed = all.filter((one) => !ledger.isLost(one))
    following.untold = [...following.untold, ...all.filter((one) => ledger.isLost(one))]
    if (missed.length > 0)
      fail(`${name} heard ${id} of ${channel} and had missed ${missed.join()}, without a gap`)
  }

  /** Where the newest link with this channel was asked from: from there on the channel is followed. */
  function startOf(channel: string): number {
    const asked = [...live.values()].filter(({ channels }) => channels.includes(channel)).at(-1)
    return asked === undefined || asked.lastEventId === '' ? ledger.now() : ledger.order(asked.lastEventId)
  }

  /** What was asked for has come about or not: from now on that is what is followed. */
  function agree(): void {
    for (const [channel, following] of followings) {
      if (!client.channels.includes(channel)) following.from = undefined
      else if (positioned) following.from ??= ledger.now()
    }
  }

  /** What is asked of a live client may fail, and then only because of the network. */
  function ask(operation: Promise<unknown>): void {
    operations += 1
    void operation
      .catch((error) => {
        note(() => `${name}: ${String(error)}`)
        if (!(error instanceof ConnectError)) fail(`${name} was asked for a change and met ${String(error)}`)
      })
      .finally(() => {
        operations -= 1
        if (operations === 0) agree()
      })
  }

  return {
    perform(action) {
      if (closed) return
      switch (action.type) {
        case 'switch':
          current = current === 'sse' ? 'ws' : 'sse'
          ask(client.switchTo(transports[current]))
          break
        case 'close':
          closed = true
          void client.close()
          break
        case 'subscribe':
          ask(
            client.subscribe(action.channel).then(() => {
              const following = followings.get(action.channel) as Following
              if (positioned && client.channels.includes(action.channel))
                following.from ??= startOf(action.channel)
            }),
          )
          break
        case 'unsubscribe':
          if (client.channels.length === 1) break
          ;(followings.get(action.channel) as Following).from = undefined
          ask(client.unsubscribe(action.channel))
      }
    },
    check() {
      // One that is current, and one that may take over.
      if (live.size > 2) fail(`${name} holds ${live.size} connections`)
      if (closed && live.size > 0) fail(`${name} is closed and holds a connection`)
    },
    unsettled(excuses) {
      if (closed) return undefined
      if (client.state !== 'open') return `${name} is still ${client.state}`
      if (operations > 0) return `${name} was asked for a change that never came about`
      if (live.size !== 1) return `${name} holds ${live.size} connections`
      for (const channel of client.channels) {
        const { from, last, excused, untold } = followings.get(channel) as Following
        if (untold.some((one) => ledger.isKnown(one)))
          return `${name} was never told of what was lost of ${channel}`
        if (from === undefined) return `${name} does not follow ${channel}`
        const isThere = last === ledger.newest(channel) || (excuses && excused)
        if (!isThere) return `${name} never heard the newest of ${channel}`
      }
      return undefined
    },
    finish() {
      void client.close()
      closed = true
      if (live.size > 0) fail(`${name} is closed and holds a connection`)
    },
    heard: () => heard,
    gaps: () => gaps,
  }
}

function show(frame: Frame): string {
  switch (frame.type) {
    case 'message':
      return `message ${frame.message.event} ${frame.message.id}`
    case 'hello':
    case 'position':
    case 'gap':
      return `${frame.type} "${frame.id}"`
    default:
      return frame.type
  }
}
