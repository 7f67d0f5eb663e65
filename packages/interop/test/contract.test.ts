import { connect, RequestError } from '@eitherway/client'
import { linked } from '@eitherway/core'
import { type Agreement, type Contract, defineContract, type StandardSchema } from '@eitherway/core/contract'
import { within } from '@eitherway/core/testing'
import { createHub, type HubOptions } from '@eitherway/server'
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startHub } from './harness.ts'

/** A hub and a client that agreed on the same, in whatever library. */
async function meet(contract: Contract<Agreement>, channels = ['prices']) {
  const told = { hub: [] as unknown[], client: [] as unknown[] }
  const options: HubOptions<undefined, Agreement> = { contract, onError: (error) => told.hub.push(error) }
  const bench = await startHub(options as unknown as HubOptions)
  const client = connect(`${bench.origin}/live`, {
    transport: 'ws',
    channels,
    onError: (error) => told.client.push(error),
    contract,
  })
  return {
    hub: bench.hub,
    client,
    told,
    async [Symbol.asyncDispose]() {
      await client.close()
      await bench[Symbol.asyncDispose]()
    },
  }
}

const errorOf = (promise: Promise<unknown>) =>
  within(
    promise.then(
      (value) => {
        throw new Error(`it was answered: ${JSON.stringify(value)}`)
      },
      (error: unknown) => error,
    ),
    'the rejection',
  )

const libraries = {
  zod: defineContract({
    down: { prices: z.object({ at: z.string().transform((text) => text.length), EURUSD: z.number() }) },
    up: { chat: z.object({ text: z.string() }) },
    requests: { sum: { input: z.tuple([z.number(), z.number()]), output: z.number() } },
  }),
  valibot: defineContract({
    down: {
      prices: v.object({
        at: v.pipe(
          v.string(),
          v.transform((text) => text.length),
        ),
        EURUSD: v.number(),
      }),
    },
    up: { chat: v.object({ text: v.string() }) },
    requests: { sum: { input: v.tuple([v.number(), v.number()]), output: v.number() } },
  }),
  arktype: defineContract({
    down: {
      prices: type({ at: type('string').pipe((text) => text.length), EURUSD: 'number', '+': 'delete' }),
    },
    up: { chat: type({ text: 'string', '+': 'delete' }) },
    requests: { sum: { input: type(['number', 'number']), output: type('number') } },
  }),
}

describe.each(Object.entries(libraries))('a contract of %s', (_, contract) => {
  test('what it lets through comes as the schema made it; what it refuses is told and not heard', async () => {
    await using bench = await meet(contract)
    const { hub, client, told } = bench
    const prices: unknown[] = []
    const chats: unknown[] = []
    client.on('prices', (data) => prices.push(data))
    hub.onMessage(({ data }) => chats.push(data))
    hub.onRequest<[number, number]>('sum', ([a, b]) => (a === 0 ? 'nothing' : a + b))

    await client.request('sum', [1, 1])
    await hub.publish('prices', { at: 'noon', EURUSD: 1, more: true })
    await hub.publish('prices', { at: 'noon', EURUSD: 'secret' })
    await hub.publish('prices', { at: '', EURUSD: 2 })
    await expect
      .poll(() => prices)
      .toEqual([
        { at: 4, EURUSD: 1 },
        { at: 0, EURUSD: 2 },
      ])
    expect(told.client).toMatchObject([
      {
        name: 'ContractError',
        message: 'a message of event "prices" is not what the contract says at "EURUSD"',
        issues: [{ path: ['EURUSD'] }],
      },
    ])

    await client.send('chat', { text: 'one', more: true })
    await client.send('chat', { text: 2 })
    await client.send('unheard of', {})
    await client.send('chat', { text: 'three' })
    await expect.poll(() => chats).toEqual([{ text: 'one' }, { text: 'three' }])
    expect(told.hub).toMatchObject([
      { name: 'ContractError', part: 'up', of: 'chat', issues: [{ path: ['text'] }] },
      { name: 'ContractError', part: 'up', of: 'unheard of', issues: [{ path: [] }] },
    ])
    expect(hub.peers.size).toBe(1)

    const refused = await errorOf(client.request('sum', [1, 'two']))
    expect(refused).toBeInstanceOf(RequestError)
    expect(refused).toMatchObject({
      code: 'invalid',
      message: 'the data of request "sum" is not what the contract says at "1"',
      data: { issues: [{ message: expect.any(String), path: [1] }] },
    })
    expect(await errorOf(client.request('sum', [0, 0]))).toMatchObject({
      name: 'ContractError',
      part: 'output',
      message: 'the reply to request "sum" is not what the contract says',
    })
    expect(await client.request('sum', [2, 2])).toBe(4)
    expect(told.hub.length).toBe(2)
  })
})

/** A schema that is done with each value when it is told to. */
function createSlow() {
  const waiting: { value: unknown; done: () => void }[] = []
  const schema: StandardSchema<number> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) =>
        new Promise((resolve) => {
          waiting.push({ value, done: () => resolve({ value: value as number }) })
        }),
    },
  }
  return { waiting, schema }
}

test('a schema that takes its time changes no order: later events wait, over a handover as well', async () => {
  const { waiting, schema } = createSlow()
  const hub = createHub()
  const client = connect('http://test/live', {
    transport: linked(hub.accept, { direction: 'two-way' }),
    channels: ['slow', 'fast'],
    contract: defineContract({ down: { slow: schema, fast: z.number() } }),
  })
  const heard: unknown[] = []
  client.on('slow', (data) => heard.push(['slow', data]))
  client.on('fast', (data) => heard.push(['fast', data]))
  await expect.poll(() => client.state).toBe('open')
  await hub.publish('slow', 1)
  await hub.publish('fast', 2)
  await expect.poll(() => waiting.length).toBe(1)
  await client.subscribe('another')
  await hub.publish('slow', 3)
  await hub.publish('fast', 4)
  await new Promise((resolve) => setImmediate(resolve))
  expect(heard).toEqual([])
  waiting[0]?.done()
  await expect.poll(() => waiting.length).toBe(2)
  expect(heard).toEqual([
    ['slow', 1],
    ['fast', 2],
  ])
  waiting[1]?.done()
  await expect
    .poll(() => heard.slice(2))
    .toEqual([
      ['slow', 3],
      ['fast', 4],
    ])
  await client.close()
  await hub.close()
})

test('on the server too, and a request whose schema takes its time holds up no other', async () => {
  const { waiting, schema } = createSlow()
  const contract = defineContract({
    up: { slow: schema, fast: z.number() },
    requests: { slow: { input: schema, output: schema }, fast: { input: z.number(), output: z.number() } },
  })
  const hub = createHub({ contract })
  const heard: unknown[] = []
  hub.onMessage(({ event, data }) => heard.push([event, data]))
  hub.onRequest('slow', (data) => data)
  hub.onRequest('fast', (data) => data)
  const client = connect('http://test/live', {
    transport: linked(hub.accept, { direction: 'two-way' }),
    contract,
  })
  const slow = client.request('slow', 1)
  expect(await client.request('fast', 2)).toBe(2)
  waiting[0]?.done()
  await expect.poll(() => waiting.length).toBe(2)
  waiting[1]?.done()
  expect(await slow).toBe(1)
  await client.send('slow', 3)
  await client.send('fast', 4)
  await expect.poll(() => waiting.length).toBe(3)
  expect(heard).toEqual([])
  waiting[2]?.done()
  await expect
    .poll(() => heard)
    .toEqual([
      ['slow', 3],
      ['fast', 4],
    ])
  await client.close()
  await hub.close()
})

test('a client that is closed while a schema takes its time hears nothing any more', async () => {
  const { waiting, schema } = createSlow()
  const hub = createHub()
  const client = connect('http://test/live', {
    transport: linked(hub.accept, { direction: 'two-way' }),
    channels: ['slow'],
    contract: defineContract({ down: { slow: schema } }),
  })
  const heard: unknown[] = []
  client.on('slow', (data) => heard.push(data))
  await expect.poll(() => client.state).toBe('open')
  await hub.publish('slow', 1)
  await expect.poll(() => waiting.length).toBe(1)
  await client.close()
  waiting[0]?.done()
  await new Promise((resolve) => setImmediate(resolve))
  expect(heard).toEqual([])
  await hub.close()
})

test('an iteration has what the schema made of it, and not what it refused', async () => {
  await using bench = await meet(libraries.zod, ['prices', 'other'])
  const { hub, client, told } = bench
  const iteration = client[Symbol.asyncIterator]()
  const first = iteration.next()
  await expect.poll(() => client.state).toBe('open')
  await hub.publish('other', 1)
  await hub.publish('prices', { at: 'x', EURUSD: 1 })
  expect((await within(first, 'the first')).value).toMatchObject({
    event: 'prices',
    data: { at: 1, EURUSD: 1 },
  })
  expect(told.client).toMatchObject([{ name: 'ContractError', of: 'other' }])
})

test('a peer that does nothing but break the contract does not fill the log', async () => {
  await using bench = await meet(libraries.zod)
  const { hub, client, told } = bench
  const heard = new Promise((resolve) => hub.onMessage(resolve))
  // As from a page in plain JavaScript.
  const send = client.send as (event: string, data: unknown) => Promise<void>
  for (let at = 0; at < 100; at += 1) await send(at % 2 === 0 ? 'chat' : `made up ${at}`, at)
  await send('chat', { text: 'fine' })
  expect(await within(heard, 'what is as agreed')).toMatchObject({ data: { text: 'fine' } })
  expect(told.hub).toHaveLength(10)
})

test('a schema that throws is told to `onError`, and what it threw stays on the server', async () => {
  const broken: StandardSchema<number> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate() {
        throw new Error('the password is 1234')
      },
    },
  }
  await using bench = await meet(
    defineContract({ up: { chat: broken }, requests: { ask: { input: broken, output: broken } } }),
  )
  const { hub, client, told } = bench
  hub.onRequest('ask', () => 1)
  await client.send('chat', 1)
  expect(await errorOf(client.request('ask', 1))).toMatchObject({
    code: 'failed',
    message: 'the request failed',
  })
  expect(told.hub).toMatchObject([{ message: 'the password is 1234' }, { message: 'the password is 1234' }])
})
