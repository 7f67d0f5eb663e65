import { kind, show, type Transport } from '@eitherway/core'

/** The names that `connect` knows, and the direction that each stands for. */
export interface TransportNames {
  sse: 'one-way'
  'sse+post': 'two-way'
  ws: 'two-way'
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
export interface NamedTransport {
  readonly name: string
  readonly direction: Transport['direction']
  load(): Promise<Transport>
}

// Each is imported when it is first needed, so that a page loads the one it uses.
const named: { readonly [N in keyof TransportNames]: NamedTransport } = {
  sse: { name: 'sse', direction: 'one-way', load: async () => (await import('@eitherway/sse/client')).sse() },
  'sse+post': {
    name: 'sse+post',
    direction: 'two-way',
    load: async () => (await import('@eitherway/post/client')).ssePost(),
  },
  ws: { name: 'ws', direction: 'two-way', load: async () => (await import('@eitherway/ws/client')).ws() },
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
