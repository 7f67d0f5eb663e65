/** One point in time that can be moved. */
export interface Deadline {
  /** Moves it to so many milliseconds from now; 0 takes it away. */
  set(ms: number): void
  /** Moves it to so many milliseconds from now, if it is set and further away. */
  hasten(ms: number): void
  /** Runs now if it has passed while timers stood still, as they do in a page that sleeps. */
  check(): void
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
  let dueByDate = 0
  let fires = 0

  /** A monotonic clock may stand still while the machine sleeps, and a wall clock may be set: whichever is further counts. */
  const left = () => Math.min(due - performance.now(), dueByDate - Date.now())

  function arm(): void {
    fires = due
    timer = setTimeout(look, Math.max(0, left()))
  }
  function look(): void {
    timer = undefined
    // Timers may fire a little early.
    if (left() > 1) arm()
    else run()
  }

  const deadline: Deadline = {
    set(ms) {
      due = performance.now() + ms
      dueByDate = Date.now() + ms
      if (timer !== undefined && ms !== 0 && due >= fires) return
      clearTimeout(timer)
      timer = undefined
      if (ms !== 0) arm()
    },
    hasten(ms) {
      if (timer !== undefined && left() > ms) deadline.set(ms)
    },
    check() {
      if (timer === undefined || left() > 1) return
      clearTimeout(timer)
      look()
    },
  }
  return deadline
}
