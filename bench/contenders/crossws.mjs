import { createServer } from 'node:http'
import { greeting, listen } from '../contender.mjs'

/** crossws on Node: topics. @type {import('../contender.mjs').Contender} */
export default {
  title: 'crossws',
  kind: 'peer',
  dialect: 'ws',
  bare: 'bare-ws',
  async start() {
    const { default: adapter } = await import('crossws/adapters/node')
    let peers = 0
    const sockets = adapter({
      // No pings: they would fall into some slices and not into others.
      idleTimeout: 0,
      hooks: {
        open(peer) {
          peers++
          peer.subscribe('bench')
          peer.send(greeting)
        },
        close() {
          peers--
        },
      },
    })
    const server = createServer()
    server.on('upgrade', (request, socket, head) => {
      void sockets.handleUpgrade(request, /** @type {import('node:net').Socket} */ (socket), head)
    })
    return {
      port: await listen(server),
      publish(messages) {
        for (const message of messages) sockets.publish('bench', JSON.stringify(message))
      },
      peers: () => peers,
    }
  },
}
