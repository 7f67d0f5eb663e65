// A hub as a route of Fastify: its hooks have run, and say who asks. WebSocket on the same path.
//
//   npm run example examples/frameworks/fastify.js
//   curl -N 'http://127.0.0.1:8080/live?user=ann&channel=news'
import { parseArgs } from 'node:util'
import { createHub, createListeners, sourceOf } from '@eitherway/server'
import Fastify from 'fastify'

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

const app = Fastify({ forceCloseConnections: true })
app.get('/health', async () => 'fine')
app.post('/publish', async (request) => {
  const { text } = /** @type {{ text: string }} */ (request.query)
  return hub.publish('news', text)
})
app.register(async (scope) => {
  // What clients post is the hub's to read.
  scope.addContentTypeParser('text/event-stream', (_request, _payload, done) => done(null))
  scope.addHook('onRequest', async ({ raw }) => logIn(raw))
  scope.all('/live', (request, reply) => {
    reply.hijack()
    live.request(request.raw, reply.raw)
  })
})
// Before Fastify closes its connections, so that clients are told.
app.addHook('preClose', () => hub.close())
// Fastify knows nothing of upgrades: they are routed here.
app.server.on('upgrade', (request, socket, head) => {
  logIn(request)
  if (/^\/live(\?|$)/.test(request.url ?? '')) live.upgrade(request, socket, head)
  else socket.destroy()
})

console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: Number(values.port) })}/live`)
process.once('SIGINT', () => app.close())
