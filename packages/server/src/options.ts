import {
  type Agreement,
  type Broker,
  type Contract,
  checkFunction,
  checkNumber,
  checkOptions,
  checkWhole,
  defaultMaxMessageBytes,
  type Format,
  type FormatOption,
  formatOf,
  type OptionNames,
  show,
} from '@eitherway/core'
import type { AdmissionOptions } from './admission.ts'
import type { SlowPolicy } from './backlog.ts'
import type { HistoryLimits } from './memory.ts'
import { checkRetryMs } from './peer.ts'
import type { PlaceLimits } from './places.ts'

/** Settings of {@link createHub}. */
export interface HubOptions<Context = undefined, A extends Agreement | undefined = undefined>
  extends AdmissionOptions<Context>,
    PlaceLimits {
  /** How the application's values become text or bytes. The clients name the same one. @defaultValue `'json'` */
  readonly format?: FormatOption
  /**
   * What is agreed on with the clients: names and types follow from it. A message that its schema refuses is not handled and
   * told to `onError`, and its peer goes on; a request has the failure `invalid`. @defaultValue none: any name, and data as it came
   */
  readonly contract?: Contract<A>
  /** How much is kept for clients that come back, by the hub's own broker; not together with `broker`, which has its own. */
  readonly history?: HistoryLimits
  /** What orders, stores and spreads the messages. @defaultValue `memoryBroker(history)`: this process alone */
  readonly broker?: Broker
  /**
   * How often every peer hears from the server, in milliseconds; up to 3,600,000, and 0 for never. Clients take the link for dead when it is
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
  /**
   * What may wait to be read by all peers together, in bytes; beyond it those who keep most waiting are closed (4008) and may
   * come back. @defaultValue 256 MiB (268,435,456)
   */
  readonly maxTotalQueuedBytes?: number
  /** Largest message that may be published, in bytes. @defaultValue 1 MiB */
  readonly maxMessageBytes?: number
  /**
   * How many messages a peer may send within a second, on average and at once; beyond it the peer is closed (4029) and may come
   * back. Infinity for no limit: a handler that returns a promise holds a fast sender back as well.
   *
   * @defaultValue 1000: more than people and pages send, less than keeps a core busy
   */
  readonly maxMessagesPerSecond?: number
  /**
   * How deep what a peer sends may nest, in whatever format; beyond it the peer is closed (1007). Reading is safe at any depth;
   * what an application does with it, recursively, is not. @defaultValue 64
   */
  readonly maxDepth?: number
  /**
   * How many requests of one peer are answered at the same time. What comes beyond waits for its turn, and when 64 KiB of it
   * wait the peer is read no further. @defaultValue 32
   */
  readonly maxConcurrentRequests?: number
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

/** @internal */
export const publishNames: OptionNames<PublishOptions> = { event: true }

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

/** @internal */
export const closeNames: OptionNames<CloseOptions> = {
  code: true,
  reason: true,
  drainMs: true,
  retryMs: true,
}

/** What was set, checked and completed. */
export interface HubSettings {
  readonly format: Format
  readonly check: Contract['check']
  readonly heartbeatMs: number
  readonly retryMs: number
  readonly maxQueuedBytes: number
  readonly maxTotalQueuedBytes: number
  readonly maxMessageBytes: number
  readonly maxMessagesPerSecond: number
  readonly maxDepth: number
  readonly maxConcurrentRequests: number
  readonly policyOf: (channel: string) => SlowPolicy
}

const hubNames: OptionNames<HubOptions> = {
  format: true,
  contract: true,
  history: true,
  broker: true,
  authorize: true,
  authorizeChannel: true,
  admitMs: true,
  heartbeatMs: true,
  retryMs: true,
  slow: true,
  maxConnections: true,
  maxConnectionsPerAddress: true,
  trustedProxies: true,
  maxQueuedBytes: true,
  maxTotalQueuedBytes: true,
  maxMessageBytes: true,
  maxMessagesPerSecond: true,
  maxDepth: true,
  maxConcurrentRequests: true,
  onError: true,
}

/** An hour: a client believes in no longer silence. */
const maxHeartbeatMs = 3_600_000

/** @throws TypeError for a setting that is none. @internal */
export function settingsOf<Context>(options: HubOptions<Context, Agreement | undefined>): HubSettings {
  const {
    heartbeatMs = 25_000,
    retryMs = 500,
    maxQueuedBytes = 1024 * 1024,
    maxTotalQueuedBytes = 256 * 1024 * 1024,
    maxMessageBytes = defaultMaxMessageBytes,
    maxMessagesPerSecond = 1000,
    maxDepth = 64,
    maxConcurrentRequests = 32,
    slow = 'disconnect',
  } = options
  checkOptions('createHub', options, hubNames)
  if (options.history !== undefined && options.broker !== undefined) {
    throw new TypeError(
      "`history` is what the hub's own broker keeps, and `broker` is another: give it to that one",
    )
  }
  checkRetryMs(retryMs)
  checkWhole('heartbeatMs', heartbeatMs, 0, maxHeartbeatMs)
  checkWhole('maxQueuedBytes', maxQueuedBytes)
  checkWhole('maxTotalQueuedBytes', maxTotalQueuedBytes)
  checkWhole('maxMessageBytes', maxMessageBytes)
  checkWhole('maxMessagesPerSecond', maxMessagesPerSecond, 1, Number.POSITIVE_INFINITY)
  checkWhole('maxDepth', maxDepth)
  checkWhole('maxConcurrentRequests', maxConcurrentRequests)
  if (typeof slow !== 'function') checkPolicy(slow)
  if (options.onError !== undefined) checkFunction('onError', options.onError)
  return {
    format: formatOf(options.format),
    check: options.contract?.check,
    heartbeatMs,
    retryMs,
    maxQueuedBytes,
    maxTotalQueuedBytes,
    maxMessageBytes,
    maxMessagesPerSecond,
    maxDepth,
    maxConcurrentRequests,
    policyOf: typeof slow === 'function' ? slow : () => slow,
  }
}

function checkPolicy(policy: SlowPolicy): void {
  if (policy === 'disconnect' || policy === 'conflate' || policy === 'drop-oldest') return
  throw new TypeError(
    `\`slow\` must be 'disconnect', 'conflate', 'drop-oldest' or a function, got ${show(policy)}`,
  )
}

/** An hour: longer than any orchestrator waits. */
const maxDrainMs = 3_600_000

/** @throws TypeError when it is no time to wait. @internal */
export function checkDrainMs(drainMs: number): void {
  checkNumber('drainMs', drainMs, 0, maxDrainMs)
}
