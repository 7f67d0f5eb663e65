// A hub on Deno's own server: Server-Sent Events, POST and WebSocket on one path.
//
//   deno run --allow-net examples/frameworks/deno.js
//   curl -N 'http://127.0.0.1:8080/live?user=ann&channel=news'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createHandler, createHub } from '@eitherway/server/web'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } })

const hub = createHub({
  authorize({ url }) {
    const user = url.searchParams.get('user')
    return user === null ? { status: 401, reason: 'log in first' } : { context: { user } }
  },
})
hub.onMessage(({ data }) => hub.publish('news', data))
// @ts-expect-error: Deno's types are Deno's to bring.
const { serve, upgradeWebSocket } = Deno
const handle = createHandler(hub, { upgrade: upgradeWebSocket })

const server = serve(
  {
    hostname: '127.0.0.1',
    port: Number(values.port),
    onListen: (/** @type {{ port: number }} */ { port }) =>
      console.log(`listening on http://127.0.0.1:${port}/live`),
  },
  async (/** @type {Request} */ request, /** @type {object} */ info) => {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/live') return handle(request, info)
    if (pathname === '/health') return new Response('fine')
    if (pathname === '/publish') return new Response(await hub.publish('news', searchParams.get('text')))
    return new Response('there is nothing at this path', { status: 404 })
  },
)
process.once('SIGINT', async () => {
  await hub.close()
  // Deno waits 15 seconds for a WebSocket that was cut.
  await Promise.race([server.shutdown(), setTimeout(1000)])
  process.exit()
})
