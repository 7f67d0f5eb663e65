/**
 * Hooks for React, on `useSyncExternalStore`: connection, last message, a state that is reduced from messages.
 *
 * @packageDocumentation
 */
export { createHooks, type EventMap, type Hooks, type ProviderProps, type Send } from './hooks.ts'
export type { MessageReducer, ReadState } from './reduced.ts'
export type { ConnectionState } from './source.ts'
