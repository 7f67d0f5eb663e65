import type { Client, Gap, Received, TwoWayClient } from '@eitherway/client'
import {
  type Context,
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import { createReduced, type MessageReducer, type ReadState } from './reduced.ts'
import { type ConnectionState, connecting, createSource, type HookedClient, type Source } from './source.ts'

/** Whose client the components below read. */
export type ProviderProps<C extends HookedClient> = { readonly children?: ReactNode } & (
  | {
      /**
       * Makes the client when the provider is mounted; it is closed when that is taken off. Runs in pages only, so that nothing
       * connects on a server, and once, also under StrictMode. Another function in a later render changes nothing: give the
       * provider another `key` for another client.
       */
      readonly connect: () => C
      readonly client?: never
    }
  | {
      /** A client of the application's own, which closes it. */
      readonly client: C
      readonly connect?: never
    }
)

/** Sends one message; see {@link TwoWayClient.send}. */
export type Send = TwoWayClient['send']

/** The events of a client's contract and what each carries; without a contract any, of unknown data. */
export type EventsOf<C extends HookedClient> =
  C extends AsyncIterable<infer R extends Received> ? { readonly [M in R as M['event']]: M['data'] } : never

/** What {@link createHooks} returns. */
export interface Hooks<C extends HookedClient, E extends object> {
  /** Gives the components below it a client. */
  readonly Provider: (props: ProviderProps<C>) => ReactElement
  /** The client; `undefined` on a server, and in a page until the provider is mounted. */
  readonly useClient: () => C | undefined
  /** How things stand with the link: `connecting` on a server. */
  readonly useConnection: () => ConnectionState
  /** The last message of an event since anybody reads it; `undefined` before the first, and on a server. */
  readonly useLastMessage: <K extends keyof E & string>(event: K) => Received<E[K]> | undefined
  /**
   * A state to which each message of an event is added, once and in order.
   *
   * With `read`, the state is read when the client is open, and again whenever messages are lost to it (a gap); those that
   * come meanwhile wait, and are then reduced upon what was read. That may have some of them already, so the reducer must
   * bear a message twice: by setting and not adding, or by comparing ids. What `read` rejects with while there is a link is
   * thrown in render, to the next error boundary; without a link it is tried again with the next one.
   *
   * @param initial - the state on a server and before the first message; that of the first render counts.
   */
  readonly useReduced: <K extends keyof E & string, S>(
    event: K,
    reducer: MessageReducer<S, E[K]>,
    initial: S,
    read?: ReadState<S>,
  ) => S
  /** Hears that messages are lost, and that what was read before is to be read anew. */
  readonly useGap: (handler: (gap: Gap) => void) => void
  /**
   * A function that sends, the same in every render, for event handlers and effects; before there is a client it waits. On a
   * client whose type is one-way it is `undefined`, and cannot be called.
   *
   * It rejects as the client's `send` does; with a TypeError where the client's transport is one-way.
   */
  readonly useSend: C extends { readonly send: infer F } ? () => F : undefined
}

/**
 * Makes the hooks of one client: once, in a module of the application, from where its components import them.
 *
 * @typeParam C - the client's type: `OneWayClient`, `TwoWayClient`, or what `connect` returns.
 * @typeParam E - the events, and what each carries. @defaultValue those of the client's contract
 *
 * @example
 * ```ts
 * export const { Provider, useConnection, useLastMessage } = createHooks<OneWayClient, { prices: { EURUSD: number } }>()
 * ```
 */
export function createHooks<C extends HookedClient = Client, E extends object = EventsOf<C>>(): Hooks<C, E> {
  const context = createContext<Source<C> | undefined>(undefined)

  const hooks: Omit<Hooks<C, E>, 'useSend'> & { useSend: () => Send } = {
    Provider({ connect, client, children }) {
      const source = useKept(() => createSource(connect ?? (() => client), client === undefined), client)
      useEffect(() => source.hold(), [source])
      return createElement(context.Provider, { value: source }, children)
    },
    useClient() {
      const { client } = useSource(context)
      return useSyncExternalStore(client.subscribe, client.shown, nothing)
    },
    useConnection() {
      const { connection } = useSource(context)
      return useSyncExternalStore(connection.subscribe, connection.shown, notYet)
    },
    useLastMessage<K extends keyof E & string>(event: K) {
      const last = useSource(context).last(event)
      return useSyncExternalStore(last.subscribe, last.shown, nothing) as Received<E[K]> | undefined
    },
    useReduced<K extends keyof E & string, S>(
      event: K,
      reducer: MessageReducer<S, E[K]>,
      initial: S,
      read?: ReadState<S>,
    ) {
      const source = useSource(context)
      const reduced = useKept(() => createReduced(source, event, initial, { reducer, read }), source, event)
      // Above what subscribes, so that it is the first of a render's effects.
      useEffect(() => {
        Object.assign(reduced.ways, { reducer, read })
      }, [reduced, reducer, read])
      const { state, failure } = useSyncExternalStore(reduced.subscribe, reduced.shown, () => reduced.first)
      if (failure !== undefined) throw failure.error
      return state
    },
    useGap(handler) {
      const source = useSource(context)
      const heard = useRef(handler)
      useEffect(() => {
        heard.current = handler
      }, [handler])
      useEffect(() => source.onClient((client) => client.onGap((gap) => heard.current(gap))), [source])
    },
    useSend() {
      const source = useSource(context)
      return useCallback(
        async (...message) => {
          const client: { readonly transport: string; readonly send?: Send } = await source.made()
          if (client.send === undefined) {
            throw new TypeError(`${client.transport} is one-way; take a transport that is two-way, e.g. 'ws'`)
          }
          await client.send(...message)
        },
        [source],
      )
    },
  }
  return hooks as unknown as Hooks<C, E>
}

function useSource<C extends HookedClient>(context: Context<Source<C> | undefined>): Source<C> {
  const source = useContext(context)
  if (source === undefined) {
    throw new Error(
      'there is no client here; put the `Provider` of the same `createHooks` above this component',
    )
  }
  return source
}

/** What was made for these keys. Not `useMemo`, which may forget, and a state that is forgotten has lost messages. */
function useKept<T>(make: () => T, ...keys: readonly unknown[]): T {
  const [kept, setKept] = useState(() => ({ value: make(), keys }))
  if (keys.every((key, at) => Object.is(key, kept.keys[at]))) return kept.value
  const next = { value: make(), keys }
  setKept(next)
  return next.value
}

const nothing = (): undefined => undefined
const notYet = (): ConnectionState => connecting
