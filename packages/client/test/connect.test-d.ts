import { type Client, connect, type OneWayClient, type Transport, type TwoWayClient } from '@eitherway/client'
import { expectTypeOf, test } from 'vitest'

test('`send` is absent where the flag says one-way', () => {
  const client = connect('/live', { transport: 'sse' })
  expectTypeOf(client).toEqualTypeOf<OneWayClient>()
  expectTypeOf(client.direction).toEqualTypeOf<'one-way'>()
  // @ts-expect-error a one-way client does not send
  client.send
})

test('`send` is there where the flag says two-way', () => {
  const client = connect('/live', { transport: 'ws' })
  expectTypeOf(client).toEqualTypeOf<TwoWayClient>()
  expectTypeOf(client.send).returns.toEqualTypeOf<Promise<void>>()
})

test('a flag that is known only at run time is narrowed by `direction`', () => {
  const client = connect('/live', { transport: 'ws' as 'sse' | 'ws' })
  expectTypeOf(client).toEqualTypeOf<OneWayClient | TwoWayClient>()
  // @ts-expect-error not before the direction is known
  client.send
  if (client.direction === 'two-way') expectTypeOf(client).toEqualTypeOf<TwoWayClient>()
  else expectTypeOf(client).toEqualTypeOf<OneWayClient>()
})

test("a third party's transport gives the client of its direction", () => {
  expectTypeOf(connect('/live', { transport: {} as Transport<'one-way'> })).toEqualTypeOf<OneWayClient>()
  expectTypeOf(connect('/live', { transport: {} as Transport<'two-way'> })).toEqualTypeOf<TwoWayClient>()
  expectTypeOf(connect('/live', { transport: {} as Transport })).toEqualTypeOf<Client>()
})

test('misuse does not compile', () => {
  // @ts-expect-error there is no such transport
  connect('/live', { transport: 'tcp' })
  // @ts-expect-error the transport is the one thing that must be chosen
  connect('/live', {})
  // @ts-expect-error channels are a list
  connect('/live', { transport: 'sse', channels: 'prices' })
  const client = connect('/live', { transport: 'ws' })
  // @ts-expect-error an event needs a handler
  client.on('prices')
  // @ts-expect-error states are read, not set
  client.state = 'open'
})

test('a handler names the type of its data', () => {
  const client = connect('/live', { transport: 'sse' })
  client.on<{ EURUSD: number }>('prices', (prices, message) => {
    expectTypeOf(prices).toEqualTypeOf<{ EURUSD: number }>()
    expectTypeOf(message.data).toEqualTypeOf<{ EURUSD: number }>()
  })
  client.on('prices', (prices) => expectTypeOf(prices).toBeUnknown())
})
