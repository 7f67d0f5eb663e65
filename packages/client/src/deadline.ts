/** One point in time that can be moved. */
export interface Deadline {
  /** Moves it to so many milliseconds from now; 0 takes it away. */
  set(ms: number): void
}

/**
 * Makes a deadline that runs `run` when it passes.
 *
 * It is moved with every message, nearly always further away, so the timer under it is left as it is and looks again when
 * it fires.
 *
 * @internal
 */
export function createDeadline(run: () => void): Deadline {
  let timer: ReturnType<typeof setTimeout> | undefined
  let due = 0
  let fires = 0

  function arm(now: number): void {
    fires = due
    timer = setTimeout(check, Math.max(0, due - now))
  }
  function check(): void {
    timer = undefined
    const now = performance.now()
    // Timers may fire a little early.
    if (now + 1 < due) arm(now)
    else run()
  }

  return {
    set(ms) {
      const now = performance.now()
      due = now + ms
      if (timer !== undefined && ms !== 0 && due >= fires) return
      clearTimeout(timer)
      timer = undefined
      if (ms !== 0) arm(now)
    },
  }
}
