// Both ways without WebSocket: a client asks, a hub answers, over a stream down and POSTs up.
//
//   npm run example 08-both-ways-over-http
import { once } from 'node:events'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { connect } from '@eitherway/client'
import { createHub, serve } from '@eitherway/server'

const { help } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } }).values
if (help) {
  console.log('No options.')
  process.exit()
}

const hub = createHub()
hub.onMessage(async ({ event, data }, peer) => {
  console.log('the hub got', event, data)
  await peer.send('answer', String(data).toUpperCase())
})
const server = createServer()
serve(hub, server, { path: '/live' })
await once(server.listen(0, '127.0.0.1'), 'listening')
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())

const client = connect(`http://127.0.0.1:${port}/live`, { transport: 'sse+post' })
console.log(`${client.transport} is ${client.direction}`)
const questions = ['one', 'two', 'three']
for (const question of questions) await client.send('question', question)
let count = 0
for await (const { event, data } of client) {
  console.log('the client got', event, data)
  if (++count === questions.length) break
}

const { code } = await client.close({ code: 1000, reason: 'done' })
console.log(`closed (${code})`)
await hub.close()
server.close()
