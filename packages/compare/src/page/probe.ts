import type { RoundTrip } from './clock.ts'

/** This page's clock in milliseconds since 1970, finer than `Date.now` and never set back. */
export function pageMs(): number {
  return performance.timeOrigin + performance.now()
}

let count = 0

/** Asks the server for its time, once. */
export async function probeClock(): Promise<RoundTrip> {
  count += 1
  const url = new URL(`/clock?probe=${count}`, document.baseURI).href
  const sentAt = pageMs()
  const response = await fetch(url, { cache: 'no-store' })
  const headersAt = pageMs()
  const { now } = (await response.json()) as { now: number }
  // The browser's own record leaves out how long this page waited for its turn. It may come late, or not at all.
  const [record] = performance.getEntriesByName(url) as PerformanceResourceTiming[]
  performance.clearResourceTimings()
  return record === undefined || record.requestStart === 0 || record.responseStart === 0
    ? { sentAt, serverAt: now, receivedAt: headersAt }
    : {
        sentAt: performance.timeOrigin + record.requestStart,
        serverAt: now,
        receivedAt: performance.timeOrigin + record.responseStart,
      }
}
