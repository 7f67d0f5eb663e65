import type { ServerConnection } from '@eitherway/core'
import { createNetwork, seeded, transportSuite, type Wire } from '@eitherway/core/testing'
import { codec as sseCodec } from '@eitherway/sse/codec'
import { codec as wsCodec } from '@eitherway/ws/codec'
import { describe, test } from 'vitest'

const wires: readonly Wire[] = [
  { name: 'sse', direction: 'one-way', codec: sseCodec, unit: 'bytes' },
  { name: 'ws', direction: 'two-way', codec: wsCodec, unit: 'messages' },
]
const faults = {
  'without faults': {},
  'that delays and splits': { delayMs: 2, splits: 0.5, skewMs: 2 },
}

describe.each(Object.entries(faults))('the simulated network %s', (_, settings) => {
  describe.each(wires)('over $name', (wire) => {
    transportSuite({
      test,
      direction: wire.direction,
      network: true,
      async setup() {
        const waiting: ((connection: ServerConnection) => void)[] = []
        const network = createNetwork({
          ...settings,
          random: seeded(1),
          timers: { set: setTimeout, clear: (timer) => clearTimeout(timer as NodeJS.Timeout) },
        })
        network.listen('test', { admit: () => (connection) => waiting.shift()?.(connection) })
        const cut = () => {
          for (const link of network.links) link.cut()
        }
        return {
          transport: network.transport(wire),
          url: new URL('http://test/live'),
          accepted: () => new Promise((resolve) => waiting.push(resolve)),
          network: { cut, nowhere: new URL('http://nowhere/live') },
          close: async () => cut(),
        }
      },
    })
  })
})
