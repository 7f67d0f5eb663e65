/** Shortest wait before a client comes back, whatever the server says: 250 ms. */
export const minRetryMs = 250

/** Longest wait that a server can ask for: five minutes. More would also overflow timers, which then fire at once. */
export const maxRetryMs = 300_000

/** A delay that a server named, within what a client follows. Anything that is no number is the shortest wait. */
export function clampRetryMs(ms: number): number {
  return ms > minRetryMs ? Math.min(ms, maxRetryMs) : minRetryMs
}

/** What the next wait depends on. */
export interface Backoff {
  /** Tries since a link last brought something; 0 for the first. */
  readonly attempt: number
  /** The wait that the server asked for, in milliseconds; the least that is waited. */
  readonly retryMs: number
  /** The window of the first try, doubled with each further one. */
  readonly baseMs: number
  /** The largest window. */
  readonly capMs: number
  /** In [0, 1). */
  readonly random: number
}

/**
 * How long to wait before coming back: the server's wait, plus a random part of a window that doubles with each try
 * (full jitter), so that a thousand clients that were cut at once do not come back at once.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs({ attempt, retryMs, baseMs, capMs, random }: Backoff): number {
  const windowMs = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30))
  return Math.round(clampRetryMs(retryMs) + random * windowMs)
}
