import { type Broker, type BrokerListener, checkOptions } from '@eitherway/core'
import { readHistory } from './history.ts'
import { createKnowledge } from './knowledge.ts'
import { createLink } from './link.ts'
import { checkLua } from './lua.ts'
import { type RedisOptions, redisNames, settingsOf } from './options.ts'
import { persist } from './patience.ts'
import { fromEntryId, fromId, isAfter, nowhere, type Position, toId } from './position.ts'
import { createPresence, nodeTtlMs } from './presence.ts'
import { createPublishing } from './publishing.ts'
import { createReader } from './reader.ts'
import { createRelay } from './relay.ts'
import { createScript, runKnowing } from './script.ts'

/** A broker whose hubs may be on any number of nodes. */
export interface RedisBroker extends Broker {
  /**
   * Ends its connections. What waits to be published fails, and so does whatever comes. Close the hub first; the client that was
   * given stays as it was.
   */
  close(): Promise<void>
}

/** How often it asks Redis where it stands: so long a failure that nobody was told of goes unnoticed. */
const checkMs = 2_000
/** How often it says that this node lives. */
const tellMs = nodeTtlMs / 3

const checking = createScript(checkLua)

/**
 * The broker of many nodes: gives ids, stores and spreads in Redis 7 or Valkey, in one step. Hubs whose brokers have the same
 * `prefix` there are as one: any of them publishes to the peers of all, and a client resumes on any.
 *
 * @throws TypeError for a setting that is none.
 */
export function redisBroker(options: RedisOptions): RedisBroker {
  checkOptions('redisBroker', options, redisNames)
  const settings = settingsOf(options)
  const { keys, timeoutMs, maxTotalBytes, maxAgeMs } = settings
  const node = newName()
  const commands = createLink(settings.client, keys.meta)
  const listeners = new Set<BrokerListener>()
  const losers = new Set<(after: string) => void>()
  let closed = false
  const hasEnded = () => closed

  const knowledge = createKnowledge(() => reader.position ?? nowhere)
  const asking = { settings, link: commands, knowledge, hasEnded }

  async function check(ms: number): Promise<Position> {
    const reply = String(
      await runKnowing(
        checking,
        asking,
        [keys.meta, keys.log, keys.logs, keys.fresh],
        [maxTotalBytes, maxAgeMs],
        ms,
      ),
    )
    const position = fromEntryId(reply)
    if (position === undefined) throw new Error(`Redis answered ${reply} where an id should be`)
    return position
  }

  const relay = createRelay(settings, commands, node)
  const presence = createPresence(settings, commands, node, hasEnded)
  const reader = createReader({
    link: createLink(settings.client, keys.meta),
    log: keys.log,
    inbox: keys.inbox(node),
    check: () => check(timeoutMs),
    onMessage(channel, message) {
      for (const listener of listeners) listener(channel, message)
    },
    onLost(after) {
      for (const tell of losers) tell(toId(after))
    },
    onPost: relay.hear,
  })
  const publishing = createPublishing({
    ...asking,
    writer: node,
    ready: () => reader.opened(timeoutMs),
  })

  function tellAll(): void {
    // What fails is told again, a few seconds later.
    presence.tell().catch(() => undefined)
    relay.tell().catch(() => undefined)
  }

  let published: Position = nowhere
  let isChecking = false
  /** What was published when it last asked should have been heard by now, whatever the connections say. */
  async function look(): Promise<void> {
    if (isChecking || reader.position === undefined) return
    isChecking = true
    const found = await persist(checkMs, check, hasEnded)
    isChecking = false
    if (!('value' in found) || closed) return
    if (isAfter(published, reader.position)) reader.skip(found.value)
    if (found.value.epoch !== published.epoch) {
      // Another life of Redis, or what it held is lost: what was said here may be of some time ago.
      presence.renew()
      tellAll()
    }
    published = found.value
  }
  const timers = [setInterval(() => void look(), checkMs), setInterval(tellAll, tellMs)]
  tellAll()

  return {
    publish: publishing.publish,
    subscribe(listener, onLost) {
      listeners.add(listener)
      if (onLost !== undefined) losers.add(onLost)
      return () => {
        listeners.delete(listener)
        if (onLost !== undefined) losers.delete(onLost)
      }
    },
    position() {
      const { position } = reader
      if (position !== undefined && !isAfter(knowledge.stored, position)) return toId(position)
      return (async () => {
        await reader.opened(timeoutMs)
        await reader.reached(knowledge.stored, timeoutMs)
        return toId(reader.position as Position)
      })()
    },
    isAfter: (id, other) => isAfter(fromId(id) ?? nowhere, fromId(other) ?? nowhere),
    async history(channels, after, bounds = {}) {
      await reader.opened(timeoutMs)
      const { history, upTo } = await readHistory(asking, channels, after, bounds)
      // Who reads this is told apart what it has read by hearing it: it must not hear it later.
      await reader.reached(upTo, timeoutMs)
      return history
    },
    relay,
    presence,
    async close() {
      if (closed) return
      closed = true
      for (const timer of timers) clearInterval(timer)
      publishing.end()
      relay.end()
      reader.end()
      // So that nobody counts its peers until it is forgotten. Without Redis that is all there is to do.
      await commands.send(['ZREM', keys.nodes, node], Math.min(timeoutMs, 1_000)).catch(() => undefined)
      commands.end()
    },
  }
}

/** 96 random bits: no two are alike. */
export function newName(): string {
  return [...crypto.getRandomValues(new Uint32Array(3))].map((part) => part.toString(36)).join('')
}
