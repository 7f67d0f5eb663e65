// Answers each text, for any WebSocket client, and goes on when a client leaves.
//
//   npm run example 03-ws-server
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { createHub, serve } from '@eitherway/server'

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8080' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help) {
  console.log('Options: --port <number> (8080; 0 for any free one), --host <address> (127.0.0.1)')
  process.exit()
}
if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
  console.error(`--port must be a number from 0 to 65535, got ${values.port}`)
  process.exit(1)
}

const hub = createHub({ format: 'text' })
hub.onMessage(async ({ data }, peer) => {
  if (typeof data === 'string') await peer.send('message', `Message text was: ${data}`)
  else peer.close({ code: 1003, reason: 'text only, please' })
})
hub.onConnect(async (peer) => {
  const { code } = await peer.closed
  console.log(`client left (${code})`)
})

const server = createServer()
serve(hub, server, { path: '/live' })
server.listen({ host: values.host, port: Number(values.port) }, () => {
  const { address, port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on ws://${address}:${port}/live`)
})
server.on('error', ({ message }) => {
  console.error(`${message}; name another with --port or --host`)
  process.exitCode = 1
})
process.once('SIGINT', async () => {
  await hub.close()
  server.close()
})
