import { connect, type OneWayClient, type Received, type TwoWayClient } from '@eitherway/client'
import { types } from '@eitherway/core/contract'
import { createHooks } from '@eitherway/react'
import { expectTypeOf, test } from 'vitest'

type Events = { prices: { EURUSD: number }; notice: string }
const one = createHooks<OneWayClient, Events>()
const two = createHooks<TwoWayClient, Events>()

test('events have the types of their data, and others are no events', () => {
  expectTypeOf(one.useLastMessage('notice')).toEqualTypeOf<Received<string> | undefined>()
  expectTypeOf(one.useReduced('prices', (sum, { data }) => sum + data.EURUSD, 0)).toEqualTypeOf<number>()
  // @ts-expect-error: no such event
  one.useLastMessage('price')
})

test('there is a `send` where there are two ways, and none where there is one', () => {
  expectTypeOf(two.useSend()).toEqualTypeOf<TwoWayClient['send']>()
  // @ts-expect-error: nothing to be called
  one.useSend()
  expectTypeOf(one.useClient()).toEqualTypeOf<OneWayClient | undefined>()
})

test('with a contract, events and `send` are its own', () => {
  const agreed = types<{
    down: { prices: { EURUSD: number }; notice: string }
    up: { chat: { text: string } }
  }>()
  const client = () => connect('/live', { transport: 'ws', contract: agreed })
  const hooks = createHooks<ReturnType<typeof client>>()
  expectTypeOf(hooks.Provider).toBeCallableWith({ connect: client })
  expectTypeOf(hooks.useLastMessage('notice')?.data).toEqualTypeOf<string | undefined>()
  expectTypeOf(hooks.useReduced('prices', (sum, { data }) => sum + data.EURUSD, 0)).toEqualTypeOf<number>()
  // @ts-expect-error: no such event
  hooks.useLastMessage('price')
  // @ts-expect-error: not what the contract says
  hooks.useSend()('chat', { words: 'hi' })
})

test('without one, any event, of unknown data', () => {
  expectTypeOf(createHooks().useLastMessage('anything')?.data).toEqualTypeOf<unknown>()
})
