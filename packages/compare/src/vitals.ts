import { cpus, freemem, loadavg, totalmem } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What the channel `vitals` carries, many times a second. */
export interface Vitals {
  /** Share of the last second in which the processors were busy, in percent. */
  readonly cpu: number
  /** The same for each processor. */
  readonly cores: readonly number[]
  readonly memoryUsedBytes: number
  readonly memoryTotalBytes: number
}

/** What the channel `load` carries, once a second. */
export interface Load {
  /** Processes that ran or wanted to, on average over 1, 5 and 15 minutes. Zeros on Windows, which has no such figure. */
  readonly averages: readonly number[]
  /** Longest time by which the server's event loop was late since the last reading, in milliseconds. */
  readonly loopDelayMs: number
}

/** Reads this host. */
export interface Gauge {
  readVitals(): Vitals
  readLoad(): Load
  close(): void
}

/** Time of one processor since the host started, in milliseconds. */
export interface CoreTime {
  readonly busyMs: number
  readonly totalMs: number
}

/** The kernel counts in steps of about 10 ms, so a share over less than a second would be mostly noise. */
const spanMs = 1000
const resolutionMs = 10

/** Makes a gauge. It costs a timer until it is closed. */
export function createGauge(): Gauge {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs })
  delays.enable()
  const past: { at: number; cores: readonly CoreTime[] }[] = [{ at: performance.now(), cores: coreTimes() }]

  return {
    readVitals() {
      const now = { at: performance.now(), cores: coreTimes() }
      past.push(now)
      while (past[1] !== undefined && now.at - past[1].at >= spanMs) past.shift()
      const cores = busyPercent(past[0]?.cores ?? [], now.cores)
      const sum = cores.reduce((total, core) => total + core, 0)
      return {
        cpu: round(cores.length === 0 ? 0 : sum / cores.length),
        cores: cores.map(round),
        memoryUsedBytes: totalmem() - freemem(),
        memoryTotalBytes: totalmem(),
      }
    },
    readLoad() {
      // The histogram holds the time between two ticks, so the tick's own length is in each value.
      const loopDelayMs = Math.max(0, delays.max / 1e6 - resolutionMs)
      delays.reset()
      return { averages: loadavg().map((average) => round(average, 2)), loopDelayMs: round(loopDelayMs) }
    },
    close: () => void delays.disable(),
  }
}

/** Share of the time between two readings in which each processor was busy, in percent. */
export function busyPercent(before: readonly CoreTime[], after: readonly CoreTime[]): number[] {
  return after.map((core, index) => {
    const { busyMs, totalMs } = before[index] ?? { busyMs: 0, totalMs: 0 }
    const passedMs = core.totalMs - totalMs
    // Counters stand still between two steps of the kernel, and may fall back a little when a processor wakes up.
    return passedMs <= 0 ? 0 : Math.min(100, Math.max(0, (100 * (core.busyMs - busyMs)) / passedMs))
  })
}

function coreTimes(): CoreTime[] {
  return cpus().map(({ times: { user, nice, sys, idle, irq } }) => {
    const busyMs = user + nice + sys + irq
    return { busyMs, totalMs: busyMs + idle }
  })
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits))
}
