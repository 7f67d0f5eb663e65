import { createServer } from 'node:net'
import { listen, rawGreeting } from '../contender.mjs'

/**
 * A control without any protocol: messages as bare bytes.
 * @param {string} title
 * @param {(sockets: Set<import('node:net').Socket>, buffers: Buffer[]) => void} write
 * @returns {import('../contender.mjs').Contender}
 */
export function rawNet(title, write) {
  return {
    title,
    kind: 'control',
    dialect: 'raw',
    bare: 'raw-net',
    async start() {
      /** @type {Set<import('node:net').Socket>} */
      const sockets = new Set()
      let first = rawGreeting
      const server = createServer({ noDelay: true }, (socket) => {
        socket.on('error', () => socket.destroy())
        socket.on('close', () => sockets.delete(socket))
        socket.once('data', () => {
          socket.write(first)
          sockets.add(socket)
        })
      })
      let text = ''
      let buffer = Buffer.alloc(0)
      const bufferOf = (/** @type {string} */ message) => {
        if (message !== text) {
          text = message
          buffer = Buffer.from(JSON.stringify(message))
        }
        return buffer
      }
      return {
        port: await listen(server),
        publish: (messages) => write(sockets, messages.map(bufferOf)),
        peers: () => sockets.size,
        replay(bytes) {
          first = Buffer.concat([rawGreeting, Buffer.alloc(bytes, 'x')])
        },
      }
    },
  }
}
