import { createServer } from 'node:http'
import { greeting, listen } from '../contender.mjs'

/** better-sse: a channel of sessions. @type {import('../contender.mjs').Contender} */
export default {
  title: 'better-sse',
  kind: 'peer',
  dialect: 'sse',
  bare: 'bare-http',
  async start() {
    const { createChannel, createSession } = await import('better-sse')
    const channel = createChannel()
    const server = createServer(async (request, response) => {
      response.on('error', () => response.destroy())
      // No comments in between: they would fall into some slices and not into others.
      const session = await createSession(request, response, { keepAlive: null })
      session.push(greeting)
      channel.register(session)
    })
    return {
      port: await listen(server),
      publish(messages) {
        for (const message of messages) channel.broadcast(message)
      },
      peers: () => channel.sessionCount,
    }
  },
}
