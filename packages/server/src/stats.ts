import type { Close, Direction, Gap, Refusal } from '@eitherway/core'

/** What a hub has done since it was made, and how it stands: counts for operators, without a name or a payload in them. */
export interface HubStats {
  /** Peers that are connected now. */
  readonly peers: number
  /** Channels that somebody follows now. */
  readonly channels: number
  /** Bytes that wait now to be read by the slow peers: what `maxTotalQueuedBytes` bounds. */
  readonly queuedBytes: number
  /** Peers of which more than 64 KiB wait to be read now. */
  readonly slowPeers: number
  /** Peers that came, ever, by their direction. */
  readonly opened: Readonly<Record<Direction, number>>
  /** Of those, how many named a position: they came back. */
  readonly resumed: number
  /** Peers that left, ever, by the code of their end. Clients choose theirs, from some 2000. */
  readonly closed: Readonly<Record<number, number>>
  /**
   * Requests that were refused, ever, by the status, also where a WebSocket learned it as a close. What a proxy or Node itself
   * refused is not among them.
   */
  readonly refused: Readonly<Record<number, number>>
  /** Gaps that were told, ever, by their reason. */
  readonly gaps: Readonly<Record<Gap['reason'], number>>
  /** Messages that this hub published and its broker took, ever. */
  readonly published: number
  /** Messages that its broker had for it, ever: those of other hubs too. */
  readonly heard: number
  /** Messages that peers sent, ever: requests, and the words that end them, too. */
  readonly received: number
  /** Requests that peers made, ever. */
  readonly requests: number
  /** Of those, how many had a failure for an answer. */
  readonly failures: number
  /** Bytes that left for peers, ever, as far as the platform tells. Those of peers that are connected are counted when they leave. */
  readonly bytesWritten: number
  /** Failures that were told to `onError`, ever. */
  readonly errors: number
}

/** Counts what happens. */
export interface Counts {
  opened(direction: Direction, resumed: boolean): void
  closed(close: Close, bytesWritten: number): void
  refused(refusal: Refusal): void
  gap(gap: Gap): void
  published(): void
  heard(): void
  received(): void
  requested(): void
  /** One of those has a failure for an answer. */
  answeredFailure(): void
  failed(): void
  /** All of it, and how the hub stands now. */
  with(now: Pick<HubStats, 'peers' | 'channels' | 'queuedBytes' | 'slowPeers'>): HubStats
}

/** Starts at nothing. */
export function createCounts(): Counts {
  const opened = { 'one-way': 0, 'two-way': 0 }
  const closed: Record<number, number> = {}
  const refused: Record<number, number> = {}
  const gaps = { evicted: 0, epoch: 0, unknown: 0, slow: 0 }
  const sums = {
    resumed: 0,
    published: 0,
    heard: 0,
    received: 0,
    requests: 0,
    failures: 0,
    bytesWritten: 0,
    errors: 0,
  }
  const add = (counts: Record<number, number>, key: number) => {
    counts[key] = (counts[key] ?? 0) + 1
  }
  return {
    opened(direction, resumed) {
      opened[direction] += 1
      if (resumed) sums.resumed += 1
    },
    closed({ code }, bytesWritten) {
      add(closed, code)
      sums.bytesWritten += bytesWritten
    },
    refused: ({ status }) => add(refused, status),
    gap({ reason }) {
      gaps[reason] += 1
    },
    published() {
      sums.published += 1
    },
    heard() {
      sums.heard += 1
    },
    received() {
      sums.received += 1
    },
    requested() {
      sums.requests += 1
    },
    answeredFailure() {
      sums.failures += 1
    },
    failed() {
      sums.errors += 1
    },
    with: (now) => ({
      ...now,
      ...sums,
      opened: { ...opened },
      closed: { ...closed },
      refused: { ...refused },
      gaps: { ...gaps },
    }),
  }
}
