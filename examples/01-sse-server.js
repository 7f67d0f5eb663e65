// Sends ten messages, one a second, to everyone who asks, and stops at once when the client goes away.
//
//   npm run example 01-sse-server
//   curl -N http://127.0.0.1:8080/live
import { createServer } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createHub, serve } from '@eitherway/server'

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8080' },
    'interval-ms': { type: 'string', default: '1000' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help) {
  console.log('Options: --port <number> (8080; 0 for any free one), --host <address> (127.0.0.1),')
  console.log('--interval-ms <number> (1000): the wait between two messages')
  process.exit()
}
if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
  console.error(`--port must be a number from 0 to 65535, got ${values.port}`)
  process.exit(1)
}
if (!/^\d{1,9}$/.test(values['interval-ms'])) {
  console.error(`--interval-ms must be a whole number of milliseconds, got ${values['interval-ms']}`)
  process.exit(1)
}

const hub = createHub({ format: 'text' })
hub.onConnect(async (peer) => {
  // A client that lost its link names the last id it was given, and goes on after it.
  let sent = Number(/^message_id_(\d+)$/.exec(peer.lastEventId)?.[1] ?? 0)
  try {
    while (sent < 10) {
      sent += 1
      await peer.send('message', `Message ${sent}`, { id: `message_id_${sent}`, retryMs: 15_000 })
      // The signal aborts when the client goes away, and this wait with it.
      await setTimeout(Number(values['interval-ms']), undefined, { signal: peer.signal })
    }
    peer.close()
  } finally {
    console.log(peer.signal.aborted ? `client left after ${sent} messages` : 'all messages sent')
  }
})

const server = createServer()
serve(hub, server, { path: '/live' })
server.listen({ host: values.host, port: Number(values.port) }, () => {
  const { address, port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://${address}:${port}/live`)
})
server.on('error', ({ message }) => {
  console.error(`${message}; name another with --port or --host`)
  process.exitCode = 1
})
process.once('SIGINT', async () => {
  await hub.close()
  server.close()
})
