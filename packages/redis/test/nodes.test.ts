import { createPublisher, redisBroker } from '@eitherway/redis'
import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, follow, startNode, startProgram } from './nodes.ts'
import { clients, hasRedis, type RedisServer, startRedis } from './server.ts'

describe.skipIf(!hasRedis)('hubs on many nodes', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis[Symbol.asyncDispose]())

  let count = 0
  /** A hub's name of its own, on any number of nodes, with either library. */
  function hubOf(options = {}) {
    count += 1
    const prefix = `hub ${count}`
    const shared = (library: string) => ({ client: clients[library]?.(redis.port) as never, prefix })
    return {
      prefix,
      node: (library = 'ioredis') => startNode(shared(library).client, { prefix, ...options }),
      publisher: (library = 'ioredis') => createPublisher({ ...shared(library), ...options }),
    }
  }

  test('each publishes to the peers of all, in one order for all, whichever library it uses', async () => {
    const hub = hubOf()
    await using one = hub.node('ioredis')
    await using other = hub.node('node-redis')
    const heard: string[][] = [[], []]
    for (const [at, { broker }] of [one, other].entries())
      broker.subscribe((_, { id }) => heard[at]?.push(id))
    await Promise.all([one.broker.position(), other.broker.position()])
    const ids = await Promise.all(
      Array.from({ length: 400 }, (_, at) =>
        (at % 2 === 0 ? one : other).hub.publish(at % 3 === 0 ? 'a' : 'b', at),
      ),
    )
    await eventually(() => heard.every((list) => list.length === 400))
    expect(heard[0]).toEqual(heard[1])
    expect(new Set(heard[0])).toEqual(new Set(ids))
  })

  test('a client resumes on another node what it missed while it moved', async () => {
    const hub = hubOf()
    await using one = hub.node()
    await using other = hub.node()
    await using follower = await follow(one, 'a')
    await other.hub.publish('a', '1')
    await eventually(() => follower.told.length === 1)
    await Promise.all([
      follower.client.switchTo(other.transport),
      ...Array.from({ length: 50 }, (_, at) => one.hub.publish('a', String(at + 2))),
    ])
    await one.hub.publish('a', 'last')
    await eventually(() => follower.told.includes('last'))
    expect(follower.told).toEqual([...Array.from({ length: 51 }, (_, at) => String(at + 1)), 'last'])
  })

  test.each(Object.keys(clients))(
    'a process without a hub publishes to all of them, with %s',
    async (library) => {
      const hub = hubOf()
      await using node = hub.node(library)
      await using follower = await follow(node, 'a')
      const events: string[] = []
      follower.client.on('named', () => events.push('named'))
      const publisher = hub.publisher(library)
      const id = await publisher.publish('a', '1')
      await publisher.publish('a', '2', { event: 'named' })
      await eventually(() => events.length === 1)
      expect(follower.told).toEqual(['1'])
      expect((await node.broker.history(['a'], id)).messages.map(({ event }) => event)).toEqual(['named'])
      await expect(publisher.publish('a', 'x'.repeat(1024 * 1024))).rejects.toThrow(
        "is over the publisher's `maxMessageBytes` of 1048576",
      )
      await expect(publisher.publish('a\n', '')).rejects.toThrow(TypeError)
      publisher.close()
      await expect(publisher.publish('a', '3')).rejects.toThrow('the broker is closed; nothing was published')
    },
  )

  test('peers are counted on all nodes, and no longer when a node goes or is not heard of', async () => {
    const hub = hubOf()
    await using one = hub.node()
    await using first = await follow(one, 'a', 'b')
    {
      await using other = hub.node()
      await using second = await follow(other, 'a')
      await eventually(async () => (await one.hub.count('a')) === 2)
      expect([await one.hub.count('b'), await other.hub.count('b'), await one.hub.count('c')]).toEqual([
        1, 1, 0,
      ])
      await second.client.close()
      await eventually(async () => (await one.hub.count('a')) === 1)
      await using third = await follow(other, 'a')
      await eventually(async () => (await one.hub.count('a')) === 2)
      // A node that is gone says nothing any more: as if a quarter of a minute had passed.
      const nodes = (await redis.command('ZRANGE', `{${hub.prefix}}:nodes`, '0', '-1')) as string[]
      for (const node of nodes) await redis.command('ZADD', `{${hub.prefix}}:nodes`, '1', node)
      expect([await one.hub.count('a'), await other.hub.count('a')]).toEqual([1, 1])
      // It was here all along, and says so again.
      await third.client.close()
      await using fourth = await follow(other, 'a')
      await eventually(async () => (await one.hub.count('a')) === 2)
      await fourth.client.close()
    }
    await eventually(async () => (await one.hub.count('a')) === 1)
    expect(first.told).toEqual([])
  })

  test('what a node said is told anew after Redis has lost it', async () => {
    const hub = hubOf()
    await using one = hub.node()
    await using other = hub.node()
    await using follower = await follow(one, 'a')
    await eventually(async () => (await other.hub.count('a')) === 1)
    const keys = (await redis.command('KEYS', `{${hub.prefix}}:*`)) as string[]
    await redis.command('DEL', ...keys)
    await other.hub.publish('a', '1')
    await eventually(async () => (await other.hub.count('a')) === 1)
    expect(follower.told.length).toBe(1)
  })

  test.each([
    { enableOfflineQueue: false },
    { protocol: 3, replyMapping: 'resp3' },
    { protocol: 2 },
    { maxRetriesPerRequest: null },
    { enableAutoPipelining: true },
  ] as const)('a client of ioredis may be set up as %j', async (options) => {
    const client = new Redis({ port: redis.port, host: '127.0.0.1', lazyConnect: true, ...options })
    const { prefix } = hubOf()
    await using node = startNode(client as never, { prefix })
    await using follower = await follow(node, 'a')
    const id = await node.hub.publish('a', 'here')
    await eventually(() => follower.told.length === 1)
    expect((await node.broker.history(['a'], id)).messages).toEqual([])
    expect(node.errors).toEqual([])
  })

  test('hubs of different names have nothing in common', async () => {
    const [one, other] = [hubOf(), hubOf()]
    await using here = one.node()
    await using there = other.node()
    await using follower = await follow(here, 'a')
    const foreign = await there.hub.publish('a', 'there')
    await here.hub.publish('a', 'here')
    await eventually(() => follower.told.length === 1)
    expect(follower.told).toEqual(['here'])
    expect((await here.broker.history(['a'], foreign)).gap?.reason).toMatch(/epoch|unknown/)
  })

  test('all keys of a hub are in one slot of a cluster, whatever its channels are named', async () => {
    const hub = hubOf()
    await using node = hub.node()
    await using follower = await follow(node, 'a}{b')
    await node.hub.publish('a}{b', '1')
    await eventually(() => follower.told.length === 1)
    const keys = (await redis.command('KEYS', `*${hub.prefix}}*`)) as string[]
    expect(keys.length).toBeGreaterThan(5)
    for (const key of keys) expect(/\{(.*?)\}/.exec(key)?.[1]).toBe(hub.prefix)
  })

  test.each([
    ['bytes of a channel', { bytes: 10 }, ['xxxxx', 'üü', 'xx'], 2],
    ['bytes of all channels', { totalBytes: 10 }, ['xxxxx', 'üü', 'xx'], 2],
  ])('%s bound what is kept', async (_, history, data, kept) => {
    const hub = hubOf({ history })
    await using node = hub.node()
    const start = await node.broker.position()
    const ids: string[] = []
    for (const text of data.slice(0, kept)) ids.push(await node.broker.publish('a', 'e', text))
    expect((await node.broker.history(['a'], start)).messages.length).toBe(kept)
    for (const text of data.slice(kept)) ids.push(await node.broker.publish('a', 'e', text))
    expect(await node.broker.history(['a'], start)).toMatchObject({
      messages: [],
      gap: { reason: 'evicted', channels: ['a'] },
    })
    expect((await node.broker.history(['a'], ids[0] as string)).messages.length).toBe(data.length - 1)
  })

  test('what is too old is a gap, also in a channel of which nothing is left', async () => {
    const hub = hubOf({ history: { ageMs: 150 } })
    await using node = hub.node()
    const start = await node.broker.position()
    const first = await node.broker.publish('a', 'e', '1')
    await node.broker.publish('b', 'e', '1')
    await eventually(async () => (await node.broker.history(['a', 'b'], start)).gap?.channels.length === 2)
    await node.broker.publish('c', 'e', '2')
    expect((await node.broker.history(['a'], start)).gap?.reason).toBe('evicted')
    const left = (await redis.command('KEYS', `{${hub.prefix}}:channel:*`)) as string[]
    expect(left).toEqual([`{${hub.prefix}}:channel:c`])
    expect((await node.broker.history(['a', 'c'], first)).gap?.channels).toContain('a')
  })

  test('a long history of many channels is read in its order, at once and in pages', async () => {
    const hub = hubOf()
    await using node = hub.node()
    const start = await node.broker.position()
    const channels = Array.from({ length: 7 }, (_, at) => `c${at}`)
    const ids = await Promise.all(
      Array.from({ length: 3_000 }, (_, at) =>
        node.broker.publish(channels[(at * at) % 7] as string, 'e', 'x'.repeat(at % 100)),
      ),
    )
    const whole = await node.broker.history(channels, start)
    expect(whole.messages.map(({ id }) => id)).toEqual(ids)
    const read: string[] = []
    for (let next: string | undefined = start; next !== undefined; ) {
      const page = await node.broker.history(channels, next, { maxBytes: 10_000, until: whole.position })
      read.push(...page.messages.map(({ id }) => id))
      next = page.next
    }
    expect(read).toEqual(ids)
  })

  test('a closed broker publishes nothing, and no longer holds the process', async () => {
    const broker = redisBroker({ client: clients['ioredis']?.(redis.port) as never, prefix: 'closed' })
    await broker.position()
    await broker.close()
    await broker.close()
    await expect(broker.publish('a', 'a', '')).rejects.toThrow('the broker is closed; nothing was published')
    await using program = startProgram('close', String(redis.port))
    await program.ended
    expect(program.lines).toEqual(['closed'])
  })

  test.each([
    ['prefix', { prefix: 'a{b' }, 'must not contain { or }'],
    ['timeoutMs', { timeoutMs: 0 }, 'must be a number from 1 to 600000, got 0'],
    ['maxQueuedBytes', { maxQueuedBytes: Number.NaN }, 'must be a whole number of 1 or more, got NaN'],
    ['history', { history: { messages: -1 } }, '`history.messages` must be a number of 0 or more, got -1'],
    ['client', { client: {} as never }, '`client` must be a client of `ioredis` or of `redis`'],
    [
      'client',
      { client: 'redis://127.0.0.1' as never },
      'got string; a URL is given to the library: `new Redis(url)`',
    ],
    [
      'client',
      { client: createSentinel({ name: 'a', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] }) as never },
      'must not be of `createSentinel`',
    ],
    ['keyPrefix', { client: new Redis({ lazyConnect: true, keyPrefix: 'x:' }) }, 'must have no `keyPrefix`'],
  ])('a wrong `%s` is told', (_, wrong, message) => {
    expect(() => redisBroker({ client: clients['ioredis']?.(redis.port) as never, ...wrong })).toThrow(
      message,
    )
  })
})
