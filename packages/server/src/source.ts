import type { Admission, Admit, Arrival } from '@eitherway/core'

const sources = new WeakMap<Arrival, object>()

/**
 * What a request came from while `authorize` decides about it, with whatever the application's own middleware has put there (a
 * session, a user): Node's request with `createListeners` and `serve`, and with `createHandler` what was given beside the
 * request, or else the request itself.
 *
 * @example
 * ```ts
 * import { createHub, sourceOf } from '@eitherway/server'
 *
 * const hub = createHub({
 *   authorize(arrival) {
 *     const { user } = sourceOf<{ user?: string }>(arrival) ?? {}
 *     return user === undefined ? { status: 401, reason: 'log in first' } : { context: { user } }
 *   },
 * })
 * ```
 *
 * @returns `undefined` once it is decided, and where it came by another way: a transport of your own, or memory.
 */
export function sourceOf<Source extends object>(arrival: Arrival): Source | undefined {
  return sources.get(arrival) as Source | undefined
}

/** Lets whoever is admitted be asked where it came from. @internal */
export interface Sources {
  readonly admit: Admit
  /** Runs what asks `admit` about one request, in the same turn. */
  during<T>(source: object, run: () => T): T
}

/** @internal */
export function createSources(admit: Admit): Sources {
  let current: object | undefined
  return {
    admit(arrival) {
      if (current === undefined) return admit(arrival)
      sources.set(arrival, current)
      // A peer that kept its request would take twice the memory.
      const forget = (admission: Admission) => {
        sources.delete(arrival)
        return admission
      }
      const admission = admit(arrival)
      return admission instanceof Promise ? admission.then(forget) : forget(admission)
    },
    during(source, run) {
      current = source
      try {
        return run()
      } finally {
        current = undefined
      }
    },
  }
}
