/**
 * Runs something for each item, spread evenly over a time, so that what follows from it does not come all at once.
 *
 * @param signal - on abort, the rest run at once.
 * @returns a promise that fulfils when all have run.
 * @internal
 */
export function spread<T>(
  items: readonly T[],
  overMs: number,
  signal: AbortSignal,
  run: (item: T) => void,
): Promise<void> {
  const start = performance.now()
  let next = 0
  return new Promise((resolve) => {
    function step(): void {
      const passed = signal.aborted || overMs === 0 ? 1 : (performance.now() - start) / overMs
      // The first goes at once and the last at the end.
      const due = Math.min(items.length, 1 + Math.floor(passed * (items.length - 1)))
      for (; next < due; next += 1) run(items[next] as T)
      if (next < items.length) timer = setTimeout(step, stepMs)
      else finish()
    }
    function hurry(): void {
      clearTimeout(timer)
      step()
    }
    function finish(): void {
      signal.removeEventListener('abort', hurry)
      resolve()
    }
    let timer: ReturnType<typeof setTimeout> | undefined
    signal.addEventListener('abort', hurry)
    step()
  })
}

const stepMs = 20
