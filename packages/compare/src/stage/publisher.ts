import { setTimeout as delay } from 'node:timers/promises'
import { pack } from '../parcel.ts'
import { machineMs } from './clock.ts'
import type { HouseServer } from './house.ts'
import type { Published, Publishing } from './stage.ts'
import type { Windows } from './windows.ts'

/**
 * Publishes in an open loop: the moment at which each parcel is to leave is fixed beforehand and travels with it, so that
 * one that had to wait for the server is measured as late, and not left out (no coordinated omission).
 */
export async function publishAll(
  house: HouseServer,
  {
    channel,
    count,
    bytes,
    kind,
    everyMs,
    burst = 1,
    from = 1,
    window = Number.POSITIVE_INFINITY,
    punctual = true,
  }: Publishing,
  windows: Windows,
): Promise<Published> {
  const before = process.cpuUsage()
  const firstAt = machineMs()
  let lateMs = 0
  for (let sent = 0; sent < count; ) {
    const dueAt = everyMs === 0 ? machineMs() : firstAt + Math.floor(sent / burst) * everyMs
    await until(dueAt, punctual)
    lateMs = Math.max(lateMs, machineMs() - dueAt)
    for (const end = Math.min(count, sent + burst); sent < end; sent += 1) {
      const seq = from + sent
      const room = windows.room(channel, seq - window)
      if (room !== undefined) await room
      const done = house.publish(channel, pack({ seq, at: dueAt }, bytes, kind), kind, seq)
      if (done !== undefined) await done
    }
    // Others have their turn: without it a stage would write all before it reads anything.
    if (everyMs === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const { user, system } = process.cpuUsage(before)
  return { firstAt, lastAt: machineMs(), lateMs, cpuMs: (user + system) / 1000 }
}

/** Timers wake up to a millisecond late, so the last stretch is spent in turns of the loop. */
async function until(dueAt: number, punctual: boolean): Promise<void> {
  const early = dueAt - machineMs()
  if (!punctual) {
    if (early > 0) await delay(early)
    return
  }
  if (early > 2) await delay(early - 1.5)
  while (machineMs() < dueAt) await new Promise((resolve) => setImmediate(resolve))
}
