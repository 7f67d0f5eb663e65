import { type Broker, type BrokerListener, byteLength, createMessage, type Message } from '@eitherway/core'

/** How much of each channel a memory broker keeps. Whichever bound is met first evicts the oldest. */
export interface HistoryLimits {
  /** Messages kept for each channel; 0 keeps none. @defaultValue 1000 */
  readonly messages?: number
  /** Bytes of data kept for each channel. @defaultValue 4 MiB (4,194,304) */
  readonly bytes?: number
  /** Age in milliseconds after which a message is no longer kept. @defaultValue 300,000 (five minutes) */
  readonly ageMs?: number
}

interface Log {
  entries: { seq: number; at: number; bytes: number; message: Message }[]
  bytes: number
  /** The newest message that is no longer kept. */
  evicted: number
}

/**
 * The broker of a single process: what is kept goes with it, which the epoch then tells.
 *
 * Ids are `<epoch>-<number>`, the number counted over all channels.
 */
export function memoryBroker(limits: HistoryLimits = {}): Broker {
  const {
    messages: maxMessages = 1000,
    bytes: maxBytes = 4 * 1024 * 1024,
    ageMs: maxAgeMs = 300_000,
  } = limits
  const epoch = newEpoch()
  const logs = new Map<string, Log>()
  const listeners = new Set<BrokerListener>()
  let seq = 0

  const idOf = (number: number) => `${epoch}-${number}`

  function evict(log: Log, now: number): void {
    let gone = 0
    for (const entry of log.entries) {
      const kept = log.entries.length - gone
      if (kept <= maxMessages && log.bytes <= maxBytes && now - entry.at <= maxAgeMs) break
      log.bytes -= entry.bytes
      log.evicted = entry.seq
      gone += 1
    }
    if (gone > 0) log.entries.splice(0, gone)
  }

  return {
    async publish(channel, event, data) {
      const message = createMessage(event, data, idOf(seq + 1))
      seq += 1
      let log = logs.get(channel)
      if (log === undefined) {
        log = { entries: [], bytes: 0, evicted: 0 }
        logs.set(channel, log)
      }
      const entry = { seq, at: Date.now(), bytes: byteLength(data), message }
      log.entries.push(entry)
      log.bytes += entry.bytes
      evict(log, entry.at)
      for (const listener of listeners) listener(channel, message)
      return message.id
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async position() {
      return idOf(seq)
    },
    async history(channels, after) {
      const [theirEpoch, number] = parseId(after)
      if (number === undefined) return { messages: [], gap: { reason: 'unknown', channels } }
      if (theirEpoch !== epoch) return { messages: [], gap: { reason: 'epoch', channels } }
      if (number > seq) return { messages: [], gap: { reason: 'unknown', channels } }
      const found: Log['entries'] = []
      const lost: string[] = []
      for (const channel of channels) {
        const log = logs.get(channel)
        if (log === undefined) continue
        evict(log, Date.now())
        if (number < log.evicted) lost.push(channel)
        else found.push(...log.entries.filter((entry) => entry.seq > number))
      }
      found.sort((a, b) => a.seq - b.seq)
      const messages = found.map(({ message }) => message)
      return lost.length === 0 ? { messages } : { messages, gap: { reason: 'evicted', channels: lost } }
    },
  }
}

function parseId(id: string): [epoch: string, number: number | undefined] {
  const match = /^([a-z0-9]+)-(0|[1-9][0-9]{0,14})$/.exec(id)
  return [match?.[1] ?? '', match === null ? undefined : Number(match[2])]
}

/** 48 random bits: two runs of a server must never take each other's positions for their own. */
function newEpoch(): string {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  return (high * 0x10000 + (low & 0xffff)).toString(36)
}
