import { createServer } from 'node:http'
import { greeting, listen } from '../contender.mjs'

/** Server-Sent Events by hand: a loop over `response.write`. @type {import('../contender.mjs').Contender} */
export default {
  title: '`http`, a loop over `response.write`',
  kind: 'control',
  dialect: 'sse',
  bare: 'bare-http',
  async start() {
    /** @type {Set<import('node:http').ServerResponse>} */
    const responses = new Set()
    let missed = Buffer.alloc(0)
    const server = createServer((_, response) => {
      response.on('error', () => response.destroy())
      response.on('close', () => responses.delete(response))
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
      response.write(`data: ${greeting}\n\n`)
      if (missed.length > 0) response.write(missed)
      responses.add(response)
    })
    return {
      port: await listen(server),
      publish(messages) {
        for (const message of messages) {
          const block = `data: ${JSON.stringify(message)}\n\n`
          for (const response of responses) response.write(block)
        }
      },
      peers: () => responses.size,
      replay(bytes) {
        missed = Buffer.from(`data: ${'x'.repeat(Math.max(0, bytes - 8))}\n\n`)
      },
    }
  },
}
