import { createServer } from 'node:http'
import { greeting, listen } from '../contender.mjs'

/** Socket.IO over its WebSocket transport, with its defaults but for the ping. @type {import('../contender.mjs').Contender} */
export default {
  title: 'Socket.IO',
  kind: 'peer',
  dialect: 'socket.io',
  bare: 'bare-ws',
  async start() {
    const { Server } = await import('socket.io')
    const server = createServer()
    // An hour: a ping would fall into some slices and not into others.
    const io = new Server(server, { serveClient: false, pingInterval: 3_600_000 })
    io.on('connection', (socket) => socket.emit('bench', greeting))
    return {
      port: await listen(server),
      publish(messages) {
        for (const message of messages) io.emit('bench', message)
      },
      peers: () => io.engine.clientsCount,
    }
  },
}
