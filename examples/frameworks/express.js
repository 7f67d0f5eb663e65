// A hub as a route of Express: what stands before it has run, and says who asks. WebSocket on the same path.
//
//   npm run example examples/frameworks/express.js
//   curl -N 'http://127.0.0.1:8080/live?user=ann&channel=news'
import { parseArgs } from 'node:util'
import { createHub, createListeners, sourceOf } from '@eitherway/server'
import compression from 'compression'
import express from 'express'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } })

const hub = createHub({
  authorize(arrival) {
    const { user } = /** @type {{ user?: string }} */ (sourceOf(arrival))
    return user === undefined ? { status: 401, reason: 'log in first' } : { context: { user } }
  },
})
hub.onMessage(({ data }) => hub.publish('news', data))
const live = createListeners(hub)

/**
 * Stands for sessions and the like, which put on the request who asks.
 *
 * @param {express.Request} request
 * @param {unknown} _response
 * @param {() => void} next
 */
function logIn(request, _response, next) {
  const user = new URL(request.url, 'http://localhost').searchParams.get('user')
  if (user !== null) Object.assign(request, { user })
  next()
}

const app = express()
app.use(compression()) // passes streams over, by their `no-transform`
app.get('/health', (_request, response) => response.send('fine'))
app.post('/publish', async (request, response) => {
  response.send(await hub.publish('news', request.query['text']))
})
app.use('/live', logIn, live.request)

const server = app.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}/live`)
})
// Express knows nothing of upgrades: they are routed here, and its middleware is run by hand.
server.on('upgrade', (request, socket, head) => {
  if (!/^\/live(\?|$)/.test(request.url ?? '')) socket.destroy()
  else {
    logIn(/** @type {express.Request} */ (request), undefined, () => live.upgrade(request, socket, head))
  }
})
process.once('SIGINT', async () => {
  await hub.close()
  server.close()
})
