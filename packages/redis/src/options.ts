import { checkNumber, checkOptions, checkWhole, type OptionNames } from '@eitherway/core'
import { checkClient, type RedisClient } from './client.ts'
import { type Keys, keysOf } from './keys.ts'

/** How much is kept in Redis. Whichever bound is met first evicts the oldest. */
export interface HistoryLimits {
  /** Messages kept for each channel; 0 keeps none. @defaultValue 1000 */
  readonly messages?: number
  /** Bytes of data kept for each channel. @defaultValue 4 MiB (4,194,304) */
  readonly bytes?: number
  /** Bytes of data kept for all channels together; those that were published to least recently go first. @defaultValue 64 MiB */
  readonly totalBytes?: number
  /** Age in milliseconds, by Redis's clock, after which a message is no longer kept. @defaultValue 300,000 (five minutes) */
  readonly ageMs?: number
}

/** What all that share a hub in Redis have to set alike. */
export interface RedisOptions {
  /** A client of `ioredis` or `redis` (node-redis) after whose pattern the connections are made. */
  readonly client: RedisClient
  /** Names the hub in Redis: 1 to 255 bytes without `{` and `}`. Two hubs of one name are one. @defaultValue `eitherway` */
  readonly prefix?: string
  /** How much is kept for clients that come back. Those that publish set it alike, as each evicts by its own. */
  readonly history?: HistoryLimits
  /**
   * The longest that a publish, or reading history, may take, in milliseconds, 1 to 600,000: meanwhile Redis may be gone and come back. Beyond it
   * they fail. @defaultValue 5,000
   */
  readonly timeoutMs?: number
  /**
   * What may wait to be stored, in bytes of data and some 300 for each message; beyond it publishing fails at once.
   *
   * @defaultValue 64 MiB (67,108,864)
   */
  readonly maxQueuedBytes?: number
}

/** What was set, checked and completed. @internal */
export interface Settings {
  readonly client: RedisClient
  readonly keys: Keys
  readonly maxMessages: string
  readonly maxBytes: string
  readonly maxTotalBytes: string
  readonly maxAgeMs: string
  readonly timeoutMs: number
  readonly maxQueuedBytes: number
}

/** @internal */
export const redisNames: OptionNames<RedisOptions> = {
  client: true,
  prefix: true,
  history: true,
  timeoutMs: true,
  maxQueuedBytes: true,
}

/** @throws TypeError for a setting that is none. @internal */
export function settingsOf(options: RedisOptions): Settings {
  const { history = {}, timeoutMs = 5_000, maxQueuedBytes = 64 * 1024 * 1024 } = options ?? {}
  checkOptions('history', history, { messages: true, bytes: true, totalBytes: true, ageMs: true })
  checkNumber('timeoutMs', timeoutMs, 1, maxTimeoutMs)
  checkWhole('maxQueuedBytes', maxQueuedBytes)
  checkClient(options?.client)
  return {
    client: options.client,
    keys: keysOf(options.prefix ?? 'eitherway'),
    maxMessages: limit('messages', history.messages ?? 1000),
    maxBytes: limit('bytes', history.bytes ?? 4 * 1024 * 1024),
    maxTotalBytes: limit('totalBytes', history.totalBytes ?? 64 * 1024 * 1024),
    maxAgeMs: limit('ageMs', history.ageMs ?? 300_000),
    timeoutMs,
    maxQueuedBytes,
  }
}

/** Ten minutes. */
const maxTimeoutMs = 600_000

/** As Redis reads it; Infinity is more than it can keep. */
function limit(name: string, value: number): string {
  checkNumber(`history.${name}`, value)
  return String(Math.min(value, Number.MAX_SAFE_INTEGER))
}
