import { createNetwork, seeded } from '@eitherway/core/testing'
import { PublishError, type RedisBroker, redisBroker } from '@eitherway/redis'
import { createHub, type Hub } from '@eitherway/server'
import { vi } from 'vitest'
import { createFakeRedis, type Snapshot } from './fake-redis.ts'
import { allChannels, type Ledger, replaceWorld, settled, type Watched, watchClient } from './simulation.ts'

/** One thing that happens at a time of its own, in virtual milliseconds. */
type Action = { readonly at: number } & (
  | { readonly type: 'publish'; readonly node: number; readonly channel: string; readonly count: number }
  /** `which` in [0, 1) chooses among the links that there are then. */
  | { readonly type: 'cut' | 'stall'; readonly which: number }
  | { readonly type: 'switch'; readonly client: number }
  | { readonly type: 'subscribe' | 'unsubscribe'; readonly client: number; readonly channel: string }
  | { readonly type: 'node restarts'; readonly node: number }
  | { readonly type: 'redis cut' }
  | { readonly type: 'redis forgets answers'; readonly count: number }
  | { readonly type: 'redis pauses' | 'redis is full'; readonly ms: number }
  /** `behind`: with what it held so long ago. */
  | {
      readonly type: 'redis restarts'
      readonly downMs: number
      readonly data: 'all' | 'none' | 'behind'
    }
  /** A replica takes what the primary holds. */
  | { readonly type: 'redis copies' }
)

interface Plan {
  readonly nodes: number
  readonly clients: readonly { readonly wire: 'sse' | 'ws'; readonly channels: readonly string[] }[]
  readonly history: number
  readonly ageMs: number
  readonly redisMs: number
  readonly delayMs: number
  readonly splits: number
  readonly actions: readonly Action[]
}

/** How a run ended. */
export interface NodesOutcome {
  /** What did not hold; empty when all did. */
  readonly problems: readonly string[]
  readonly trace: readonly string[]
  readonly heard: number
  readonly gaps: number
}

const faultyMs = 15_000
const quietMs = 30_000
const calmMs = 120_000
const timeoutMs = 2_000

function planOf(seed: number): Plan {
  const random = seeded(seed)
  const upTo = (limit: number) => Math.floor(random() * limit)
  const oneOf = <T>(items: readonly T[]): T => items[upTo(items.length)] as T
  const channels = allChannels.slice(0, 1 + upTo(3))
  const nodes = 2 + upTo(2)
  const clients = Array.from({ length: 1 + upTo(3) }, () => ({
    wire: oneOf(['sse', 'ws'] as const),
    channels: channels.filter((_, at) => at === 0 || random() < 0.7),
  }))
  const actions: Action[] = []
  const publish = (at: number) =>
    actions.push({ at, type: 'publish', node: upTo(nodes), channel: oneOf(channels), count: 1 + upTo(4) })
  for (let left = 10 + upTo(15); left > 0; left -= 1) publish(upTo(faultyMs))
  for (let left = 2 + upTo(8); left > 0; left -= 1) {
    const at = upTo(faultyMs)
    const client = upTo(clients.length)
    const dice = upTo(100)
    if (dice < 15) actions.push({ at, type: oneOf(['cut', 'stall']), which: random() })
    else if (dice < 22) actions.push({ at, type: 'switch', client })
    else if (dice < 30)
      actions.push({ at, type: oneOf(['subscribe', 'unsubscribe']), client, channel: oneOf(channels) })
    else if (dice < 38) actions.push({ at, type: 'node restarts', node: upTo(nodes) })
    else if (dice < 48) actions.push({ at, type: 'redis cut' })
    else if (dice < 60) actions.push({ at, type: 'redis forgets answers', count: 1 + upTo(3) })
    else if (dice < 70) actions.push({ at, type: 'redis pauses', ms: upTo(4_000) })
    else if (dice < 78) actions.push({ at, type: 'redis copies' })
    else {
      const data = oneOf(['all', 'none', 'behind', 'behind'] as const)
      actions.push({ at, type: 'redis restarts', downMs: upTo(3_000), data })
      if (data === 'behind') {
        const copied = Math.max(0, at - upTo(300))
        actions.push({ at: copied, type: 'redis copies' })
        publish(copied + upTo(at - copied))
      }
      // The power fails: nobody is left who knows.
      if (random() < 0.3) {
        for (let node = 0; node < nodes; node += 1) actions.push({ at: at + 1, type: 'node restarts', node })
      }
    }
    // What is published around a fault is what it may harm.
    if (random() < 0.8) publish(Math.min(faultyMs - 1, Math.max(0, at + upTo(200) - 100)))
  }
  const full = seeded(seed ^ 0xf011)
  if (full() < 0.3) {
    const at = Math.floor(full() * faultyMs)
    actions.push({ at, type: 'redis is full', ms: Math.floor(full() * 5_000) })
    actions.push({ at: at + 500, type: 'publish', node: 0, channel: 'a', count: 2 })
  }
  return {
    nodes,
    clients,
    history: oneOf([2, 5, 100, 100]),
    ageMs: full() < 0.3 ? 2_000 : 300_000,
    redisMs: oneOf([0, 2, 30]),
    delayMs: oneOf([0, 5, 40]),
    splits: oneOf([0, 0.5]),
    actions: actions.sort((one, other) => one.at - other.at),
  }
}

/** Runs one seed: clients, some hubs, and a Redis between them that fails in every way it can. */
export async function simulateNodes(
  seed: number,
  { actions, tracing = false }: { readonly actions?: readonly Action[]; readonly tracing?: boolean } = {},
): Promise<NodesOutcome> {
  const plan = planOf(seed)
  const restore = replaceWorld(seed)
  try {
    return await run(seed, actions === undefined ? plan : { ...plan, actions }, tracing)
  } finally {
    restore()
  }
}

/** Removes what is not needed for a seed to fail, and tells all about the rest. */
export async function explainNodes(seed: number): Promise<string> {
  let { actions } = planOf(seed)
  for (let size = Math.ceil(actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < actions.length; ) {
      const fewer = [...actions.slice(0, at), ...actions.slice(at + size)]
      if ((await simulateNodes(seed, { actions: fewer })).problems.length > 0) actions = fewer
      else at += size
    }
  }
  const { problems, trace } = await simulateNodes(seed, { actions, tracing: true })
  const { actions: _, ...settings } = planOf(seed)
  return [
    `NODES_SEED=${seed}`,
    ...problems,
    `settings: ${JSON.stringify(settings)}`,
    'schedule, without what is not needed:',
    ...actions.map((action) => `  ${JSON.stringify(action)}`),
    'trace:',
    ...trace.map((line) => `  ${line}`),
  ].join('\n')
}

async function run(seed: number, plan: Plan, tracing: boolean): Promise<NodesOutcome> {
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
  const random = seeded(seed ^ 0x11e7)
  const truth = createTruth()
  let copy: Snapshot | undefined
  const redis = createFakeRedis({
    random,
    delayMs: plan.redisMs,
    onAdd(key, id, fields) {
      if (key.includes(':channel:')) {
        for (const one of idsIn(id, fields)) truth.add(key.slice(key.indexOf(':channel:') + 9), one)
      }
      note(() => `redis adds ${id} to ${key} ${key.endsWith(':log') ? `after ${fields[1]}` : ''}`)
    },
  })
  const network = createNetwork({
    ...plan,
    random,
    timers: { set: setTimeout, clear: (timer) => clearTimeout(timer as NodeJS.Timeout) },
    onTrace: note,
  })

  interface Node {
    readonly hub: Hub
    readonly broker: RedisBroker
  }
  const nodes: Node[] = []
  const closings: Promise<unknown>[] = []
  let isCalm = false

  function startNode(at: number): void {
    const broker = redisBroker({
      client: redis.client,
      timeoutMs,
      history: { messages: plan.history, ageMs: plan.ageMs },
    })
    broker.subscribe(
      (channel, { id }) => {
        truth.hear(id, broker)
        note(() => `node ${at} hears ${id} of ${channel}`)
      },
      (after) => note(`node ${at} has lost what came after ${after}`),
    )
    // What cannot be read while Redis is away ends a link, and is told here.
    const onError = (error: unknown) => {
      note(`node ${at} met ${String(error)}`)
      if (isCalm) fail(`node ${at} met ${String(error)} when all was well`)
    }
    nodes[at] = { broker, hub: createHub({ broker, heartbeatMs: 5_000, onError }) }
  }
  async function stopNode({ hub, broker }: Node): Promise<void> {
    truth.forget(broker)
    await hub.close({ code: 1012 })
    await broker.close()
  }
  for (let at = 0; at < plan.nodes; at += 1) startNode(at)
  // As behind a balancer that remembers nobody.
  network.listen('server', {
    admit: (request) => (nodes[Math.floor(random() * nodes.length)] as Node).hub.admit(request),
  })

  const watched: Watched[] = plan.clients.map(({ wire, channels }, number) =>
    watchClient({ number, wire, channels, network, ledger: truth, fail, note }),
  )

  async function publish(at: number, channel: string): Promise<void> {
    const { hub, broker } = nodes[at] as Node
    try {
      const id = await hub.publish(channel, { n: 0 })
      note(() => `node ${at} published ${id} to ${channel}`)
      truth.confirm(id, broker)
    } catch (error) {
      note(() => `node ${at}: ${String(error)}`)
      if (isCalm || !(error instanceof PublishError)) fail(`publishing failed: ${String(error)}`)
    }
  }
  const linkAt = (which: number) => [...network.links][Math.floor(which * network.links.size)]

  function perform(action: Action): void {
    note(() => JSON.stringify(action))
    switch (action.type) {
      case 'publish':
        for (let left = action.count; left > 0; left -= 1) void publish(action.node, action.channel)
        break
      case 'cut':
        linkAt(action.which)?.cut()
        break
      case 'stall':
        linkAt(action.which)?.stall()
        break
      case 'node restarts': {
        closings.push(stopNode(nodes[action.node] as Node))
        startNode(action.node)
        break
      }
      case 'redis cut':
        redis.cut()
        break
      case 'redis forgets answers':
        redis.forgetAnswers(action.count)
        break
      case 'redis pauses':
        redis.pause(action.ms)
        break
      case 'redis is full':
        redis.fill(action.ms)
        break
      case 'redis copies':
        copy = redis.snapshot()
        truth.mark()
        break
      case 'redis restarts': {
        const { data } = action
        redis.restart(action.downMs, data === 'behind' ? (copy ?? 'none') : data)
        if (data === 'none' || (data === 'behind' && copy === undefined)) truth.lose(false)
        else if (data === 'behind') truth.lose(true)
        break
      }
      default:
        watched[action.client]?.perform(action)
    }
  }

  async function step(): Promise<void> {
    vi.advanceTimersToNextTimer()
    await settled()
    for (const client of watched) client.check()
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
  await until(() => false, faultyMs + 1_000)
  redis.calm()
  network.calm()
  await until(() => false, quietMs)
  isCalm = true
  // The first may meet what the faults left behind; the second must be heard by all.
  for (const excuses of [true, false]) {
    await Promise.race([
      Promise.all(allChannels.map((channel, at) => publish(at % plan.nodes, channel))),
      until(() => false, timeoutMs * 2),
    ])
    if (await until(() => watched.every((client) => client.unsettled(excuses) === undefined), calmMs))
      continue
    const why = watched.map((client) => client.unsettled(excuses)).find((reason) => reason !== undefined)
    if (problems.length === 0) fail(why ?? 'time stood still')
    break
  }
  if (problems.length === 0) await countAll()
  for (const client of watched) client.finish()
  for (const node of nodes) closings.push(stopNode(node))
  await until(() => vi.getTimerCount() === 0, 20_000)
  if (problems.length === 0 && vi.getTimerCount() > 0)
    fail(`${vi.getTimerCount()} timers are left at the end`)
  vi.clearAllTimers()
  return {
    problems,
    trace,
    heard: watched.reduce((sum, { heard }) => sum + heard(), 0),
    gaps: watched.reduce((sum, { gaps }) => sum + gaps(), 0),
  }

  /** All is well: every node counts the same, and rightly. */
  async function countAll(): Promise<void> {
    await until(() => false, 10_000)
    for (const channel of allChannels) {
      const here = nodes.map(({ hub }) => [...hub.peers].filter((peer) => peer.channels.has(channel)).length)
      const expected = here.reduce((sum, count) => sum + count, 0)
      let counted: number[] | undefined
      void Promise.all(nodes.map(({ hub }) => hub.count(channel))).then((counts) => {
        counted = counts
      })
      await until(() => counted !== undefined, 5_000)
      if (counted?.every((count) => count === expected) !== true)
        fail(`${channel} has ${expected} followers, and nodes count ${counted?.join()}`)
    }
  }
}

/** All that was stored by any Redis: what clients are held against. */
interface Truth extends Ledger {
  add(channel: string, entryId: string): void
  /** A node knows of it: as it has heard it, or was told that it is stored. */
  hear(id: string, by: RedisBroker): void
  confirm(id: string, by: RedisBroker): void
  /** That node is gone, and what it knew. */
  forget(by: RedisBroker): void
  /** What there is now is copied. */
  mark(): void
  /** What came after the copy is lost, or all. */
  lose(isCopied: boolean): void
}

const perEpoch = 1_000_000

/** The ids of what an entry of a channel's history holds. */
function idsIn(id: string, [, first, , group = '']: readonly string[]): string[] {
  const bytes = Buffer.from(group, 'latin1')
  const index = 1 + bytes.readUInt8(0)
  return Array.from({ length: bytes.readUInt16BE(index) }, (_, nth) => {
    const place = bytes.readUInt16BE(index + 2 + 6 * nth)
    return id.replace(/[0-9]+$/, String(Number(first) + place))
  })
}

function createTruth(): Truth {
  const epochs: string[] = []
  const entries = new Map<string, number[]>()
  const knownTo = new Map<number, Set<RedisBroker>>()
  const lost = new Set<number>()
  let now = 0
  let copied = 0
  const of = (channel: string) => entries.get(channel) ?? []

  /** Epochs come up in their order. */
  function place(epoch: string, number: number): number {
    let at = epochs.indexOf(epoch)
    if (at === -1) at = epochs.push(epoch) - 1
    return at * perEpoch + number
  }
  function order(id: string): number {
    if (id === '') return -1
    const [epoch = '', number = ''] = id.split('-')
    return place(epoch, Number(number))
  }
  function know(id: string, by: RedisBroker): void {
    knownTo.set(order(id), (knownTo.get(order(id)) ?? new Set()).add(by))
  }

  return {
    order,
    now: () => now,
    count: (channel) => of(channel).length,
    newest: (channel) => of(channel).at(-1) ?? -1,
    isLost: (at) => lost.has(at),
    isKnown: (at) => (knownTo.get(at)?.size ?? 0) > 0,
    between: (channel, after, before) => of(channel).filter((at) => at > after && at < before),
    add(channel, entryId) {
      const [epoch = '', number = ''] = entryId.split('-')
      const at = place(Number(epoch).toString(36), Number(number))
      entries.set(channel, [...of(channel), at])
      now = at
    },
    hear: know,
    confirm(id, by) {
      if (
        !of('')
          .concat(...entries.values())
          .includes(order(id))
      )
        throw new Error(`${id} was never stored`)
      know(id, by)
    },
    forget(by) {
      for (const known of knownTo.values()) known.delete(by)
    },
    mark() {
      copied = now
    },
    lose(isCopied) {
      const from = isCopied ? copied : -1
      // What nobody knew of was never published, as far as anybody was told.
      for (const [channel, list] of entries) {
        const kept = list.filter((at) => at <= from || (knownTo.get(at)?.size ?? 0) > 0)
        for (const at of kept) if (at > from) lost.add(at)
        entries.set(channel, kept)
      }
    },
    watch() {
      throw new Error('the brokers are watched by the Redis that they share')
    },
  }
}
