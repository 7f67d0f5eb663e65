// A hub behind Koa: what stands before it has run, and says who asks. WebSocket on the same path.
//
//   npm run example examples/frameworks/koa.js
//   curl -N 'http://127.0.0.1:8080/live?user=ann&channel=news'
import { parseArgs } from 'node:util'
import { createHub, createListeners, sourceOf } from '@eitherway/server'
import Koa from 'koa'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } })

const hub = createHub({
  authorize(arrival) {
    const { user } = /** @type {{ user?: string }} */ (sourceOf(arrival))
    return user === undefined ? { status: 401, reason: 'log in first' } : { context: { user } }
  },
})
hub.onMessage(({ data }) => hub.publish('news', data))
const live = createListeners(hub)

/** Stands for sessions and the like. @param {import('node:http').IncomingMessage} request */
function logIn(request) {
  const user = new URL(request.url ?? '', 'http://localhost').searchParams.get('user')
  if (user !== null) Object.assign(request, { user })
}

const app = new Koa()
app.use(async (context, next) => {
  logIn(context.req)
  await next()
})
app.use(async (context, next) => {
  if (context.path !== '/live') return next()
  context.respond = false // the hub answers
  live.request(context.req, context.res)
})
app.use(async (context) => {
  if (context.path === '/health') context.body = 'fine'
  if (context.path === '/publish') context.body = await hub.publish('news', context.query['text'])
})

// Koa tells of each client that breaks off, streams too.
app.on('error', (error) => {
  if (error.code !== 'ECONNRESET') console.error(error)
})

const server = app.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}/live`)
})
// Koa knows nothing of upgrades: they are routed here.
server.on('upgrade', (request, socket, head) => {
  logIn(request)
  if (/^\/live(\?|$)/.test(request.url ?? '')) live.upgrade(request, socket, head)
  else socket.destroy()
})
process.once('SIGINT', async () => {
  await hub.close()
  server.close()
})
