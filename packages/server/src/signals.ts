import type { Arrival, Close, Gap, Refusal } from '@eitherway/core'
import type { Peer } from './peer.ts'

/**
 * What a hub says as it happens, by the names of its channels in `node:diagnostics_channel`. Whoever subscribes is called
 * within the hub's own work: it should be quick. One that throws hurts neither the hub nor the other subscribers; Node makes an
 * uncaught exception of it, as it does on each of its diagnostics channels. No payload, token or cookie is in any of them, but
 * a peer's or a request's `url` and `headers` are there to be asked: log them with care.
 */
export interface Signals {
  'eitherway:peer:open': { readonly peer: Peer<unknown> }
  'eitherway:peer:close': { readonly peer: Peer<unknown>; readonly close: Close }
  /** Without a request where it was refused before `admit` was asked: it may make no sense at all. */
  'eitherway:request:refused': { readonly request: Arrival | undefined; readonly refusal: Refusal }
  'eitherway:peer:gap': { readonly peer: Peer<unknown>; readonly gap: Gap }
  'eitherway:peer:slow': { readonly peer: Peer<unknown>; readonly queuedBytes: number }
  'eitherway:error': { readonly error: unknown }
}

/** Says it to whoever listens. Where nobody does, nothing is made. @internal */
export function signal<N extends keyof Signals>(name: N, told: () => Signals[N]): void {
  const { [name]: named } = channels
  if (named.hasSubscribers) named.publish(told())
}

/** Where a runtime has no such channels, nobody listens. */
const unheard = { hasSubscribers: false, publish: (_: unknown): void => undefined }

/** Not by an import, which runtimes without it could not even load. */
const { channel = () => unheard } = diagnostics() ?? {}

function diagnostics(): Partial<Pick<typeof import('node:diagnostics_channel'), 'channel'>> | undefined {
  if (typeof process !== 'object') return undefined
  return process.getBuiltinModule?.('node:diagnostics_channel')
}

const channels = {
  'eitherway:peer:open': channel('eitherway:peer:open'),
  'eitherway:peer:close': channel('eitherway:peer:close'),
  'eitherway:request:refused': channel('eitherway:request:refused'),
  'eitherway:peer:gap': channel('eitherway:peer:gap'),
  'eitherway:peer:slow': channel('eitherway:peer:slow'),
  'eitherway:error': channel('eitherway:error'),
} as const satisfies Record<keyof Signals, unknown>
