import { brokerSuite, codecSuite } from '@eitherway/core/testing'
import { memoryBroker } from '@eitherway/server/web'
import { codec as sseCodec } from '@eitherway/sse/codec'
import { codec as wsCodec } from '@eitherway/ws/codec'
import { createTests, printOutcomes } from './outcomes.ts'

/** Runs the suites that need no network: those of the codecs, or that of the broker in memory. */
export async function start({ suite }: { suite: 'codecs' | 'broker' }): Promise<void> {
  const tests = createTests()
  const { test } = tests
  if (suite === 'codecs') {
    codecSuite({ test, codec: sseCodec, cuts: 'anywhere' })
    codecSuite({ test, codec: wsCodec, cuts: 'between frames' })
  } else {
    brokerSuite({
      test,
      setup: async (messages) => ({
        broker: memoryBroker({ messages }),
        formerPosition: await memoryBroker().publish('a', 'e', 'x'),
        close: async () => {},
      }),
    })
  }
  await printOutcomes(tests)
}
