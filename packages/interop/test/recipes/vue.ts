import type { Close, Listener, State } from '@eitherway/client'
import { onScopeDispose, type ShallowRef, shallowRef } from 'vue'

/** How things stand with the link, and why the last one was lost. */
export function useConnection(client: Listener): ShallowRef<{ state: State; reason: Close | undefined }> {
  const connection = shallowRef<{ state: State; reason: Close | undefined }>({
    state: client.state,
    reason: undefined,
  })
  onScopeDispose(
    client.onState((state, reason) => {
      connection.value = { state, reason }
    }),
  )
  return connection
}

/** The data of an event's last message. */
export function useLastMessage<T>(client: Listener, event: string): ShallowRef<T | undefined> {
  const last = shallowRef<T>()
  onScopeDispose(
    client.on<T>(event, (data) => {
      last.value = data
    }),
  )
  return last
}

/** A state to which each message of an event is added. */
export function useReduced<S, T>(
  client: Listener,
  event: string,
  reducer: (state: S, data: T) => S,
  initial: S,
): ShallowRef<S> {
  const state = shallowRef(initial)
  onScopeDispose(
    client.on<T>(event, (data) => {
      state.value = reducer(state.value, data)
    }),
  )
  return state
}
