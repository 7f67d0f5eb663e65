import { ConnectError, type Direction, kind, show, type Transport } from '@eitherway/core'

/** The names that `connect` knows, and the direction that each stands for. */
export interface TransportNames {
  sse: 'one-way'
  'sse+post': 'two-way'
  ws: 'two-way'
  auto: 'two-way'
}

/** A transport by its name, or any value that is one. */
export type TransportOption = keyof TransportNames | Transport

/** The direction of a transport, known by its name alone. */
export type DirectionOf<T extends TransportOption> = T extends keyof TransportNames
  ? TransportNames[T]
  : T extends Transport<infer D>
    ? D
    : never

/** A transport that may not be loaded yet. */
export interface NamedTransport<D extends Direction = Direction> {
  readonly name: string
  readonly direction: D
  load(): Promise<Transport<D>>
}

// Each is imported when it is first needed, so that a page loads the one it uses.
const named: { readonly [N in keyof TransportNames]: NamedTransport<TransportNames[N]> } = {
  sse: { name: 'sse', direction: 'one-way', load: async () => (await import('@eitherway/sse/client')).sse() },
  'sse+post': {
    name: 'sse+post',
    direction: 'two-way',
    load: async () => (await import('@eitherway/post/client')).ssePost(),
  },
  ws: { name: 'ws', direction: 'two-way', load: async () => (await import('@eitherway/ws/client')).ws() },
  auto: { name: 'auto', direction: 'two-way', load: loadAuto },
}

/** One for all clients of a page: what one of them has learned of the network, all know. */
let choosing: Promise<Transport<'two-way'>> | undefined
function loadAuto(): Promise<Transport<'two-way'>> {
  choosing ??= import('./auto.ts').then(({ auto }) =>
    auto({ transports: [named.ws, named['sse+post']].map(deferred) }),
  )
  // What did not load may do so next time.
  choosing.catch(() => {
    choosing = undefined
  })
  return choosing
}

/** A transport that is loaded when it is first used. */
function deferred<D extends Direction>(transport: NamedTransport<D>): Transport<D> {
  const { name, direction } = transport
  return { name, direction, connect: async (url, options) => (await load(transport)).connect(url, options) }
}

/** A module that does not load is a fault of the network as well: a page may have been offline for a moment. */
export async function load<D extends Direction>(transport: NamedTransport<D>): Promise<Transport<D>> {
  try {
    return await transport.load()
  } catch (cause) {
    throw new ConnectError(`the transport ${transport.name} could not be loaded: ${String(cause)}`, {
      retryable: true,
      cause,
    })
  }
}

/** @throws TypeError for what is no transport. */
export function transportOf(option: TransportOption): NamedTransport {
  if (typeof option === 'string' && Object.hasOwn(named, option)) return named[option]
  if (typeof option === 'object' && typeof option?.connect === 'function') {
    if (option.direction === 'one-way' || option.direction === 'two-way') {
      return { name: option.name, direction: option.direction, load: async () => option }
    }
  }
  const given = typeof option === 'string' ? show(option) : kind(option)
  const names = Object.keys(named).map((name) => `'${name}'`)
  throw new TypeError(`\`transport\` must be ${names.join(', ')} or a Transport, got ${given}`)
}
