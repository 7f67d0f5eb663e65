import { brokerSuite } from '@eitherway/core/testing'
import { redisBroker } from '@eitherway/redis'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { clients, clusterClients, hasRedis, type RedisServer, startCluster, startRedis } from './server.ts'

const kinds = [
  { title: 'the broker on Redis', startServer: startRedis, clients },
  { title: 'the broker on a cluster', startServer: startCluster, clients: clusterClients },
]

describe.skipIf(!hasRedis).each(kinds)('$title', ({ startServer, clients }) => {
  let redis: RedisServer
  let count = 0

  beforeAll(async () => {
    redis = await startServer()
  })
  afterAll(async () => {
    await redis[Symbol.asyncDispose]()
  })

  for (const [name, open] of Object.entries(clients)) {
    describe(`with ${name}`, () => {
      brokerSuite({
        test,
        async setup(messages) {
          count += 1
          const options = { client: open(redis.port), prefix: `suite ${count}`, history: { messages } }
          const former = redisBroker(options)
          const formerPosition = await former.publish('a', 'e', 'x')
          await former.close()
          await redis.command('FLUSHALL')
          const broker = redisBroker(options)
          const neighbour = redisBroker(options)
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
  }
})
