import { createServer } from 'node:http'
import { type Client, connect, type OneWayClient, type TwoWayClient } from '@eitherway/client'
import { type AgreementIn, defineContract, types } from '@eitherway/core/contract'
import { createHub, type Hub, serve } from '@eitherway/server'
import { type } from 'arktype'
import * as v from 'valibot'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'

/** The same in each library, and in types only. What `at` is differs between sending and hearing. */
const byZod = defineContract({
  down: {
    prices: z.object({ EURUSD: z.number() }),
    tick: z.object({ at: z.string().transform((text) => new Date(text)) }),
  },
  up: { chat: z.object({ text: z.string() }) },
  requests: { sum: { input: z.tuple([z.number(), z.number()]), output: z.number() } },
})
const byValibot = defineContract({
  down: {
    prices: v.object({ EURUSD: v.number() }),
    tick: v.object({
      at: v.pipe(
        v.string(),
        v.transform((text) => new Date(text)),
      ),
    }),
  },
  up: { chat: v.object({ text: v.string() }) },
  requests: { sum: { input: v.tuple([v.number(), v.number()]), output: v.number() } },
})
const byArkType = defineContract({
  down: { prices: type({ EURUSD: 'number' }), tick: type({ at: 'string.date.iso.parse' }) },
  up: { chat: type({ text: 'string' }) },
  requests: { sum: { input: type(['number', 'number']), output: type('number') } },
})
interface Live {
  down: { prices: { EURUSD: number }; tick: { at: string } }
  up: { chat: { text: string } }
  requests: { sum: { input: [number, number]; output: number } }
}
const byTypes = types<Live>()

test('the client has the events, the messages and the requests of the contract', () => {
  const zod = connect('/live', { transport: 'ws', contract: byZod })
  zod.on('prices', (prices) => expectTypeOf(prices).toEqualTypeOf<{ EURUSD: number }>())
  zod.on('tick', ({ at }, message) => {
    expectTypeOf(at).toEqualTypeOf<Date>()
    expectTypeOf(message.data.at).toEqualTypeOf<Date>()
  })
  expectTypeOf(zod.request('sum', [1, 2])).toEqualTypeOf<Promise<number>>()
  expectTypeOf(zod.send('chat', { text: 'hi' })).toEqualTypeOf<Promise<void>>()
  const valibot = connect('/live', { transport: 'ws', contract: byValibot })
  valibot.on('tick', ({ at }) => expectTypeOf(at).toEqualTypeOf<Date>())
  expectTypeOf(valibot.request('sum', [1, 2])).toEqualTypeOf<Promise<number>>()
  const arkType = connect('/live', { transport: 'ws', contract: byArkType })
  arkType.on('tick', ({ at }) => expectTypeOf(at).toEqualTypeOf<Date>())
  expectTypeOf(arkType.request('sum', [1, 2])).toEqualTypeOf<Promise<number>>()
  const typed = connect('/live', { transport: 'ws', contract: byTypes })
  typed.on('tick', ({ at }) => expectTypeOf(at).toEqualTypeOf<string>())
  expectTypeOf(typed.request('sum', [1, 2])).toEqualTypeOf<Promise<number>>()
  expectTypeOf(typed).toEqualTypeOf<TwoWayClient<AgreementIn<Live>>>()
})

test('what is not agreed on does not compile in a client', () => {
  const client = connect('/live', { transport: 'ws', contract: byZod })
  // @ts-expect-error no such event
  client.on('price', () => undefined)
  // @ts-expect-error an event of the other direction
  client.on('chat', () => undefined)
  // @ts-expect-error another payload
  client.on('prices', (prices: { USDEUR: number }) => prices)
  // @ts-expect-error no such event
  void client.send('chats', { text: 'hi' })
  // @ts-expect-error an event of the other direction
  void client.send('prices', { EURUSD: 1 })
  // @ts-expect-error another payload
  void client.send('chat', { text: 1 })
  // @ts-expect-error no such request
  void client.request('product', [1, 2])
  // @ts-expect-error another input
  void client.request('sum', [1])
  // @ts-expect-error another output
  const text: Promise<string> = client.request('sum', [1, 2])
  void text
  const typed = connect('/live', { transport: 'ws', contract: byTypes })
  // @ts-expect-error no such event
  typed.on('price', () => undefined)
  // @ts-expect-error another payload
  void typed.send('chat', { text: 1 })
})

test('an iteration is told apart by its events', async () => {
  const client = connect('/live', { transport: 'sse', contract: byZod })
  for await (const message of client) {
    expectTypeOf(message.event).toEqualTypeOf<'prices' | 'tick'>()
    if (message.event === 'tick') expectTypeOf(message.data.at).toEqualTypeOf<Date>()
    else expectTypeOf(message.data).toEqualTypeOf<{ EURUSD: number }>()
  }
})

test('the contract stays over a change of transport, and the direction follows the flag', async () => {
  const client = connect('/live', { transport: 'sse', contract: byTypes })
  expectTypeOf(client).toEqualTypeOf<OneWayClient<AgreementIn<Live>>>()
  // @ts-expect-error a one-way client does not ask
  client.request
  const switched = await client.switchTo('ws')
  expectTypeOf(switched).toEqualTypeOf<Client<'two-way', AgreementIn<Live>>>()
  expectTypeOf(switched.request('sum', [1, 2])).toEqualTypeOf<Promise<number>>()
})

test('the hub has them the other way round', () => {
  const hub = createHub({ contract: byZod, authorize: () => ({ context: { name: 'ada' } }) })
  void hub.publish('prices', { EURUSD: 1 })
  // What is sent is what the schema takes.
  void hub.publish('tick', { at: '2026-01-01' })
  void hub.publish('user:42', { EURUSD: 1 }, { event: 'prices' })
  hub.onConnect((peer) => void peer.send('prices', { EURUSD: 1 }))
  hub.onMessage((message, { context }) => {
    expectTypeOf(message.event).toEqualTypeOf<'chat'>()
    expectTypeOf(message.data).toEqualTypeOf<{ text: string }>()
    expectTypeOf(context).toEqualTypeOf<{ name: string }>()
  })
  hub.onRequest('sum', ([a, b], { peer }) => {
    expectTypeOf(a).toEqualTypeOf<number>()
    void peer.send('tick', { at: peer.context.name })
    return a + b
  })
  hub.onRequest('sum', async ([a, b]) => a + b)
  serve(hub, createServer(), { path: '/live' })
})

test('what is not agreed on does not compile in a hub', () => {
  const hub = createHub({ contract: byTypes })
  expectTypeOf(hub).toEqualTypeOf<Hub<undefined, AgreementIn<Live>>>()
  // @ts-expect-error a channel that is no event, and no event
  void hub.publish('user:42', { EURUSD: 1 })
  // @ts-expect-error no such event
  void hub.publish('user:42', { EURUSD: 1 }, { event: 'price' })
  // @ts-expect-error the payload of another event
  void hub.publish('user:42', { at: '' }, { event: 'prices' })
  // @ts-expect-error another payload
  void hub.publish('prices', { EURUSD: '1' })
  // @ts-expect-error an event of the other direction
  void hub.publish('chat', { text: 'hi' })
  // @ts-expect-error an event of the other direction
  hub.onConnect((peer) => peer.send('chat', { text: 'hi' }))
  // @ts-expect-error another payload
  hub.onMessage(({ data }) => data.EURUSD)
  // @ts-expect-error no such request
  hub.onRequest('product', () => 1)
  // @ts-expect-error another output
  hub.onRequest('sum', () => 'three')
  // @ts-expect-error another input
  hub.onRequest('sum', (text: string) => text.length)
})

test('what is no schema is no contract', () => {
  // @ts-expect-error no schema
  defineContract({ down: { prices: { EURUSD: 'number' } } })
  // @ts-expect-error a request without an output
  defineContract({ requests: { sum: { input: z.number() } } })
  // @ts-expect-error no contract
  connect('/live', { transport: 'sse', contract: {} as { check: string } })
})
