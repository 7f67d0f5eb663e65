import type { OneWayClient, Received, TwoWayClient } from '@eitherway/client'
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
