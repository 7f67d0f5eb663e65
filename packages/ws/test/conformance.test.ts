import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { ServerConnection } from '@eitherway/core'
import { codecSuite, transportSuite } from '@eitherway/core/testing'
import { WebSocket as UndiciWebSocket } from 'undici'
import { describe, test, vi } from 'vitest'
import { type WebSocketLike, ws } from '../src/client.ts'
import { codec } from '../src/codec.ts'
import { createListener } from '../src/server.ts'

describe('the codec of WebSocket', () => codecSuite({ test, codec, cuts: 'between frames' }))

const { WebSocket: ownWebSocket } = globalThis
// So that `ws()` takes the package on every version of Node.
vi.stubGlobal('WebSocket', undefined)

const clients = {
  'the package `ws`': ws(),
  ...(ownWebSocket && {
    "this platform's own WebSocket": ws({ WebSocket: ownWebSocket as unknown as WebSocketLike }),
  }),
  // What Node 22 and later, and browsers, have: no pause, no drain.
  "undici's WebSocket": ws({ WebSocket: UndiciWebSocket as unknown as WebSocketLike }),
}

const wires = Object.entries(clients).flatMap(([name, transport]) => [
  { name, transport, compression: false },
  { name: `${name}, compressed`, transport, compression: { thresholdBytes: 0 } },
])

describe.each(wires)('WebSocket over http, by $name', ({ transport, compression }) => {
  transportSuite({
    test,
    direction: 'two-way',
    network: true,
    async setup() {
      const waiting: ((connection: ServerConnection) => void)[] = []
      const sockets = new Set<Socket>()
      const server = createServer()
      server.on('connection', (socket) => sockets.add(socket))
      server.on(
        'upgrade',
        createListener(() => (connection) => waiting.shift()?.(connection), { compression }),
      )
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const cut = () => {
        for (const socket of sockets) socket.resetAndDestroy()
      }
      return {
        transport,
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
