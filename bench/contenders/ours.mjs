import { createServer } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { listen } from '../contender.mjs'

const channel = 'bench'

/** What its clients speak. */
const wires = /** @type {const} */ ({
  ws: { title: '**Eitherway, WebSocket**', dialect: 'eitherway.ws', bare: 'bare-ws' },
  sse: { title: '**Eitherway, SSE**', dialect: 'eitherway.sse', bare: 'bare-http' },
  both: { title: '**Eitherway, both**', dialect: 'eitherway.sse', other: 'eitherway.ws', bare: 'bare-both' },
})

/**
 * Ours, as an application uses it: `hub.publish`, with ids and history.
 * @param {keyof typeof wires} wire
 * @returns {import('../contender.mjs').Contender}
 */
export function ours(wire) {
  return {
    kind: 'ours',
    ...wires[wire],
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
