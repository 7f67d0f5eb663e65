import type { Close, Frame } from '@eitherway/core'

/**
 * What the tabs of one shared link say to each other. Each hears all; whoever leads has a name of its own for each time that
 * it does, so that what one says who leads no longer is known by it.
 */
export type Said =
  /** A tab wants what comes after `at`; `''`: from now on. `ask` is its own name for this question. */
  | { readonly type: 'join'; readonly ask: string; readonly at: string }
  /** A tab makes the link, and will lead. */
  | { readonly type: 'soon'; readonly leader: string }
  /** The link stands: whoever wants a place may join. */
  | { readonly type: 'lead'; readonly leader: string }
  /** The answer to a question: what was asked for, and all that the leader says from here on is what follows. */
  | {
      readonly type: 'welcome'
      readonly ask: string
      readonly leader: string
      readonly frames: readonly Frame[]
    }
  /** The answer to a question that reaches further back, or further on, than what the leader remembers. */
  | { readonly type: 'apart'; readonly ask: string; readonly leader: string; readonly at: string }
  | { readonly type: 'frame'; readonly leader: string; readonly frame: Frame }
  /** The link has ended, for all. */
  | { readonly type: 'end'; readonly leader: string; readonly close: Close }
  /** The leader goes: another one is next. */
  | { readonly type: 'left'; readonly leader: string }

/** As much of `navigator.locks` as is used, so that a test can bring its own. */
export interface LocksLike {
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    hold: () => Promise<void>,
  ): Promise<unknown>
}

/** As much of a `BroadcastChannel` as is used. */
export interface BroadcastLike {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  close(): void
}
