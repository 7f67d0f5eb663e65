import type { Relay } from './stage/relay.ts'

/** What can befall the link of one panel. */
export interface Links {
  /** A link of this panel begins: the server sees it at this port. */
  begin(panel: string, port: number): void
  /** The link at this port has ended. */
  end(panel: string, port: number): void
  /** Ends the panel's socket without a word. @returns whether there was one. */
  cut(panel: string): boolean
  /** Lets nothing through the panel's present link any more, and tells nobody. @returns whether there was one. */
  stall(panel: string): boolean
  /** Ends the link that was stalled: what it swallowed is gone, so it must not go on. */
  release(panel: string): boolean
  /** Slows down every link of this panel, now and later; `undefined` for full speed. */
  throttle(panel: string, bytesPerSecond: number | undefined): void
}

interface Known {
  /** The ports of its links, the latest last. */
  readonly ports: Set<number>
  stalled: number | undefined
  bytesPerSecond: number | undefined
}

/** Whoever asks can name panels without end. */
const maxPanels = 200

/** Knows no panel yet. @param destroy - ends the server's socket with this port at the other end. */
export function createLinks(relay: Pick<Relay, 'setFaultsOf'>, destroy: (port: number) => boolean): Links {
  const panels = new Map<string, Known>()

  function knownOf(panel: string): Known {
    const known = panels.get(panel) ?? { ports: new Set(), stalled: undefined, bytesPerSecond: undefined }
    // The one that was asked for longest ago goes first.
    panels.delete(panel)
    panels.set(panel, known)
    const [oldest] = panels.keys()
    if (panels.size > maxPanels && oldest !== undefined) forget(oldest)
    return known
  }
  /** Nobody could release or quicken its links any more. */
  function forget(panel: string): void {
    const known = panels.get(panel)
    panels.delete(panel)
    if (known === undefined) return
    release(known)
    for (const port of known.ports) relay.setFaultsOf(port, undefined)
  }
  function apply({ ports, stalled, bytesPerSecond }: Known): void {
    for (const port of ports) {
      const faults = bytesPerSecond === undefined ? undefined : { bytesPerSecond }
      relay.setFaultsOf(port, port === stalled ? { stalled: true } : faults)
    }
  }
  function release(known: Known): boolean {
    const port = known.stalled
    if (port === undefined) return false
    known.stalled = undefined
    relay.setFaultsOf(port, undefined)
    return destroy(port)
  }
  const latestOf = ({ ports }: Known) => [...ports].at(-1)

  return {
    begin(panel, port) {
      const known = knownOf(panel)
      // The client has given the stalled one up: to the server it would be open for ever.
      release(known)
      known.ports.add(port)
      apply(known)
    },
    end(panel, port) {
      const known = panels.get(panel)
      if (known?.stalled === port) known.stalled = undefined
      known?.ports.delete(port)
      relay.setFaultsOf(port, undefined)
    },
    cut(panel) {
      const known = knownOf(panel)
      const port = latestOf(known)
      // Of a link that swallows everything, the client would not hear that it is cut.
      return release(known) || (port !== undefined && destroy(port))
    },
    stall(panel) {
      const known = knownOf(panel)
      known.stalled = latestOf(known)
      apply(known)
      return known.stalled !== undefined
    },
    release: (panel) => release(knownOf(panel)),
    throttle(panel, bytesPerSecond) {
      const known = knownOf(panel)
      known.bytesPerSecond = bytesPerSecond
      apply(known)
    },
  }
}
