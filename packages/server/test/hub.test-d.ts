import { createServer } from 'node:http'
import { createHub, type Hub, type Peer, serve } from '@eitherway/server'
import { expectTypeOf, test } from 'vitest'

interface User {
  readonly name: string
}
declare function find(): Promise<User | undefined>

test("`peer.context` is what `authorize` gives, also in the application's handlers", () => {
  const hub = createHub({
    async authorize() {
      const user = await find()
      if (user === undefined) return { status: 401, reason: 'say who you are' }
      return { context: user, expiresAt: 1 }
    },
    authorizeChannel: (user: User, channel) => channel === user.name,
  })
  expectTypeOf(hub).toEqualTypeOf<Hub<User>>()
  hub.onConnect((peer) => expectTypeOf(peer).toEqualTypeOf<Peer<User>>())
  hub.onMessage((_, { context }) => expectTypeOf(context).toEqualTypeOf<User>())
  serve(hub, createServer(), { path: '/live' })
})

test('without `authorize` there is none', () => {
  expectTypeOf(createHub()).toEqualTypeOf<Hub>()
  createHub().onConnect(({ context }) => expectTypeOf(context).toEqualTypeOf<undefined>())
})

test('an answer that is neither does not compile', () => {
  // @ts-expect-error neither a context nor a refusal
  createHub({ authorize: () => true })
  // @ts-expect-error a refusal without a reason
  createHub({ authorize: () => ({ status: 401 }) })
  // @ts-expect-error an end that is a date
  createHub({ authorize: () => ({ context: 1, expiresAt: new Date() }) })
  // @ts-expect-error neither true, false nor a refusal
  createHub({ authorizeChannel: () => 'yes' })
})
