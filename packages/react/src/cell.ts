/** A value as React reads it: what is shown changes only when everything does that came meanwhile, so that no two tell different things. */
export interface Cell<T> {
  readonly shown: () => T
  readonly latest: () => T
  set(value: T): void
  /** At once, while nobody looks. */
  reset(value: T): void
  readonly subscribe: (listener: () => void) => () => void
}

/** Runs each change soon, together with those that come until then. */
export type Batch = (change: () => void) => void

/** Gathers what arrives in one turn of the event loop, so that a burst of messages is one render. @internal */
export function createBatch(): Batch {
  const changes = new Set<() => void>()
  function run(): void {
    const due = [...changes]
    changes.clear()
    for (const change of due) change()
  }
  return (change) => {
    // A task and not a microtask: the messages of one chunk come in microtasks of their own.
    if (changes.size === 0) setTimeout(run)
    changes.add(change)
  }
}

/** Makes a cell that changes with its batch. @internal */
export function createCell<T>(first: T, batch: Batch): Cell<T> {
  const listeners = new Set<() => void>()
  let latest = first
  let shown = first
  function change(): void {
    if (Object.is(shown, latest)) return
    shown = latest
    for (const listener of [...listeners]) listener()
  }
  return {
    shown: () => shown,
    latest: () => latest,
    set(value) {
      latest = value
      batch(change)
    },
    reset(value) {
      latest = value
      shown = value
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
