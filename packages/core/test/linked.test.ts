import { linked, type ServerConnection } from '@eitherway/core'
import { transportSuite } from '@eitherway/core/testing'
import { describe, test } from 'vitest'

describe.each(['one-way', 'two-way'] as const)('the linked transport, %s', (direction) => {
  transportSuite({
    test,
    direction,
    network: false,
    async setup() {
      const waiting: ((connection: ServerConnection) => void)[] = []
      const transport = linked((connection) => waiting.shift()?.(connection), { direction })
      return {
        transport,
        url: new URL('http://linked/live'),
        accepted: () => new Promise((resolve) => waiting.push(resolve)),
        close: async () => {},
      }
    },
  })
})
