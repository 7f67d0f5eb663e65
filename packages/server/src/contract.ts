import type { Agreement, Received, ReceivedOf } from '@eitherway/core'
import type { RequestHandler } from './calls.ts'
import type { PublishOptions } from './options.ts'
import type { SendOptions } from './peer.ts'

/**
 * `publish`, with the events of a contract where there is one: a channel that is no event of it, `user:42` say, needs an
 * `event` that is.
 */
export type Publish<A extends Agreement | undefined> = [A] extends [Agreement]
  ? {
      <E extends keyof A['down'] & string>(
        channel: E,
        data: A['down'][E]['sent'],
        options?: PublishOptions & { readonly event?: never },
      ): Promise<string>
      <E extends keyof A['down'] & string>(
        channel: string,
        data: A['down'][E]['sent'],
        options: PublishOptions & { readonly event: E },
      ): Promise<string>
    }
  : (channel: string, data: unknown, options?: PublishOptions) => Promise<string>

/** `peer.send`, with the events of a contract where there is one. */
export type Send<A extends Agreement | undefined> = [A] extends [Agreement]
  ? <E extends keyof A['down'] & string>(
      event: E,
      data: A['down'][E]['sent'],
      options?: SendOptions,
    ) => Promise<void>
  : (event: string, data: unknown, options?: SendOptions) => Promise<void>

/** What a peer's messages are. */
export type ReceivedFrom<A extends Agreement | undefined> = [A] extends [Agreement]
  ? ReceivedOf<A['up']>
  : Received

/** `onRequest`, with the requests of a contract where there is one. */
export type OnRequest<Context, A extends Agreement | undefined> = [A] extends [Agreement]
  ? <N extends keyof A['requests'] & string>(
      name: N,
      handler: RequestHandler<
        Context,
        A['requests'][N]['input']['heard'],
        A['requests'][N]['output']['sent'] | Promise<A['requests'][N]['output']['sent']>,
        A
      >,
    ) => () => void
  : <T = unknown>(name: string, handler: RequestHandler<Context, T>) => () => void
