import { createServer } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { listen } from '../contender.mjs'

const channel = 'bench'

/**
 * Ours, as an application uses it: `hub.publish`, with ids and history.
 * @param {'ws' | 'sse'} wire
 * @returns {import('../contender.mjs').Contender}
 */
export function ours(wire) {
  return {
    title: wire === 'ws' ? '**Eitherway, WebSocket**' : '**Eitherway, SSE**',
    kind: 'ours',
    dialect: wire === 'ws' ? 'eitherway.ws' : 'eitherway.sse',
    bare: wire === 'ws' ? 'bare-ws' : 'bare-http',
    async start({ root, historyMessages }) {
      const entry = pathToFileURL(join(root, 'packages/server/dist/index.js')).href
      /** @type {typeof import('@eitherway/server')} */
      const { createHub, serve } = await import(entry)
      const history = historyMessages === undefined ? {} : { history: { messages: historyMessages } }
      // A heartbeat would fall into some slices and not into others.
      const hub = createHub({ heartbeatMs: 0, ...history })
      const server = createServer()
      serve(hub, server, { path: '/live' })
      return {
        port: await listen(server),
        publish(messages, to = channel) {
          for (const message of messages) void hub.publish(to, message)
        },
        peers: () => hub.peers.size,
        async miss(count, data) {
          const id = await hub.publish(channel, data)
          for (let left = count; left > 0; left--) await hub.publish(channel, data)
          return id
        },
      }
    },
  }
}
