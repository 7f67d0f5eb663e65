import { createServer } from 'node:http'
import { greeting, listen } from '../../contender.mjs'

/**
 * bare-http.mjs, but for what happens to the second message.
 * @param {(responses: readonly import('node:http').ServerResponse[], block: string) => void} second
 * @returns {import('../../contender.mjs').Contender}
 */
export function planted(second) {
  return {
    title: 'planted',
    kind: 'control',
    dialect: 'sse',
    bare: 'bare-http',
    async start() {
      /** @type {import('node:http').ServerResponse[]} */
      const responses = []
      const server = createServer((_, response) => {
        response.on('error', () => response.destroy())
        response.writeHead(200, { 'Content-Type': 'text/event-stream' })
        response.write(`data: ${greeting}\n\n`)
        responses.push(response)
      })
      let published = 0
      return {
        port: await listen(server),
        publish(messages) {
          for (const message of messages) {
            const block = `data: ${JSON.stringify(message)}\n\n`
            published += 1
            if (published === 2) second(responses, block)
            else for (const response of responses) response.write(block)
          }
        },
        peers: () => responses.filter(({ destroyed }) => !destroyed).length,
      }
    },
  }
}
