/** One question for the server's time. Both of the page's readings are of one clock. */
export interface RoundTrip {
  /** The page's clock before the question left. */
  readonly sentAt: number
  /** The server's clock somewhere between the two. */
  readonly serverAt: number
  /** The page's clock after the answer arrived. */
  readonly receivedAt: number
}

/** How far the server's clock is ahead of the page's. */
export interface Offset {
  readonly ms: number
  /** The true offset lies no further than this from `ms`. */
  readonly errorMs: number
}

/** What is known of the server's clock. */
export interface Clock {
  add(trip: RoundTrip): void
  /** The best that is known now, on the page's clock. */
  offset(now: number): Offset | undefined
}

/** Older round trips are no longer believed: clocks are steered. */
const believedMs = 60_000

/** How far two clocks may drift apart meanwhile. @see https://www.rfc-editor.org/rfc/rfc5905#section-7.2 PHI */
const driftPerMs = 15e-6

/** Browsers blur their clock by this much. @see https://www.w3.org/TR/hr-time-3/#dfn-coarsen-time */
const blurMs = 0.1

/**
 * Estimates the offset of the server's clock from round trips, as NTP does: the server answered at some moment between
 * question and answer, so the middle is wrong by half the round trip at most, however unequal the two ways are. The
 * tightest round trip tells the most.
 */
export function createClock(): Clock {
  let known: { offset: Offset; at: number }[] = []

  function offset(now: number): Offset | undefined {
    known = known.filter(({ at }) => now - at < believedMs)
    const aged = known.map((sample) => ({
      ms: sample.offset.ms,
      errorMs: sample.offset.errorMs + Math.max(0, now - sample.at) * driftPerMs,
    }))
    return aged.reduce<Offset | undefined>(
      (best, next) => (best === undefined || next.errorMs < best.errorMs ? next : best),
      undefined,
    )
  }

  return {
    add({ sentAt, serverAt, receivedAt }) {
      const fresh = { ms: serverAt - (sentAt + receivedAt) / 2, errorMs: (receivedAt - sentAt) / 2 + blurMs }
      const best = offset(receivedAt)
      // Both cannot be true: a clock was set or stood still (a laptop slept, the server is another), so the past is void.
      if (best !== undefined && Math.abs(best.ms - fresh.ms) > best.errorMs + fresh.errorMs) known = []
      known.push({ offset: fresh, at: receivedAt })
    },
    offset,
  }
}
