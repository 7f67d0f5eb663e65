// A hub as a route of Hono, on Node: what stands before it has run, and says who asks. WebSocket on the same path.
//
//   npm run example examples/frameworks/hono.js
//   curl -N 'http://127.0.0.1:8080/live?user=ann&channel=news'
import { parseArgs } from 'node:util'
import { createHub, createListeners, sourceOf } from '@eitherway/server'
import { createHandler } from '@eitherway/server/web'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } })

/** @typedef {{ Variables: { user?: string } }} Env */

const hub = createHub({
  authorize(arrival) {
    // Hono's context, where it was handed over; an upgrade has not come by Hono.
    const context = /** @type {Partial<import('hono').Context<Env>>} */ (sourceOf(arrival))
    const user = context.get?.('user') ?? arrival.url.searchParams.get('user')
    return user === null ? { status: 401, reason: 'log in first' } : { context: { user } }
  },
})
hub.onMessage(({ data }) => hub.publish('news', data))
const handle = createHandler(hub)

const app = /** @type {Hono<Env>} */ (new Hono())
app.get('/health', (context) => context.text('fine'))
app.post('/publish', async (context) =>
  context.text(await hub.publish('news', context.req.query('text') ?? '')),
)
// Stands for sessions and the like.
app.use('/live', async (context, next) => {
  context.set('user', context.req.query('user'))
  await next()
})
app.all('/live', (context) => handle(context.req.raw, context))

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(values.port) }, ({ port }) =>
  console.log(`listening on http://127.0.0.1:${port}/live`),
)
const { upgrade } = createListeners(hub)
server.on('upgrade', (request, socket, head) => {
  if (/^\/live(\?|$)/.test(request.url ?? '')) upgrade(request, socket, head)
  else socket.destroy()
})
process.once('SIGINT', async () => {
  await hub.close()
  server.close()
})
