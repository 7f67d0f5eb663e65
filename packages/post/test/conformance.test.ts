import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { ServerConnection } from '@eitherway/core'
import { transportSuite } from '@eitherway/core/testing'
import { describe, test } from 'vitest'
import { ssePost } from '../src/client.ts'
import { createListener } from '../src/server.ts'
import { http2Fetch } from './http2-fetch.ts'

describe.each([
  { name: 'http', isHttp2: false, compression: false },
  { name: 'http, compressed', isHttp2: false, compression: { thresholdBytes: 0 } },
  { name: 'http2', isHttp2: true, compression: false },
])('Server-Sent Events and POST over $name', ({ isHttp2, compression }) => {
  transportSuite({
    test,
    direction: 'two-way',
    network: true,
    async setup() {
      const waiting: ((connection: ServerConnection) => void)[] = []
      const sockets = new Set<Socket>()
      const listener = createListener(() => (connection) => waiting.shift()?.(connection), { compression })
      const server = isHttp2 ? createHttp2Server(listener) : createServer(listener)
      server.on('connection', (socket: Socket) => sockets.add(socket))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const cut = () => {
        for (const socket of sockets) socket.resetAndDestroy()
      }
      const client = isHttp2 ? http2Fetch() : undefined
      return {
        transport: ssePost(client === undefined ? {} : { fetch: client.fetch }),
        url: new URL(`http://127.0.0.1:${port}/live`),
        accepted: () => new Promise((resolve) => waiting.push(resolve)),
        network: { cut, nowhere: new URL('http://127.0.0.1:1/live') },
        async close() {
          client?.close()
          cut()
          await new Promise((resolve) => server.close(resolve))
        },
      }
    },
  })
})
