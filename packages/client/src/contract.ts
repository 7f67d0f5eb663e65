import type { Agreement, Received, ReceivedOf } from '@eitherway/core'
import type { RequestOptions } from './calls.ts'
import type { Handler } from './client.ts'

/** Settings of one `send`. */
export interface SendOptions {
  /** Gives the message up while no link has it. */
  readonly signal?: AbortSignal
}

/** `on`, with the events of a contract where there is one. */
export type On<A extends Agreement | undefined> = [A] extends [Agreement]
  ? <E extends keyof A['down'] & string>(event: E, handler: Handler<A['down'][E]['heard']>) => () => void
  : <T = unknown>(event: string, handler: Handler<T>) => () => void

/** `send`, with the events of a contract where there is one. */
export type Send<A extends Agreement | undefined> = [A] extends [Agreement]
  ? <E extends keyof A['up'] & string>(
      event: E,
      data: A['up'][E]['sent'],
      options?: SendOptions,
    ) => Promise<void>
  : (event: string, data: unknown, options?: SendOptions) => Promise<void>

/** `request`, with the requests of a contract where there is one. */
export type Request<A extends Agreement | undefined> = [A] extends [Agreement]
  ? <N extends keyof A['requests'] & string>(
      name: N,
      data: A['requests'][N]['input']['sent'],
      options?: RequestOptions,
    ) => Promise<A['requests'][N]['output']['heard']>
  : <T = unknown>(name: string, data?: unknown, options?: RequestOptions) => Promise<T>

/** What an iteration brings. */
export type ReceivedBy<A extends Agreement | undefined> = [A] extends [Agreement]
  ? ReceivedOf<A['down']>
  : Received
