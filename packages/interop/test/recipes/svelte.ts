import type { Close, Listener, State } from '@eitherway/client'
import { type Readable, readable } from 'svelte/store'

/** How things stand with the link, and why the last one was lost. */
export function connection(client: Listener): Readable<{ state: State; reason: Close | undefined }> {
  return readable<{ state: State; reason: Close | undefined }>(
    { state: client.state, reason: undefined },
    (set) => {
      set({ state: client.state, reason: undefined })
      return client.onState((state, reason) => set({ state, reason }))
    },
  )
}

/** The data of an event's last message, while anybody looks. */
export function lastMessage<T>(client: Listener, event: string): Readable<T | undefined> {
  return readable<T | undefined>(undefined, (set) => {
    const off = client.on<T>(event, set)
    return () => {
      off()
      set(undefined)
    }
  })
}

/** A state to which each message of an event is added; it begins anew when nobody looked for a while. */
export function reduced<S, T>(
  client: Listener,
  event: string,
  reducer: (state: S, data: T) => S,
  initial: S,
): Readable<S> {
  return readable(initial, (set, update) => {
    set(initial)
    return client.on<T>(event, (data) => update((state) => reducer(state, data)))
  })
}
