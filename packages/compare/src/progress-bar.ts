import type { Progress } from './bench.ts'
import type { Step } from './run.ts'

/** One line on a terminal that says how far a run is. */
export interface ProgressBar {
  show(progress: Progress, step: Step): void
  /** Takes the line away, so that other text can be written. It comes back with the next `show`. */
  clear(): void
}

/** As much of a terminal as is used. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Often enough to look alive, seldom enough to cost nothing. */
const redrawMs = 100

/** @param now - in milliseconds. @returns a bar that shows nothing where there is no terminal. */
export function createProgressBar(
  terminal: Terminal,
  now: () => number = () => performance.now(),
): ProgressBar {
  const startedAt = now()
  let drawnAt = Number.NEGATIVE_INFINITY
  let share = 0
  let isDrawn = false
  return {
    show(progress, step) {
      if (!terminal.isTTY || now() - drawnAt < redrawMs) return
      drawnAt = now()
      // A scenario learns only on its way how much there is to measure; a bar that goes back would be a riddle.
      share = Math.max(share, shareOf(progress, step))
      const line = progressLine({ ...progress, share, elapsedMs: now() - startedAt }, terminal.columns ?? 80)
      terminal.write(`\r\x1b[2K${line}`)
      isDrawn = true
    },
    clear() {
      if (!isDrawn) return
      terminal.write('\r\x1b[2K')
      isDrawn = false
      drawnAt = Number.NEGATIVE_INFINITY
    },
  }
}

/** Of the whole run, from 0 to 1. */
export function shareOf({ done, of }: Progress, step: Step): number {
  return (step.index + (of === 0 ? 0 : Math.min(1, done / of))) / step.of
}

const barWidth = 20

/** The line, no longer than the terminal is wide. */
export function progressLine(
  { title, now, share, elapsedMs }: Pick<Progress, 'title' | 'now'> & { share: number; elapsedMs: number },
  columns: number,
): string {
  const filled = Math.round(share * barWidth)
  const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`
  const left = share > 0.02 && share < 1 ? ` · ${formatLeft((elapsedMs / share) * (1 - share))}` : ''
  const head = `${bar} ${String(Math.round(share * 100)).padStart(3)} %${left}`
  const line = [head, title, now].filter(Boolean).join(' · ')
  return line.length < columns ? line : `${line.slice(0, Math.max(0, columns - 2))}…`
}

function formatLeft(ms: number): string {
  return ms < 90_000 ? `${Math.ceil(ms / 1000)} s left` : `${Math.round(ms / 60_000)} min left`
}
