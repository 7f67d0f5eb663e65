import { createServer } from 'node:http'
import { greeting, listen } from '../contender.mjs'

/** Both wires by hand on one port: what bare-http.mjs does, and bare-ws.mjs. @type {import('../contender.mjs').Contender} */
export default {
  title: '`http` and `ws`, a loop over each',
  kind: 'control',
  dialect: 'sse',
  other: 'ws',
  bare: 'bare-both',
  async start() {
    const { WebSocketServer } = await import('ws')
    /** @type {Set<import('node:http').ServerResponse>} */
    const responses = new Set()
    const server = createServer((_, response) => {
      response.on('error', () => response.destroy())
      response.on('close', () => responses.delete(response))
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
      response.write(`data: ${greeting}\n\n`)
      responses.add(response)
    })
    const sockets = new WebSocketServer({ server })
    sockets.on('connection', (client) => {
      client.on('error', () => client.terminate())
      client.send(greeting)
    })
    return {
      port: await listen(server),
      publish(messages) {
        for (const message of messages) {
          const text = JSON.stringify(message)
          const block = `data: ${text}\n\n`
          for (const response of responses) response.write(block)
          for (const client of sockets.clients) client.send(text)
        }
      },
      peers: () => responses.size + sockets.clients.size,
    }
  },
}
