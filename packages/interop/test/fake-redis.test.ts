import { brokerSuite, seeded } from '@eitherway/core/testing'
import { redisBroker } from '@eitherway/redis'
import { describe, test } from 'vitest'
import { createFakeRedis } from './fake-redis.ts'

// What the simulation runs on is held to what the real ones are held to.
describe('the broker on the fake Redis of the simulation', () => {
  brokerSuite({
    test,
    // It takes megabytes, which a Lua of JavaScript is slow with.
    relay: false,
    async setup(messages) {
      const redis = createFakeRedis({ random: seeded(1), delayMs: 0, onAdd: () => undefined })
      const options = { client: redis.client, history: { messages } }
      const former = redisBroker(options)
      const formerPosition = await former.publish('a', 'e', 'x')
      await former.close()
      redis.restart(0, 'none')
      const [broker, neighbour] = [redisBroker(options), redisBroker(options)]
      return {
        broker,
        neighbour,
        formerPosition,
        async close() {
          await Promise.all([broker.close(), neighbour.close()])
        },
      }
    },
  })
})
