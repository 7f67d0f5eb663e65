import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { ServerConnection } from '@eitherway/core'
import { codecSuite, transportSuite } from '@eitherway/core/testing'
import { describe, test } from 'vitest'
import { sse } from '../src/client.ts'
import { codec } from '../src/codec.ts'
import { createListener } from '../src/server.ts'

describe('the codec of Server-Sent Events', () => codecSuite({ test, codec, cuts: 'anywhere' }))

describe.each([
  { name: 'http', compression: false },
  { name: 'http, compressed', compression: { thresholdBytes: 0 } },
])('Server-Sent Events over $name', ({ compression }) => {
  transportSuite({
    test,
    direction: 'one-way',
    network: true,
    async setup() {
      const waiting: ((connection: ServerConnection) => void)[] = []
      const sockets = new Set<Socket>()
      const server = createServer(
        createListener(() => (connection) => waiting.shift()?.(connection), { compression }),
      )
      server.on('connection', (socket) => sockets.add(socket))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const cut = () => {
        for (const socket of sockets) socket.resetAndDestroy()
      }
      return {
        transport: sse(),
        url: new URL(`http://127.0.0.1:${port}/live`),
        accepted: () => new Promise((resolve) => waiting.push(resolve)),
        network: { cut, nowhere: new URL('http://127.0.0.1:1/live') },
        async close() {
          cut()
          await new Promise((resolve) => server.close(resolve))
        },
      }
    },
  })
})
