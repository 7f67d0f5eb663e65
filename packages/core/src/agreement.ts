import type { Received } from './message.ts'

/** The types of one payload: as its sender gives it, and as its receiver hears it. They differ where a schema transforms. */
export interface Payload<Sent = unknown, Heard = Sent> {
  readonly sent: Sent
  readonly heard: Heard
}

/** What both sides agree on, as types. */
export interface Agreement {
  /** From the server to its clients, by event. */
  readonly down: { readonly [event: string]: Payload }
  /** From the client to the server, by event. */
  readonly up: { readonly [event: string]: Payload }
  /** What the client asks, by name. */
  readonly requests: { readonly [name: string]: { readonly input: Payload; readonly output: Payload } }
}

/** Where a payload stands in a {@link Contract}. */
export type Part = 'down' | 'up' | 'input' | 'output'

/**
 * What `connect` and `createHub` are given, so that their types follow from it and what comes is checked. Made by
 * `defineContract` or `types` of `@eitherway/core/contract`.
 */
export interface Contract<A extends Agreement | undefined = Agreement | undefined> {
  /**
   * Checks what came. Left out, nothing is.
   *
   * @returns what the application is to hear: what the schema made of it.
   * @throws ContractError (by rejection, where the schema takes its time) when the schema refuses it, or the name is not agreed on.
   */
  readonly check?: (part: Part, name: string, data: unknown) => unknown
  /** In types only. */
  readonly agreement?: A
}

/** A message of one of these events: its `event` says which, and so what its `data` is. */
export type ReceivedOf<Events extends { readonly [event: string]: Payload }> = {
  [E in keyof Events & string]: Received<Events[E]['heard']> & { readonly event: E }
}[keyof Events & string]
