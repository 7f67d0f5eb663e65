import { backoffMs, clampRetryMs, minRetryMs } from './backoff.ts'
import { type Close, closeCode, mayReturn } from './close.ts'
import type { Frame, Gap } from './frame.ts'
import type { Message } from './message.ts'

/**
 * `connecting`: a link is being made; `open`: there is one and, where channels are followed, a position on it, so that
 * nothing from here on is lost unnoticed; `waiting`: for the next try; `closed`: for good.
 */
export type State = 'connecting' | 'open' | 'waiting' | 'closed'

/** How a client lives. All durations in milliseconds. */
export interface LifecycleOptions {
  /** Whether to come back after a link was lost. */
  readonly reconnect: boolean
  /** How long a link may take to open, its greeting included where one is owed. */
  readonly connectMs: number
  /** Longest silence before the link is taken for dead; `undefined`: what the server announced, and a grace of 10 s. */
  readonly silenceMs: number | undefined
  /** The jitter's window for the first try. */
  readonly baseMs: number
  /** The jitter's largest window. */
  readonly capMs: number
}

/** A client's life as a value. `step` makes the next one. */
export interface Lifecycle {
  readonly state: State
  /** The position after which the stream goes on; `''` before there is one. */
  readonly lastEventId: string
  /** Tries since a link last brought something. */
  readonly attempt: number
  /** The server's `retry`. */
  readonly retryMs: number
  /** The least wait that the server asked for when the last link was lost. */
  readonly waitMs: number
  /** The silence that this link may keep; 0 for any. */
  readonly silenceMs: number
  /** Why it is closed, or why the last link was lost; `undefined` while there is one. */
  readonly close: Close | undefined
}

/** What happens to a client. Whoever drives it sees to it that only the current link speaks. */
export type Input =
  /** There is a link. `greets`: whether the server owes a greeting on it, before which there is no position to return to. */
  | { readonly type: 'opened'; readonly greets?: boolean }
  | { readonly type: 'frame'; readonly frame: Frame }
  /** The link ended, or did not come about. `random` in [0, 1). */
  | {
      readonly type: 'lost'
      readonly close: Close
      readonly retryAfterMs?: number | undefined
      /** Whether to come back; `undefined`: as the code says. */
      readonly returns?: boolean | undefined
      readonly random: number
    }
  /** The deadline that was last set has passed. */
  | { readonly type: 'deadline'; readonly random: number }
  /** Something says that trying now is worth it: the network is back, the page is seen again. */
  | { readonly type: 'wake'; readonly random: number }
  /** A second link has taken over; `at` is the position that it was asked from. */
  | { readonly type: 'handed'; readonly at: string }
  /** The current link, or the wait for one, is to give way to a new one now. */
  | { readonly type: 'restart'; readonly close: Close }
  /** The application is done. */
  | { readonly type: 'close'; readonly close: Close }

/** What is to be done about it, in this order. */
export type Effect =
  /** Make a link, at `lastEventId`. */
  | { readonly type: 'connect' }
  /** End the current link. */
  | { readonly type: 'disconnect'; readonly close: Close }
  /** Set the one deadline, in place of the last; 0 for none. */
  | { readonly type: 'deadline'; readonly ms: number }
  /** Bring the deadline nearer, if it is further than this. */
  | { readonly type: 'hasten'; readonly ms: number }
  | { readonly type: 'deliver'; readonly message: Message }
  | { readonly type: 'gap'; readonly gap: Gap }

/** A life and what it asks for. */
export interface Step {
  readonly next: Lifecycle
  readonly effects: readonly Effect[]
}

const graceMs = 10_000
/** An hour. A server that names more says nothing, and more than 24 days would make timers fire at once. */
const maxHeartbeatMs = 3_600_000

/** The first step of a life. */
export function begin(lastEventId: string, options: LifecycleOptions): Step {
  const next: Lifecycle = {
    state: 'connecting',
    lastEventId,
    attempt: 0,
    retryMs: minRetryMs,
    waitMs: minRetryMs,
    silenceMs: 0,
    close: undefined,
  }
  return { next, effects: [{ type: 'connect' }, { type: 'deadline', ms: options.connectMs }] }
}

/** What comes of one input. Pure: the same life and input give the same step, so that a whole client can be replayed. */
export function step(life: Lifecycle, input: Input, options: LifecycleOptions): Step {
  if (life.state === 'closed') return { next: life, effects: [] }
  switch (input.type) {
    case 'opened': {
      if (input.greets) return { next: life, effects: [] }
      const next = open(life, options)
      return { next, effects: [{ type: 'deadline', ms: next.silenceMs }] }
    }
    case 'frame':
      return onFrame(life, input.frame, options)
    case 'lost':
      return lose(life, input, options, [])
    case 'deadline':
      return onDeadline(life, input.random, options)
    case 'wake':
      if (life.state !== 'waiting') return { next: life, effects: [] }
      // As long as after a first loss, and so never sooner than the server asked for.
      return {
        next: { ...life, attempt: 1 },
        effects: [{ type: 'hasten', ms: waitFor({ ...life, attempt: 0 }, input.random, options) }],
      }
    case 'handed': {
      const next = { ...open(life, options), lastEventId: input.at }
      return { next, effects: [{ type: 'deadline', ms: next.silenceMs }] }
    }
    case 'restart':
      return {
        next: { ...life, state: 'connecting' },
        effects: [
          { type: 'disconnect', close: input.close },
          { type: 'connect' },
          { type: 'deadline', ms: options.connectMs },
        ],
      }
    case 'close':
      return {
        next: { ...life, state: 'closed', close: input.close },
        effects: [
          { type: 'deadline', ms: 0 },
          { type: 'disconnect', close: input.close },
        ],
      }
  }
}

/** Of a link's silence nothing is known before its hello. */
function open(life: Lifecycle, options: LifecycleOptions): Lifecycle {
  return { ...life, state: 'open', silenceMs: options.silenceMs ?? 0, close: undefined }
}

function onFrame(before: Lifecycle, frame: Frame, options: LifecycleOptions): Step {
  if (before.state === 'connecting' && !isGreeting(frame)) {
    // The deadline for the greeting stands.
    return { next: frame.type === 'retry' ? { ...before, retryMs: frame.retryMs } : before, effects: [] }
  }
  const life = before.state === 'connecting' ? open(before, options) : before
  const alive: Effect = { type: 'deadline', ms: life.silenceMs }
  switch (frame.type) {
    case 'message': {
      const { message } = frame
      const lastEventId = message.id === '' ? life.lastEventId : message.id
      return { next: moved(life, lastEventId), effects: [alive, { type: 'deliver', message }] }
    }
    case 'heartbeat':
      // A server that dies within its first message must not be stormed either.
      return {
        next: life.attempt === 0 || frame.partial ? life : moved(life, life.lastEventId),
        effects: [alive],
      }
    case 'position':
      return { next: moved(life, frame.id), effects: [alive] }
    case 'hello': {
      // No proof of life yet: a server that greets and closes at once would be asked again without a pause.
      const silenceMs =
        options.silenceMs ??
        (frame.heartbeatMs === 0 ? 0 : Math.min(frame.heartbeatMs, maxHeartbeatMs) + graceMs)
      const lastEventId = frame.id === '' ? life.lastEventId : frame.id
      return { next: { ...life, lastEventId, silenceMs }, effects: [{ type: 'deadline', ms: silenceMs }] }
    }
    case 'gap': {
      const lastEventId = frame.id === '' ? life.lastEventId : frame.id
      return { next: { ...life, lastEventId }, effects: [alive, { type: 'gap', gap: frame.gap }] }
    }
    case 'retry':
      return { next: { ...life, retryMs: frame.retryMs }, effects: [alive] }
    case 'close':
      // A connection keeps this frame to itself: it ends, and `closed` says why.
      return { next: life, effects: [] }
  }
}

/** A link brought something. Written out, since a spread takes as long as all the rest of a message's step. */
function moved(life: Lifecycle, lastEventId: string): Lifecycle {
  const { state, retryMs, waitMs, silenceMs, close } = life
  return { state, lastEventId, attempt: 0, retryMs, waitMs, silenceMs, close }
}

/**
 * Whether this frame, coming first, says where the stream stands. A hub gives its `retry` before, and a heartbeat may pass
 * while it still looks the position up.
 *
 * @internal
 */
export function isGreeting(frame: Frame): boolean {
  return frame.type !== 'retry' && frame.type !== 'heartbeat'
}

function onDeadline(life: Lifecycle, random: number, options: LifecycleOptions): Step {
  if (life.state === 'waiting') {
    return {
      next: { ...life, state: 'connecting' },
      effects: [{ type: 'connect' }, { type: 'deadline', ms: options.connectMs }],
    }
  }
  const close: Close =
    life.state === 'connecting'
      ? { code: closeCode.connectTimeout, reason: `no link was ready within ${options.connectMs} ms` }
      : { code: closeCode.silent, reason: `nothing was heard for ${life.silenceMs} ms` }
  return lose(life, { close, random }, options, [{ type: 'disconnect', close }])
}

function lose(
  life: Lifecycle,
  {
    close,
    retryAfterMs = 0,
    returns = mayReturn(close.code),
    random,
  }: Pick<Extract<Input, { type: 'lost' }>, 'close' | 'retryAfterMs' | 'returns' | 'random'>,
  options: LifecycleOptions,
  effects: readonly Effect[],
): Step {
  if (!options.reconnect || !returns) {
    return {
      next: { ...life, state: 'closed', close },
      // Also where the link is gone: a second one may be on its way to take over.
      effects: [
        { type: 'deadline', ms: 0 },
        { type: 'disconnect', close: { code: closeCode.normal, reason: '' } },
      ],
    }
  }
  const waitMs = clampRetryMs(Math.max(life.retryMs, retryAfterMs))
  const ms = waitFor({ ...life, waitMs }, random, options)
  return {
    next: { ...life, state: 'waiting', attempt: life.attempt + 1, waitMs, silenceMs: 0, close },
    effects: [...effects, { type: 'deadline', ms }],
  }
}

function waitFor(
  { attempt, waitMs }: Lifecycle,
  random: number,
  { baseMs, capMs }: LifecycleOptions,
): number {
  return backoffMs({ attempt, retryMs: waitMs, baseMs, capMs, random })
}
