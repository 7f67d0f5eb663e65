import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHub, serve } from '@eitherway/server'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { spreadOf } from '../src/figure.ts'
import { type Report, valuesOf } from '../src/report.ts'
import { runAll } from '../src/run.ts'
import { type TargetOptions, targetLimits, targetScenarios } from '../src/target.ts'

/** What a server of somebody's saw of its clients. */
interface Seen {
  sse: number
  ws: number
  /** The most at a time. */
  mostSse: number
  mostWs: number
  /** What clients sent, which must be nothing. */
  said: number
}

interface Feed {
  readonly port: number
  readonly seen: Seen
}

/** A server without a line of ours: the same text over an event stream and a WebSocket, the one later than the other. */
async function foreign({ sseLateMs = 0, everyMs = 20, subprotocol = true } = {}): Promise<Feed> {
  const seen: Seen = { sse: 0, ws: 0, mostSse: 0, mostWs: 0, said: 0 }
  const streams = new Set<(text: string) => void>()
  const server = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    const write = (text: string) =>
      response.write(`event: price\ndata: ${text.replaceAll('\n', '\ndata: ')}\n\n`)
    streams.add(write)
    seen.sse += 1
    seen.mostSse = Math.max(seen.mostSse, streams.size)
    response.on('close', () => streams.delete(write))
    request.on('data', () => (seen.said += 1))
  })
  // As most servers do, it ignores the name of a subprotocol, or as the package `ws` does, it takes any.
  const sockets = new WebSocketServer({
    server,
    ...(subprotocol ? {} : { handleProtocols: () => false as const }),
  })
  sockets.on('connection', (socket) => {
    seen.ws += 1
    seen.mostWs = Math.max(seen.mostWs, sockets.clients.size)
    socket.on('message', () => (seen.said += 1))
  })
  let count = 0
  const timer = setInterval(() => {
    count += 1
    // On several lines, as JSON often is: it could pass for a frame of our subprotocol.
    const text = JSON.stringify({ count, price: 1.0842 }, null, 1)
    for (const socket of sockets.clients) socket.send(text)
    setTimeout(() => {
      for (const write of streams) write(text)
    }, sseLateMs)
  }, everyMs)
  onTestFinished(() => {
    clearInterval(timer)
    for (const socket of sockets.clients) socket.terminate()
  })
  return { port: await listening(server), seen }
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close().closeAllConnections())
  return (server.address() as AddressInfo).port
}

async function measure(
  options: TargetOptions,
  quick = true,
): Promise<{ report: Report; failures: string[] }> {
  const failures: string[] = []
  const report = await runAll({
    scenarios: targetScenarios(options),
    quick,
    target: { ...(options.sse && { sse: options.sse.href }), ...(options.ws && { ws: options.ws.href }) },
    onFailure: ({ name }, reason) => failures.push(`${name}: ${reason}`),
  })
  return { report, failures }
}

const urls = (port: number, path = '/') => ({
  sse: new URL(`http://127.0.0.1:${port}${path}`),
  ws: new URL(`ws://127.0.0.1:${port}${path}`),
})

const rows = ['sse', 'ws', 'sse-bare', 'ws-bare']

test.each([
  ['that takes any subprotocol', true],
  ['that knows no subprotocol', false],
])('a foreign server %s is measured within the limits, and nothing is sent to it', async (_, subprotocol) => {
  const { port, seen } = await foreign({ sseLateMs: 40, subprotocol })
  // As many rounds as the limits let through.
  const { report, failures } = await measure({ ...urls(port), rounds: 50, seconds: 2 })
  expect(failures).toEqual([])
  expect(report.target?.sse).toContain(String(port))
  const [result] = report.results
  for (const row of rows) {
    for (const figure of ['open', 'again', 'first', 'rate', 'bytes', 'lead', 'pairs']) {
      expect(spreadOf(valuesOf(result!, row, figure))?.median, `${row} ${figure}`).toBeDefined()
    }
    expect(spreadOf(valuesOf(result!, row, 'bytes'))?.median).toBeGreaterThan(20)
    expect(valuesOf(result!, row, 'open')).toHaveLength(4)
  }
  // Planted: what comes over SSE comes 40 ms later.
  expect(spreadOf(valuesOf(result!, 'ws', 'lead'))?.median).toBeGreaterThan(20)
  expect(spreadOf(valuesOf(result!, 'sse', 'lead'))?.median).toBeLessThan(-20)
  expect(result?.explanation).toContain('the one over WebSocket was ahead of the one over SSE')
  expect(seen.sse + seen.ws).toBeLessThanOrEqual(targetLimits.total)
  expect(seen.said).toBe(0)
  // The server hears of an end a little later than its client makes it.
  expect(Math.max(seen.mostSse, seen.mostWs)).toBeLessThanOrEqual(targetLimits.atOnce + 1)
})

test('a hub of ours is measured too, in its own subprotocol', async () => {
  const protocols = new Set<string | null>()
  const hub = createHub({ format: 'text' })
  hub.onConnect(({ direction, headers }) => {
    if (direction === 'two-way') protocols.add(headers.get('sec-websocket-protocol'))
  })
  const server = createServer()
  serve(hub, server, { path: '/live' })
  const port = await listening(server)
  let count = 0
  const timer = setInterval(() => {
    count += 1
    void hub.publish('prices', `message ${count}`)
  }, 20)
  onTestFinished(async () => {
    clearInterval(timer)
    await hub.close()
  })
  const { report, failures } = await measure(urls(port, '/live?channel=prices'))
  expect(failures).toEqual([])
  for (const row of rows) {
    for (const figure of ['open', 'first', 'rate', 'bytes', 'pairs']) {
      expect(spreadOf(valuesOf(report.results[0]!, row, figure))?.median, `${row} ${figure}`).toBeGreaterThan(
        0,
      )
    }
  }
  expect(protocols).toEqual(new Set(['eitherway.v1', null]))
})

test('one URL alone has no comparison, and says so', async () => {
  const { port } = await foreign()
  const { report, failures } = await measure({ sse: urls(port).sse, seconds: 1 })
  expect(failures).toEqual([])
  const [result] = report.results
  expect(result?.rows.map(({ name }) => name)).toEqual(['sse', 'sse-bare'])
  expect(result?.notes).toContainEqual({ what: 'a comparison', why: 'no URL was given for WebSocket' })
  expect(result?.explanation).toContain('over SSE.')
})

test('--load opens so many at once, over each', async () => {
  const { port, seen } = await foreign()
  const { report, failures } = await measure({ ...urls(port), load: 25, seconds: 1 })
  expect(failures).toEqual([])
  const [, result] = report.results
  for (const row of ['sse', 'ws']) {
    expect(valuesOf(result!, row, 'failed', '25 at once')).toEqual([0, 0])
    expect(spreadOf(valuesOf(result!, row, 'all', '25 at once'))?.median).toBeGreaterThan(0)
  }
  expect(seen.mostSse).toBe(25)
  expect(seen.mostWs).toBe(25)
  expect(seen.said).toBe(0)
})

test.each([
  ['refuses', 503, 'text/event-stream', /503/],
  ['serves a page', 200, 'text/html', /content type "text\/html"/],
])('a server that %s is a failure with its reason', async (_, status, type, reason) => {
  const server = createServer((_request, response) =>
    response.writeHead(status, { 'Content-Type': type }).end(),
  )
  const { report, failures } = await measure({ sse: urls(await listening(server)).sse, seconds: 1 })
  expect(failures).toHaveLength(1)
  expect(failures[0]).toMatch(reason)
  expect(report.results[0]?.cells).toEqual([])
})
