// A hub on Bun's own server: Server-Sent Events, POST and WebSocket on one path.
//
//   bun examples/frameworks/bun.js
//   curl -N 'http://127.0.0.1:8080/live?user=ann&channel=news'
import { parseArgs } from 'node:util'
import { createBunHandler, createHub } from '@eitherway/server/bun'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } })

const hub = createHub({
  authorize({ url }) {
    const user = url.searchParams.get('user')
    return user === null ? { status: 401, reason: 'log in first' } : { context: { user } }
  },
})
hub.onMessage(({ data }) => hub.publish('news', data))
const live = createBunHandler(hub)

// @ts-expect-error: Bun's types are Bun's to bring.
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(values.port),
  websocket: live.websocket,
  routes: {
    '/live': live.fetch,
    '/health': () => new Response('fine'),
    '/publish': async (/** @type {Request} */ request) =>
      new Response(await hub.publish('news', new URL(request.url).searchParams.get('text'))),
  },
})
console.log(`listening on http://127.0.0.1:${server.port}/live`)
process.once('SIGINT', async () => {
  await hub.close()
  await server.stop()
})
