import { createServer } from 'node:http'
import { Redis } from 'ioredis'

/**
 * Two servers of Socket.IO with its adapter on Redis Streams. A message counts as heard where the adapter hands it to the
 * sockets of its server, before any of them gets it.
 * @type {import('../nodes.mjs').NodeContender}
 */
export default {
  title: 'Socket.IO, `@socket.io/redis-streams-adapter`',
  kind: 'peer',
  async open({ port, role, heard }) {
    const { Server } = await import('socket.io')
    const { createAdapter } = await import('@socket.io/redis-streams-adapter')
    const redis = new Redis({ port, host: '127.0.0.1' })
    const io = new Server(createServer(), { serveClient: false, adapter: createAdapter(redis) })
    const { adapter } = io.of('/')
    if (role === 'hears') {
      const encoder = Reflect.get(adapter, 'encoder')
      Reflect.set(adapter, 'encoder', {
        /** @param {{ data: string[] }} packet */
        encode(packet) {
          heard(String(packet.data[1]))
          return Reflect.apply(encoder.encode, encoder, [packet])
        },
      })
    }
    await redis.ping()
    return {
      publish(data) {
        io.emit('bench', data)
        return undefined
      },
    }
  },
}
