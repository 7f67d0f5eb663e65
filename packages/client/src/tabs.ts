/**
 * One link for all tabs of a browser that follow the same channels.
 *
 * @packageDocumentation
 */
import { checkOptions, checkToken, kind, show, type Transport } from '@eitherway/core'
import { takeSeat } from './seat.ts'
import type { BroadcastLike, LocksLike } from './talk.ts'
import { type TransportNames, transportOf } from './transports.ts'

export type { BroadcastLike, LocksLike } from './talk.ts'

/** What can be shared: a one-way transport, by its name or as a value. */
export type SharedOption =
  | { [N in keyof TransportNames]: TransportNames[N] extends 'one-way' ? N : never }[keyof TransportNames]
  | Transport<'one-way'>

/** Settings of {@link shared}. */
export interface SharedOptions {
  /**
   * Whom the stream is for, as the application knows them: the id of who is logged in, say. Only tabs that name the same one
   * share. `''` where the stream is the same for everybody.
   *
   * Nobody else can say it: a token may differ from tab to tab for one user, and a cookie is not seen by a page.
   */
  readonly user: string
  /** Decides which tab has the link. @defaultValue `navigator.locks` */
  readonly locks?: LocksLike
  /** What the tabs speak over. @defaultValue a `BroadcastChannel` of that name */
  readonly broadcast?: (name: string) => BroadcastLike
}

/**
 * Makes a transport whose link is shared by all tabs of the browser that ask for the same: one of them, the leader, has it, and
 * the others hear from the leader what it brings. When the leader goes, the next one makes the link anew from where it stands.
 *
 * Tabs share when URL, channels, transport, `maxMessageBytes` and `user` are the same. To the hub they are one peer, with the
 * token of the leader. Where a page has no Web Locks (which need HTTPS or localhost) or no `BroadcastChannel`, its tab has a
 * link of its own, and the console says so once.
 *
 * @throws TypeError for what is no one-way transport, or a setting that is none; without a `user` there is none.
 *
 * @example
 * ```ts
 * const client = connect('/live', { transport: shared('sse', { user: 'u-17' }), channels: ['prices'] })
 * ```
 */
export function shared(transport: SharedOption, options: SharedOptions): Transport<'one-way'> {
  const inner = transportOf(transport)
  if (inner.direction !== 'one-way') {
    throw new TypeError(
      `\`shared\` takes a one-way transport, got ${show(inner.name)}: what tabs send over one link would come from one peer, and its answers go to all of them; share 'sse', and send by a client of each tab's own`,
    )
  }
  checkOptions('shared', options, { user: true, locks: true, broadcast: true })
  const { user, locks = platformLocks(), broadcast = platformBroadcast() } = options ?? {}
  if (typeof user !== 'string') {
    throw new TypeError(
      `\`user\` must be a string that says whom the stream is for, '' for everybody, got ${kind(user)}: only tabs of one user may share`,
    )
  }
  return {
    name: `shared ${inner.name}`,
    direction: 'one-way',
    async connect(url, request) {
      const { signal, channels, lastEventId, limits, token } = request
      signal.throwIfAborted()
      // The leader's is the one that is shown; that this one never could be must not depend on who leads.
      if (token !== undefined) checkToken(token)
      const { connect } = (await inner.load()) as Transport<'one-way'>
      signal.throwIfAborted()
      if (locks === undefined || broadcast === undefined) {
        warnOnce(
          `no ${locks === undefined ? 'Web Locks, which need HTTPS or localhost' : 'BroadcastChannel'}`,
        )
        return connect(url, request)
      }
      const asked = [inner.name, url.href, [...new Set(channels)].sort(), limits?.maxMessageBytes, user]
      const name = `eitherway tabs ${version} ${JSON.stringify(asked)}`
      let channel: BroadcastLike
      try {
        channel = broadcast(name)
      } catch {
        // A page that may store nothing, by the browser's settings, may not speak to others either.
        warnOnce(forbidden)
        return connect(url, request)
      }
      return takeSeat({
        name,
        lastEventId,
        greets: channels.length > 0,
        signal,
        locks,
        channel,
        onAlone: () => warnOnce(forbidden),
        dial: (at, ends) => connect(url, { ...request, lastEventId: at, signal: ends }),
      })
    },
  }
}

/** What the tabs' words mean. Tabs of another version, loaded before the last deployment, have a link of their own. */
const version = 1

function platformLocks(): LocksLike | undefined {
  return (globalThis.navigator as Partial<Navigator> | undefined)?.locks
}

function platformBroadcast(): SharedOptions['broadcast'] {
  return typeof BroadcastChannel === 'undefined' ? undefined : (name) => new BroadcastChannel(name)
}

const forbidden = 'no leave to speak to other tabs in this page'

let hasWarned = false
function warnOnce(lack: string): void {
  if (hasWarned) return
  hasWarned = true
  // biome-ignore lint/suspicious/noConsole: all goes on, with more links than were meant
  console.warn(`eitherway: this tab has a link of its own and shares none: there is ${lack}`)
}
