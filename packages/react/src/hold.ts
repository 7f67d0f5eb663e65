/**
 * Begins what is there as long as anybody holds it, and ends it once nobody does at the end of a turn.
 *
 * The turn, because StrictMode takes every component off and mounts it again within one: nothing is to begin twice for that.
 *
 * @param begin - returns its undo.
 * @returns a function that holds it, and returns the release.
 * @internal
 */
export function createHold(begin: () => () => void): () => () => void {
  let holders = 0
  let end: (() => void) | undefined
  return () => {
    end ??= begin()
    holders += 1
    return () => {
      holders -= 1
      queueMicrotask(() => {
        if (holders > 0) return
        end?.()
        end = undefined
      })
    }
  }
}
