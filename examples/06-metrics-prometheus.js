// A hub whose counts Prometheus reads at /metrics, by prom-client, in a registry of their own.
//
//   npm run example 06-metrics-prometheus
//   curl http://127.0.0.1:8080/metrics
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { createHub, serve } from '@eitherway/server'
import { Counter, Gauge, Registry } from 'prom-client'

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

const hub = createHub()
const metrics = registryOf(hub)
const server = createServer(async (request, response) => {
  // In production on a port of its own, or behind a proxy that keeps it from the public.
  if (request.url !== '/metrics') {
    response.writeHead(404).end()
    return
  }
  response.setHeader('Content-Type', metrics.contentType)
  response.end(await metrics.metrics())
})
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

/**
 * Asked for when they are read: the hub counts anyway.
 * @param {import('@eitherway/server').Hub} hub
 */
function registryOf(hub) {
  const registry = new Registry()
  const registers = [registry]

  const now = /** @type {const} */ ({
    peers: 'Peers that are connected',
    channels: 'Channels that somebody follows',
    queuedBytes: 'Bytes that wait to be read by slow peers',
    slowPeers: 'Peers of which more than 64 KiB wait to be read',
  })
  for (const [name, help] of entriesOf(now)) {
    new Gauge({
      name: `eitherway_${snake(name)}`,
      help,
      registers,
      collect() {
        this.set(hub.stats()[name])
      },
    })
  }

  const ever = /** @type {const} */ ({
    resumed: 'Peers that came back',
    published: 'Messages that this hub published',
    heard: 'Messages that its broker had for it',
    received: 'Messages that peers sent',
    requests: 'Requests that peers made',
    failures: 'Requests whose answer was a failure',
    bytesWritten: 'Bytes that left for peers that have left',
    errors: 'Failures that were told to onError',
  })
  for (const [name, help] of entriesOf(ever)) {
    new Counter({
      name: `eitherway_${snake(name)}_total`,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(hub.stats()[name])
      },
    })
  }

  const labeled = /** @type {const} */ ({
    opened: ['direction', 'Peers that came'],
    closed: ['code', 'Peers that left'],
    refused: ['status', 'Requests that were refused'],
    gaps: ['reason', 'Gaps that were told'],
  })
  for (const [name, [label, help]] of entriesOf(labeled)) {
    new Counter({
      name: `eitherway_${snake(name)}_total`,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset()
        for (const [value, count] of Object.entries(hub.stats()[name])) this.inc({ [label]: value }, count)
      },
    })
  }
  return registry
}

/** @param {string} name */
function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/**
 * `Object.entries`, which keeps the names.
 * @template {object} T
 * @param {T} object
 */
function entriesOf(object) {
  return /** @type {[keyof T & string, T[keyof T]][]} */ (Object.entries(object))
}
