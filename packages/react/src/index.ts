/**
 * Hooks for React, on `useSyncExternalStore`: connection, last message, a state that is reduced from messages.
 *
 * @packageDocumentation
 */
export { createHooks, type EventsOf, type Hooks, type ProviderProps, type Send } from './hooks.ts'
export type { MessageReducer, ReadState } from './reduced.ts'
export type { ConnectionState, HookedClient } from './source.ts'
