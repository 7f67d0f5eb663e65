// A hub that OpenTelemetry watches: its counts as metrics, and each connection as a span. Both are printed every so often.
//
//   npm run example 07-metrics-opentelemetry -- --export-ms 2000
import { subscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { createHub, serve } from '@eitherway/server'
import { metrics, trace } from '@opentelemetry/api'
import {
  ConsoleMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8080' },
    'export-ms': { type: 'string', default: '10000' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help) {
  console.log('Options: --port <number> (8080; 0 for any free one), --host <address> (127.0.0.1),')
  console.log('--export-ms <number> (10000): the wait between two prints')
  process.exit()
}
if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
  console.error(`--port must be a number from 0 to 65535, got ${values.port}`)
  process.exit(1)
}
if (!/^[1-9]\d{0,8}$/.test(values['export-ms'])) {
  console.error(`--export-ms must be a whole number of milliseconds, got ${values['export-ms']}`)
  process.exit(1)
}

// The SDK: an application has its own, with an exporter to its collector. What follows it knows the API alone.
const exportIntervalMillis = Number(values['export-ms'])
const meterProvider = new MeterProvider({
  readers: [
    new PeriodicExportingMetricReader({
      exporter: new ConsoleMetricExporter(),
      exportIntervalMillis,
      exportTimeoutMillis: exportIntervalMillis,
    }),
  ],
})
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())],
})
metrics.setGlobalMeterProvider(meterProvider)
trace.setGlobalTracerProvider(tracerProvider)

const hub = createHub()
measure(hub)
traceConnections()

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
  await tracerProvider.shutdown()
  await meterProvider.shutdown()
})

/**
 * Counts of a hub, asked for once for each export.
 * @param {import('@eitherway/server').Hub} hub
 */
function measure(hub) {
  const meter = metrics.getMeter('eitherway')
  const peers = meter.createObservableGauge('eitherway.peers')
  const queued = meter.createObservableGauge('eitherway.queued', { unit: 'By' })
  const published = meter.createObservableCounter('eitherway.published')
  const opened = meter.createObservableCounter('eitherway.opened')
  const closed = meter.createObservableCounter('eitherway.closed')
  const refused = meter.createObservableCounter('eitherway.refused')
  meter.addBatchObservableCallback(
    (result) => {
      const stats = hub.stats()
      result.observe(peers, stats.peers)
      result.observe(queued, stats.queuedBytes)
      result.observe(published, stats.published)
      for (const [direction, count] of Object.entries(stats.opened)) {
        result.observe(opened, count, { direction })
      }
      for (const [code, count] of Object.entries(stats.closed)) result.observe(closed, count, { code })
      for (const [status, count] of Object.entries(stats.refused)) result.observe(refused, count, { status })
    },
    [peers, queued, published, opened, closed, refused],
  )
}

/** A span from the first to the last moment of each connection, with what happened to it in between. */
function traceConnections() {
  const tracer = trace.getTracer('eitherway')
  /** @type {WeakMap<object, import('@opentelemetry/api').Span>} */
  const spans = new WeakMap()

  on('eitherway:peer:open', ({ peer }) => {
    const attributes = { direction: peer.direction, channels: peer.channels.size }
    spans.set(peer, tracer.startSpan('eitherway.connection', { attributes }))
  })
  on('eitherway:peer:gap', ({ peer, gap }) => spans.get(peer)?.addEvent('gap', { reason: gap.reason }))
  on('eitherway:peer:slow', ({ peer, queuedBytes }) => spans.get(peer)?.addEvent('slow', { queuedBytes }))
  on('eitherway:peer:close', ({ peer, close }) => {
    const { bytesWritten } = peer
    spans.get(peer)?.setAttributes({ code: close.code, bytesWritten }).end()
  })
}

/**
 * Hears one of the hub's signals.
 * @template {keyof import('@eitherway/server').Signals} N
 * @param {N} name
 * @param {(told: import('@eitherway/server').Signals[N]) => void} hear
 */
function on(name, hear) {
  subscribe(name, (told) => hear(/** @type {import('@eitherway/server').Signals[N]} */ (told)))
}
