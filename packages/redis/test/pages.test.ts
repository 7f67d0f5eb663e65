import { redisBroker } from '@eitherway/redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clients, hasRedis, type RedisServer, startRedis } from './server.ts'

const channels = Array.from({ length: 300 }, (_, at) => `c${at}`)
const messageBytes = 32 * 1024

// A request of some kilobytes names hundreds of channels and a position of long ago.
describe.skipIf(!hasRedis)('a page of many channels', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis[Symbol.asyncDispose]())

  /** What scripts have read and made of it: they let go of it little by little. */
  async function scriptBytes(): Promise<number> {
    return Number(/used_memory_vm_eval:(\d+)/.exec(String(await redis.command('INFO', 'memory')))?.[1])
  }

  test('costs Redis not much more than what is in it, in whatever order they are named', async () => {
    const broker = redisBroker({ client: clients['ioredis']!(redis.port) })
    const start = await broker.publish('first', 'e', '')
    const ids: string[] = []
    for (const channel of channels) ids.push(await broker.publish(channel, channel, 'x'.repeat(messageBytes)))

    for (const asked of [channels, channels.toReversed()]) {
      await redis.command('SCRIPT', 'FLUSH', 'SYNC')
      const before = await scriptBytes()
      const { messages, next } = await broker.history(asked, start, { maxBytes: 64 * 1024 })
      expect(messages.map(({ id }) => id)).toEqual(ids.slice(0, 2))
      expect(next).toBe(ids[1])
      // All that these channels keep is 300 times as much as one message.
      expect((await scriptBytes()) - before).toBeLessThan(100 * messageBytes)
    }

    const read: string[] = []
    for (let after: string | undefined = start; after !== undefined; ) {
      const page = await broker.history(channels.toReversed(), after, { maxBytes: 256 * 1024 })
      read.push(...page.messages.map(({ id }) => id))
      after = page.next
    }
    expect(read).toEqual(ids)
    await broker.close()
  })
})
