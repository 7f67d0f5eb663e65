// One program, either way: a hub that publishes prices, and a client that reads them over the transport of your choice.
//
//   npm run example 05-the-flag -- --transport sse
//   npm run example 05-the-flag -- --transport ws
//
// and likewise with sse+post and auto.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { connect } from '@eitherway/client'
import { createHub, serve } from '@eitherway/server'

const { transport, help } = parseArgs({
  options: { transport: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
}).values
if (help) {
  console.log('Options: --transport <sse, ws, sse+post or auto>, which must be given')
  process.exit()
}
if (transport !== 'sse' && transport !== 'ws' && transport !== 'sse+post' && transport !== 'auto') {
  console.error(`--transport must be sse, ws, sse+post or auto, got ${transport ?? 'none'}`)
  process.exit(1)
}

const hub = createHub()
hub.onMessage(({ event, data }) => console.log('the hub got', event, data))
const server = createServer()
serve(hub, server, { path: '/live' })
await once(server.listen(0, '127.0.0.1'), 'listening')
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
let tick = 0
const ticks = setInterval(() => hub.publish('prices', { EURUSD: 1.08, tick: ++tick }), 100)

const client = connect(`http://127.0.0.1:${port}/live`, { transport, channels: ['prices'] })
console.log(`${client.transport} is ${client.direction}`)
if (client.direction === 'two-way') await client.send('chat', { text: 'hi' })
let count = 0
for await (const { event, data } of client) {
  console.log('the client got', event, data)
  if (++count === 3) break
}

await client.close()
clearInterval(ticks)
await hub.close()
server.close()
