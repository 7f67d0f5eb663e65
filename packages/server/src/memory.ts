import {
  type Broker,
  type BrokerListener,
  byteLength,
  checkNumber,
  checkOptions,
  createMessage,
  type Message,
} from '@eitherway/core'
import { memoryRelay } from './memory-relay.ts'

/** How much a memory broker keeps. Whichever bound is met first evicts the oldest. */
export interface HistoryLimits {
  /** Messages kept for each channel; 0 keeps none. @defaultValue 1000 */
  readonly messages?: number
  /** Bytes of data kept for each channel. @defaultValue 4 MiB (4,194,304) */
  readonly bytes?: number
  /** Bytes of data kept for all channels together; those that were published to least recently go first. @defaultValue 64 MiB */
  readonly totalBytes?: number
  /** Age in milliseconds after which a message is no longer kept. @defaultValue 300,000 (five minutes) */
  readonly ageMs?: number
}

interface Entry {
  readonly seq: number
  readonly at: number
  readonly bytes: number
  readonly message: Message
}

interface Log {
  readonly channel: string
  /** In order. Those before `start` are gone. */
  entries: Entry[]
  start: number
  bytes: number
  /** The newest message that is no longer kept. */
  evicted: number
  /** The next that was published to less recently, and more recently. */
  staler: Log | undefined
  fresher: Log | undefined
}

/**
 * The broker of a single process: what is kept goes with it, which the epoch then tells.
 *
 * Ids are `<epoch>-<number>`, the number counted over all channels.
 *
 * @throws TypeError for a limit that is none.
 */
export function memoryBroker(limits: HistoryLimits = {}): Broker {
  checkOptions('history', limits, { messages: true, bytes: true, totalBytes: true, ageMs: true })
  const maxMessages = limit('messages', limits.messages ?? 1000)
  const maxBytes = limit('bytes', limits.bytes ?? 4 * 1024 * 1024)
  const maxTotalBytes = limit('totalBytes', limits.totalBytes ?? 64 * 1024 * 1024)
  const maxAgeMs = limit('ageMs', limits.ageMs ?? 300_000)
  const epoch = newEpoch()
  const logs = new Map<string, Log>()
  // In the order of their newest message. Linked, because a Map whose oldest keys are taken away and added again is a walk
  // over the places where they were.
  let stalest: Log | undefined
  let freshest: Log | undefined
  const listeners = new Set<BrokerListener>()
  let seq = 0
  let totalBytes = 0
  /** The newest message of any channel whose log is gone: nobody can tell any more which channel it was. */
  let forgotten = 0

  const idOf = (number: number) => `${epoch}-${number}`

  /** Takes the oldest away while `isOver` says so of what is left. */
  function evict(log: Log, isOver: (oldest: Entry, kept: number) => boolean): void {
    for (let entry = log.entries[log.start]; entry !== undefined; entry = log.entries[log.start]) {
      if (!isOver(entry, log.entries.length - log.start)) break
      log.bytes -= entry.bytes
      totalBytes -= entry.bytes
      log.evicted = entry.seq
      log.entries[log.start] = gone
      log.start += 1
    }
    // Closed up when it is the larger part, so that a publish costs the same however long history is.
    if (log.start > 64 && log.start * 2 > log.entries.length) {
      log.entries = log.entries.slice(log.start)
      log.start = 0
    }
  }

  function unlink({ staler, fresher }: Log): void {
    if (staler === undefined) stalest = fresher
    else staler.fresher = fresher
    if (fresher === undefined) freshest = staler
    else fresher.staler = staler
  }

  function append(log: Log): void {
    log.staler = freshest
    log.fresher = undefined
    if (freshest === undefined) stalest = log
    else freshest.fresher = log
    freshest = log
  }

  function logOf(channel: string): Log {
    const known = logs.get(channel)
    if (known !== undefined) {
      unlink(known)
      append(known)
      return known
    }
    const log: Log = {
      channel,
      entries: [],
      start: 0,
      bytes: 0,
      evicted: forgotten,
      staler: undefined,
      fresher: undefined,
    }
    logs.set(channel, log)
    append(log)
    return log
  }

  /** Without this, a name that is used once would be kept for ever. */
  function evictStale(now: number): void {
    for (let log = stalest; log !== undefined; log = stalest) {
      evict(log, ({ at }) => totalBytes > maxTotalBytes || now - at > maxAgeMs)
      if (log.start < log.entries.length) break
      forgotten = Math.max(forgotten, log.evicted)
      logs.delete(log.channel)
      unlink(log)
    }
  }

  return {
    relay: memoryRelay(),
    async publish(channel, event, data) {
      const message = createMessage(event, data, idOf(seq + 1))
      seq += 1
      const log = logOf(channel)
      const entry = { seq, at: Date.now(), bytes: byteLength(data), message }
      log.entries.push(entry)
      log.bytes += entry.bytes
      totalBytes += entry.bytes
      evict(log, (_, kept) => kept > maxMessages || log.bytes > maxBytes)
      evictStale(entry.at)
      for (const listener of listeners) listener(channel, message)
      return message.id
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    position() {
      return idOf(seq)
    },
    isAfter: (id, other) => (parseId(id).number ?? 0) > (parseId(other).number ?? 0),
    async history(channels, after, { maxBytes = Number.POSITIVE_INFINITY, until } = {}) {
      const { epoch: theirs, number } = parseId(after)
      const last = until === undefined ? seq : (parseId(until).number ?? seq)
      const position = idOf(last)
      if (number === undefined || (theirs === epoch && number > seq)) {
        return { messages: [], gap: { reason: 'unknown', channels }, position }
      }
      if (theirs !== epoch) return { messages: [], gap: { reason: 'epoch', channels }, position }
      const now = Date.now()
      const lost: string[] = []
      const kept: Log[] = []
      for (const channel of channels) {
        const log = logs.get(channel)
        if (log !== undefined) evict(log, ({ at }) => now - at > maxAgeMs)
        if (number < (log?.evicted ?? forgotten)) lost.push(channel)
        else if (log !== undefined) kept.push(log)
      }
      const { messages, isWhole } = merge(kept, number, last, maxBytes)
      return {
        messages,
        ...(lost.length === 0 ? {} : { gap: { reason: 'evicted', channels: lost } }),
        position,
        ...(isWhole ? {} : { next: messages.at(-1)?.id ?? position }),
      }
    },
  }
}

/** A log that is being read, and the entry that is next. */
interface Head {
  readonly log: Log
  readonly at: number
  readonly seq: number
}

/** The messages of some logs in their common order, from after a number up to another, until they hold so many bytes. */
function merge(
  logs: readonly Log[],
  after: number,
  last: number,
  maxBytes: number,
): { messages: readonly Message[]; isWhole: boolean } {
  const messages: Message[] = []
  let bytes = 0
  /** The one whose turn is next stands last. */
  const heads: Head[] = []
  function put(log: Log, at: number): void {
    const seq = log.entries[at]?.seq
    if (seq === undefined || seq > last) return
    let low = 0
    let high = heads.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((heads[middle]?.seq ?? 0) > seq) low = middle + 1
      else high = middle
    }
    heads.splice(low, 0, { log, at, seq })
  }
  for (const log of logs) put(log, firstAfter(log, after))
  for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
    if (bytes >= maxBytes) return { messages, isWhole: false }
    const { log, at } = head
    const entry = log.entries[at] as Entry
    messages.push(entry.message)
    bytes += entry.bytes + entryBytes
    put(log, at + 1)
  }
  return { messages, isWhole: true }
}

/** What a message costs beside its data, roughly: many empty ones are a page as well. */
const entryBytes = 64

/** Takes the place of what was evicted, so that its data is let go. */
const gone: Entry = { seq: 0, at: 0, bytes: 0, message: createMessage('gone', '', '') }

/** Where the entries after a number begin. */
function firstAfter({ entries, start }: Log, number: number): number {
  let low = start
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((entries[middle]?.seq ?? 0) > number) high = middle
    else low = middle + 1
  }
  return low
}

function parseId(id: string): { epoch: string; number: number | undefined } {
  const match = /^([a-z0-9]+)-(0|[1-9][0-9]{0,14})$/.exec(id)
  return { epoch: match?.[1] ?? '', number: match === null ? undefined : Number(match[2]) }
}

/** 48 random bits: two runs of a server must never take each other's positions for their own. */
function newEpoch(): string {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  return (high * 0x10000 + (low & 0xffff)).toString(36)
}

function limit(name: string, value: number): number {
  checkNumber(`history.${name}`, value)
  return value
}
