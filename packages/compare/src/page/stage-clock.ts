import { type Access, ask } from '../stage/ask.ts'
import type { Stage } from '../stage/stage.ts'
import { createClock } from './clock.ts'
import { pageMs } from './probe.ts'

/** The stage's clock as this page knows it. */
export interface StageClock extends Pick<Stage, 'now' | 'clockErrorMs'> {
  /** Asks no more. */
  stop(): void
}

const probesAtFirst = 30
const probeEveryMs = 2000

/** Asks the stage for its time, often at first and then now and again, since clocks drift. */
export async function followClock(access: Pick<Access, 'control' | 'token'>): Promise<StageClock> {
  const clock = createClock()
  const grain = grainMs()
  async function probe(): Promise<void> {
    const sentAt = pageMs()
    const { now } = await ask(access, 'clock', {})
    // Each reading may stand for any moment of its grain.
    clock.add({ sentAt: sentAt - grain, serverAt: now, receivedAt: pageMs() + grain })
  }
  for (let count = 0; count < probesAtFirst; count += 1) await probe()
  const timer = setInterval(() => {
    probe().catch(() => {
      // The stage is away or busy. The next question may be answered.
    })
  }, probeEveryMs)
  return {
    now() {
      const now = pageMs()
      return now + (clock.offset(now)?.ms ?? Number.NaN)
    },
    get clockErrorMs() {
      return (clock.offset(pageMs())?.errorMs ?? Number.NaN) + grain
    },
    stop: () => clearInterval(timer),
  }
}

/** The smallest step of this page's clock: a browser makes it as coarse as a millisecond. */
function grainMs(): number {
  let grain = Number.POSITIVE_INFINITY
  for (let count = 0; count < 10; count += 1) {
    const from = performance.now()
    let next = from
    while (next === from) next = performance.now()
    grain = Math.min(grain, next - from)
  }
  return grain
}
