import { mayPass, replyCode } from './errors.ts'

/** Why something was given up. */
export interface GivenUp {
  /** What the last try met. */
  readonly cause: unknown
  /** Redis may have done what it was told, and the answer was lost. */
  readonly mayBeDone: boolean
}

const firstWaitMs = 20
const longestWaitMs = 500

/**
 * Tries until it succeeds, for as long as what it meets may pass and there is time.
 *
 * @param attempt - is told how long it may take: a part of the time, so that a connection that is dead and does not say so leaves
 * time for another.
 * @param hasEnded - nobody waits for it any more.
 * @returns what it returned, or why it was given up.
 */
export async function persist<T>(
  ms: number,
  attempt: (ms: number) => Promise<T>,
  hasEnded: () => boolean,
): Promise<{ readonly value: T } | GivenUp> {
  const end = performance.now() + ms
  let mayBeDone = false
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    const leftMs = end - performance.now()
    try {
      return { value: await attempt(Math.max(1, Math.min(leftMs, ms / 3))) }
    } catch (cause) {
      if (!mayPass(cause)) return { cause, mayBeDone: false }
      if (replyCode(cause) === undefined) mayBeDone = true
      if (hasEnded() || performance.now() + waitMs >= end) return { cause, mayBeDone }
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}
