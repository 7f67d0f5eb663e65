import { createServer } from 'node:http'
import { greeting, listen } from '../contender.mjs'

/** `ws` as its documentation shows it: a loop over `client.send`. @type {import('../contender.mjs').Contender} */
export default {
  title: '`ws`, a loop over `client.send`',
  kind: 'control',
  dialect: 'ws',
  bare: 'bare-ws',
  async start() {
    const { WebSocketServer } = await import('ws')
    const server = createServer()
    let missed = Buffer.alloc(0)
    const sockets = new WebSocketServer({ server })
    sockets.on('connection', (client) => {
      client.on('error', () => client.terminate())
      client.send(greeting)
      if (missed.length > 0) client.send(missed, { binary: false })
    })
    return {
      port: await listen(server),
      publish(messages) {
        for (const message of messages) {
          const text = JSON.stringify(message)
          for (const client of sockets.clients) client.send(text)
        }
      },
      peers: () => sockets.clients.size,
      replay(bytes) {
        missed = Buffer.alloc(bytes, 'x')
      },
    }
  },
}
