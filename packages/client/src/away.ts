/**
 * Runs when the page is about to run no more, for a while or for good: it is frozen, left, or put into the back-forward cache.
 * Elsewhere nothing says so.
 *
 * @returns its undo.
 * @internal
 */
export function onAway(run: () => void): () => void {
  if (typeof document === 'undefined' || typeof window === 'undefined') return () => undefined
  document.addEventListener('freeze', run)
  window.addEventListener('pagehide', run)
  return () => {
    document.removeEventListener('freeze', run)
    window.removeEventListener('pagehide', run)
  }
}
