import {
  createPublisher,
  type IoredisClient,
  PublishError,
  type RedisClient,
  redisBroker,
} from '@eitherway/redis'
import { Redis } from 'ioredis'
import { describe, expect, test, vi } from 'vitest'
import { eventually, follow, startNode, startProgram } from './nodes.ts'
import { hasRedis, startRedis, startSwitch } from './server.ts'

const pattern = (port: number): Redis => new Redis({ port, host: '127.0.0.1', lazyConnect: true })
const epochGap = { reason: 'epoch', channels: ['a'] }
const durable = ['--appendonly', 'yes', '--appendfsync', 'always']

async function failureOf(promise: Promise<unknown>): Promise<PublishError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(PublishError)
  return error
}

describe.skipIf(!hasRedis)('when Redis', () => {
  test('is slow, all is delivered once, when it is there again', async () => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port))
    await using follower = await follow(node, 'a')
    await redis.command('CLIENT', 'PAUSE', '300', 'ALL')
    await Promise.all(Array.from({ length: 20 }, (_, at) => node.hub.publish('a', `${at}`)))
    await eventually(() => follower.told.length >= 20)
    await node.hub.publish('a', 'last')
    await eventually(() => follower.told.includes('last'))
    expect(follower.told).toEqual([...Array.from({ length: 20 }, (_, at) => `${at}`), 'last'])
    expect(follower.losses()).toBe(0)
  })

  test('is slower than a publish may take, it fails in time and says that it may have been published', async () => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port), { timeoutMs: 1_000 })
    await using follower = await follow(node, 'a')
    await redis.command('CLIENT', 'PAUSE', '2500', 'ALL')
    const error = await failureOf(node.hub.publish('a', 'first'))
    expect(error.message).toMatch(/^Redis did not confirm it within 1000 ms: .*; it may have been published$/)
    expect(error.mayBePublished).toBe(true)
    await eventually(() =>
      node.hub.publish('a', 'next').then(
        () => true,
        () => false,
      ),
    )
    await eventually(() => follower.told.includes('next'))
    // Whether it was published or not, it was once, and before what came later.
    expect(follower.told.filter((one) => one === 'first').length).toBeLessThanOrEqual(1)
    expect(follower.told.lastIndexOf('first')).toBeLessThan(follower.told.indexOf('next'))
    expect(follower.losses()).toBe(0)
  })

  test('is away, publishing fails in time, links stay open, and it goes on by itself', async () => {
    await using redis = await startRedis(...durable)
    await using node = startNode(pattern(redis.port), { timeoutMs: 200 })
    await using follower = await follow(node, 'a')
    await node.hub.publish('a', 'before')
    await redis.kill()
    await failureOf(node.hub.publish('a', 'meanwhile'))
    await redis.start()
    await eventually(() =>
      node.hub.publish('a', 'after').then(
        () => true,
        () => false,
      ),
    )
    await eventually(() => follower.told.includes('after'))
    expect(follower.told).toEqual(['before', 'after'])
    expect(follower.losses()).toBe(0)
  })

  test('is away, no more waits for it than may', async () => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port), { timeoutMs: 500, maxQueuedBytes: 10_000 })
    await node.broker.position()
    await redis.kill()
    const all = await Promise.allSettled(
      Array.from({ length: 1_000 }, () => node.broker.publish('a', 'a', 'x'.repeat(100))),
    )
    const reasons = all.map((one) => String(one.status === 'rejected' && one.reason.message))
    const full = reasons.filter((reason) =>
      reason.includes('`maxQueuedBytes` is 10000; nothing was published'),
    )
    expect(full.length).toBeGreaterThan(970)
    expect(full.length).toBeLessThan(1_000)
    expect(all.every(({ status }) => status === 'rejected')).toBe(true)
  })

  test('is restarted with its data, nobody has a gap, and who was away resumes', async () => {
    await using redis = await startRedis(...durable)
    await using node = startNode(pattern(redis.port))
    await using follower = await follow(node, 'a')
    const position = await node.hub.publish('a', '1')
    const second = await node.hub.publish('a', '2')
    await redis.kill()
    await redis.start()
    const third = await node.hub.publish('a', '3')
    await eventually(() => follower.told.length === 3)
    expect(follower.told).toEqual(['1', '2', '3'])
    expect(follower.losses()).toBe(0)
    const { messages, gap } = await node.broker.history(['a'], position)
    expect(messages.map(({ id }) => id)).toEqual([second, third])
    expect(gap).toBeUndefined()
  })

  test('is restarted with its data, who comes first and knows nothing leaves it to those who do', async () => {
    await using redis = await startRedis(...durable)
    await using node = startNode(pattern(redis.port))
    await using follower = await follow(node, 'a')
    await node.hub.publish('a', '1')
    await eventually(() => follower.told.length === 1)
    await redis.kill()
    await redis.start()
    const publisher = createPublisher({ client: pattern(redis.port) })
    await publisher.publish('a', '2')
    await eventually(() => follower.told.length === 2)
    expect(follower.told).toEqual(['1', '2'])
    publisher.close()
  })

  test('is restarted without its data, every client has a gap before anything newer, on the link that it has', async () => {
    await using redis = await startRedis()
    await using one = startNode(pattern(redis.port))
    await using other = startNode(pattern(redis.port))
    await using follower = await follow(one, 'a')
    await using neighbour = await follow(other, 'a')
    const position = await one.hub.publish('a', '1')
    await eventually(() => follower.told.length + neighbour.told.length === 2)
    await redis.kill()
    await redis.start()
    // Part of the gap, whose position lies behind it, unless the loss was noticed before.
    await one.hub.publish('a', '2')
    for (const { told } of [follower, neighbour]) await eventually(() => told.length > 1)
    await other.hub.publish('a', '3')
    for (const { told, losses } of [follower, neighbour]) {
      await eventually(() => told.includes('3'))
      expect(told.slice(0, 2)).toEqual(['1', epochGap])
      expect(told.slice(2).filter((one) => one !== '2')).toEqual(['3'])
      expect(losses()).toBe(0)
    }
    expect((await one.broker.history(['a'], position)).gap).toEqual(epochGap)
  })

  test('loses its data and nobody publishes, clients are told all the same', async () => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port))
    await using follower = await follow(node, 'a')
    await node.hub.publish('a', '1')
    await redis.command('FLUSHALL')
    await eventually(() => follower.told.length === 2)
    expect(follower.told).toEqual(['1', epochGap])
    expect(follower.losses()).toBe(0)
  })

  test.each([['meta'], ['log'], ['logs'], ['fresh']])(
    'evicts its key `%s`, what was published before is delivered or a gap',
    async (key) => {
      await using redis = await startRedis()
      await using node = startNode(pattern(redis.port))
      await using follower = await follow(node, 'a')
      const position = await node.hub.publish('a', '1')
      await redis.command('DEL', `{eitherway}:${key}`)
      await node.hub.publish('a', '2')
      await eventually(() => follower.told.length === 2)
      await node.hub.publish('a', '3')
      await eventually(() => follower.told.includes('3'))
      const { messages, gap } = await node.broker.history(['a'], position)
      if (key === 'log') {
        expect(follower.told).toEqual(['1', '2', '3'])
        expect([messages.map(({ data }) => data), gap]).toEqual([['"2"', '"3"'], undefined])
      } else {
        expect(follower.told).toEqual(['1', epochGap, '3'])
        expect(gap).toEqual(epochGap)
      }
    },
  )

  test('evicts the history of a channel, that is a gap for who comes back, and no other channel is concerned', async () => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port))
    const position = await node.broker.position()
    await node.hub.publish('a', '1')
    await node.hub.publish('b', '2')
    await redis.command('DEL', '{eitherway}:channel:a')
    const { messages, gap } = await node.broker.history(['a', 'b'], position)
    expect(gap).toEqual({ reason: 'evicted', channels: ['a'] })
    expect(messages.map(({ data }) => data)).toEqual(['"2"'])
  })

  test('is full, publishing says so, what is kept is read, and it goes on when there is room', async () => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port))
    await using follower = await follow(node, 'a')
    const position = await node.broker.position()
    await node.hub.publish('a', '1')
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    const error = await failureOf(node.hub.publish('a', '2'))
    expect(error.message).toBe('Redis is full (maxmemory), and keeps nothing more; nothing was published')
    expect(error.mayBePublished).toBe(false)
    expect((await node.broker.history(['a'], position)).messages.map(({ data }) => data)).toEqual(['"1"'])
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    await node.hub.publish('a', '3')
    await eventually(() => follower.told.length === 2)
    expect(follower.told).toEqual(['1', '3'])
    expect((await node.broker.history(['a'], position)).messages.map(({ data }) => data)).toEqual([
      '"1"',
      '"3"',
    ])
  })
})

describe.skipIf(!hasRedis)('a Redis that is full for longer than history is kept', () => {
  test('says that what was kept is gone, and goes on when there is room', async () => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port), { history: { ageMs: 100 } })
    const position = await node.broker.position()
    for (const data of ['1', '2']) await node.hub.publish('a', data)
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    await eventually(async () => (await node.broker.history(['a'], position)).gap !== undefined)
    const { messages, gap } = await node.broker.history(['a'], position)
    expect({ messages, gap }).toEqual({ messages: [], gap: { reason: 'evicted', channels: ['a'] } })
    // Nodes have asked how it is, and given up what is old.
    await eventually(async () => (await redis.command('XLEN', '{eitherway}:channel:a')) === 0)
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    const id = await node.hub.publish('a', '3')
    expect((await node.broker.history(['a'], await node.broker.position())).messages).toEqual([])
    expect(id).toMatch(/-3$/)
    expect(node.errors).toEqual([])
  })
})

describe.skipIf(!hasRedis)('a Redis that is full', () => {
  test('is read where only what is older was evicted', async () => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port), { history: { messages: 1, ageMs: 1_000 } })
    await node.hub.publish('a', '1')
    const since = performance.now()
    await eventually(() => performance.now() - since > 700)
    const id = await node.hub.publish('a', '2')
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    // The one that was evicted is over its age now, and the one that is kept is not.
    await eventually(() => performance.now() - since > 1_050)
    const { messages, gap } = await node.broker.history(['a'], id.replace(/2$/, '1'))
    expect([messages.map(({ data }) => data), gap]).toEqual([['"2"'], undefined])
  })
})

describe.skipIf(!hasRedis)('failed over to a replica', () => {
  async function startPair() {
    const primary = await startRedis('--repl-diskless-sync-delay', '0')
    const replica = await startRedis('--replicaof', '127.0.0.1', String(primary.port))
    const door = await startSwitch(primary.port)
    return {
      primary,
      replica,
      door,
      async failOver() {
        door.turn(undefined)
        await primary.kill()
        await replica.command('REPLICAOF', 'NO', 'ONE')
        door.turn(replica.port)
      },
      async [Symbol.asyncDispose]() {
        for (const one of [door, replica, primary]) await one[Symbol.asyncDispose]()
      },
    }
  }

  test('that has all, nobody has a gap', async () => {
    await using pair = await startPair()
    await using node = startNode(pattern(pair.door.port))
    await using follower = await follow(node, 'a')
    await node.hub.publish('a', '1')
    expect(await pair.primary.command('WAIT', '1', '10000')).toBe(1)
    // What is waited for is what this connection has written; the replica itself knows best.
    await eventually(async () => (await pair.replica.command('XLEN', '{eitherway}:channel:a')) === 1)
    await pair.failOver()
    await node.hub.publish('a', '2')
    await eventually(() => follower.told.includes('2'))
    expect(follower.told).toEqual(['1', '2'])
    expect(follower.losses()).toBe(0)
  })

  test('that is behind, every client has a gap, and no id is handed out twice', async () => {
    await using pair = await startPair()
    await using one = startNode(pattern(pair.door.port))
    await using other = startNode(pattern(pair.door.port))
    await using follower = await follow(one, 'a')
    await using neighbour = await follow(other, 'a')
    const ids = [await one.hub.publish('a', '1')]
    await eventually(async () => (await pair.replica.command('XLEN', '{eitherway}:channel:a')) === 1)
    await pair.replica.command('REPLICAOF', 'NO', 'ONE')
    ids.push(await one.hub.publish('a', 'lost'))
    await eventually(() => [follower, neighbour].every(({ told }) => told.length === 2))
    await pair.failOver()
    ids.push(await other.hub.publish('a', '3'))
    for (const { told } of [follower, neighbour]) await eventually(() => told.length === 3)
    ids.push(await one.hub.publish('a', '4'))
    for (const { told, losses } of [follower, neighbour]) {
      await eventually(() => told.includes('4'))
      expect(told).toEqual(['1', 'lost', epochGap, '4'])
      expect(losses()).toBe(0)
    }
    for (const id of ids.slice(0, 2)) expect((await other.broker.history(['a'], id)).gap).toEqual(epochGap)
    expect(new Set(ids).size).toBe(4)
  })

  test('that is behind, and nobody is left who knows: no id is handed out twice, and every position is a gap', async () => {
    await using pair = await startPair()
    const ids: string[] = []
    {
      await using node = startNode(pattern(pair.door.port))
      ids.push(await node.hub.publish('a', '1'))
      await eventually(async () => (await pair.replica.command('XLEN', '{eitherway}:channel:a')) === 1)
      await pair.replica.command('REPLICAOF', 'NO', 'ONE')
      ids.push(await node.hub.publish('a', 'lost'))
    }
    await pair.failOver()
    await using node = startNode(pattern(pair.door.port))
    ids.push(await node.hub.publish('a', '3'), await node.hub.publish('a', '4'))
    expect(new Set(ids).size).toBe(4)
    for (const id of ids.slice(0, 2)) expect((await node.broker.history(['a'], id)).gap).toEqual(epochGap)
  })
})

describe.skipIf(!hasRedis)('when a node', () => {
  test('is killed while it publishes, all that was confirmed is there, and nothing twice', async () => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port), { history: { messages: 100_000 } })
    const start = await node.broker.position()
    await using program = startProgram('publish', String(redis.port))
    await eventually(() => program.lines.length >= 50)
    await program[Symbol.asyncDispose]()
    const { messages } = await node.broker.history(['a'], start)
    expect(messages.map(({ data }) => data)).toEqual(messages.map((_, at) => String(at)))
    const ids = messages.map(({ id }) => id)
    expect(ids.slice(0, program.lines.length)).toEqual(program.lines)
  })

  test.each([
    ['from the log', 0],
    ['from history, where the log is cut off', 1],
  ])('stands still past every timeout, it makes up for what it missed: %s', async (_, isCut) => {
    await using redis = await startRedis()
    await using node = startNode(pattern(redis.port))
    await using program = startProgram('follow', String(redis.port))
    await eventually(() => program.lines.includes('open'))
    await node.hub.publish('a', 0)
    await eventually(() => program.lines.includes('0'))
    program.signal('SIGSTOP')
    // Redis has given it up.
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
    for (let number = 1; number <= 30; number += 1) await node.hub.publish('a', number)
    if (isCut === 1) await redis.command('XTRIM', '{eitherway}:log', 'MAXLEN', '2')
    program.signal('SIGCONT')
    await node.hub.publish('a', 31)
    await eventually(() => program.lines.includes('31'))
    expect(program.lines).toEqual(['open', ...Array.from({ length: 32 }, (_, at) => String(at))])
  })

  test('has a clock that is hours off, nothing changes', async () => {
    await using redis = await startRedis()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 7_200_000 })
    try {
      await using early = startNode(pattern(redis.port), { history: { ageMs: 60_000 } })
      await using follower = await follow(early, 'a')
      const position = await early.broker.position()
      const ids = [await early.hub.publish('a', '1')]
      vi.setSystemTime(Date.now() + 14_400_000)
      await using late = startNode(pattern(redis.port), { history: { ageMs: 60_000 } })
      ids.push(await late.hub.publish('a', '2'), await early.hub.publish('a', '3'))
      await eventually(() => follower.told.length === 3)
      expect(follower.told).toEqual(['1', '2', '3'])
      const { messages, gap } = await late.broker.history(['a'], position)
      expect([messages.map(({ id }) => id), gap]).toEqual([ids, undefined])
    } finally {
      vi.useRealTimers()
    }
  })

  test('reads where nobody writes any more, it is noticed and made up for', async () => {
    await using redis = await startRedis()
    // As from a primary that is one no more, and does not say so.
    const stale = intercept(pattern(redis.port), async (inner, command, args) => {
      const isReading = command === 'XREAD'
      return inner.callBuffer(
        command,
        isReading ? args.map((one) => (one === '{eitherway}:log' ? 'elsewhere' : one)) : args,
      )
    })
    await using node = startNode(stale)
    await using other = startNode(pattern(redis.port))
    await using follower = await follow(node, 'a')
    await other.hub.publish('a', '1')
    await eventually(() => follower.told.length === 1)
    expect([follower.told, follower.losses()]).toEqual([['1'], 0])
  })
})

type Commands = Pick<Redis, 'callBuffer'>

/** A client that does with each command what it is told, on every connection. */
function intercept(
  client: Redis,
  send: (inner: Commands, command: string, args: (string | Buffer)[]) => Promise<unknown>,
): RedisClient {
  return {
    callBuffer: (command, args) => send(client, command, args),
    duplicate: () => intercept(client.duplicate(), send) as IoredisClient,
    disconnect: () => client.disconnect(),
    on: (event, listener) => client.on(event, listener),
  }
}

describe.skipIf(!hasRedis)('an answer that is lost', () => {
  test('makes nothing be published twice, or out of order', async () => {
    await using redis = await startRedis()
    let count = 0
    const client = intercept(pattern(redis.port), async (inner, command, args) => {
      const reply = await inner.callBuffer(command, args)
      count += 1
      if (command.startsWith('EVAL') && count % 2 === 0) throw new Error('Connection is closed.')
      return reply
    })
    const publisher = createPublisher({ client, history: { messages: 1_000 } })
    const broker = redisBroker({ client: pattern(redis.port) })
    const start = await broker.position()
    const ids: string[] = []
    for (let round = 0; round < 20; round += 1) {
      ids.push(...(await Promise.all([0, 1, 2].map((at) => publisher.publish('a', round * 3 + at)))))
    }
    const { messages } = await broker.history(['a'], start)
    expect(messages.map(({ data }) => data)).toEqual(ids.map((_, at) => String(at)))
    expect(messages.map(({ id }) => id)).toEqual(ids)
    publisher.close()
    await broker.close()
  })
})
