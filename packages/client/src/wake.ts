/** What says that a link is worth another try now. */
export interface Wake {
  /** The page is seen again, or goes on after a sleep. */
  seen(): void
  /** The network is back, perhaps another one. */
  online(): void
}

/**
 * Listens to the page for moments at which the link may be dead or can be made again. Elsewhere there is nothing to hear.
 *
 * @returns its undo.
 * @internal
 */
export function onWake({ seen, online }: Wake): () => void {
  if (typeof document === 'undefined' || typeof window === 'undefined') return () => undefined
  const onVisible = () => {
    if (document.visibilityState === 'visible') seen()
  }
  document.addEventListener('visibilitychange', onVisible)
  // A page that comes back from the back-forward cache, or from being frozen.
  window.addEventListener('pageshow', seen)
  document.addEventListener('resume', seen)
  window.addEventListener('online', online)
  return () => {
    document.removeEventListener('visibilitychange', onVisible)
    window.removeEventListener('pageshow', seen)
    document.removeEventListener('resume', seen)
    window.removeEventListener('online', online)
  }
}
