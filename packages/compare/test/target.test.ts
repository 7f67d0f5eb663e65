import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHub, serve } from '@eitherway/server'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { spreadOf } from '../src/figure.ts'
import { type Report, valuesOf } from '../src/report.ts'
import { runAll } from '../src/run.ts'
import { eventSourceLink, linkLimits, sizeOf, sseLink, webSocketLink, wsLink } from '../src/target/link.ts'
import { type TargetOptions, targetLimits, targetScenarios } from '../src/target.ts'
import { floodingServer, frameOf } from './flood.ts'

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
async function foreign({
  sseLateMs = 0,
  everyMs = 20,
  subprotocol = true,
  // On several lines, as JSON often is: it could pass for a frame of our subprotocol.
  textOf = (count: number) => JSON.stringify({ count, price: 1.0842 }, null, 1),
} = {}): Promise<Feed> {
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
    const text = textOf(count)
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
  const { port, seen } = await foreign({ sseLateMs: 100, subprotocol })
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
  // Planted: what comes over SSE comes 100 ms later.
  expect(spreadOf(valuesOf(result!, 'ws', 'lead'))?.median).toBeGreaterThan(50)
  expect(spreadOf(valuesOf(result!, 'sse', 'lead'))?.median).toBeLessThan(-50)
  expect(result?.explanation).toContain('the one over WebSocket was ahead of the one over SSE')
  expect(seen.sse + seen.ws).toBeLessThanOrEqual(targetLimits.total)
  expect(seen.said).toBe(0)
  // The server may hear of an end later than of who comes next: one of each that there are at a time.
  expect(Math.max(seen.mostSse, seen.mostWs)).toBeLessThanOrEqual(2 * targetLimits.atOnce)
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

test('a hub of ours that has nothing to say is silent in every row: the protocol’s own events are no messages', async () => {
  const hub = createHub({ format: 'text' })
  const server = createServer()
  serve(hub, server, { path: '/live' })
  const port = await listening(server)
  onTestFinished(() => hub.close())
  const { report, failures } = await measure({ ...urls(port, '/live?channel=prices'), rounds: 1, seconds: 1 })
  expect(failures).toEqual([])
  const [result] = report.results
  for (const row of rows) {
    expect(valuesOf(result!, row, 'open'), row).toHaveLength(1)
    expect(valuesOf(result!, row, 'first'), row).toEqual([])
    expect(valuesOf(result!, row, 'rate'), row).toEqual([0])
  }
})

test('messages that are all equal have no partners, and that is said', async () => {
  const { port } = await foreign({ textOf: () => 'tick' })
  const { report, failures } = await measure({ ...urls(port), rounds: 1, seconds: 1 })
  expect(failures).toEqual([])
  const [result] = report.results
  expect(spreadOf(valuesOf(result!, 'sse', 'rate'))?.median).toBeGreaterThan(0)
  expect(valuesOf(result!, 'sse', 'pairs')).toEqual([])
  expect(result?.explanation).toContain(
    'in no round did three messages come over both that each came only once',
  )
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
  for (const most of [seen.mostSse, seen.mostWs]) {
    expect(most).toBeGreaterThanOrEqual(25)
    // Those of the round before, of whose end the server hears late, are never all there yet.
    expect(most).toBeLessThan(2 * 25)
  }
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

test.each([
  ['SSE', ({ sse }: ReturnType<typeof urls>) => sseLink(sse)],
  ['EventSource', ({ sse }: ReturnType<typeof urls>) => eventSourceLink(sse)],
  ['WebSocket', ({ ws }: ReturnType<typeof urls>) => wsLink(ws, 'plain')],
  ['bare WebSocket', ({ ws }: ReturnType<typeof urls>) => webSocketLink(ws)],
])(
  'a link over %s hears so much and no more',
  async (_, linkTo) => {
    const port = await floodingServer({
      event: Buffer.from(`data: ${'x'.repeat(65_535)}\n\n`),
      frame: frameOf(0x81),
    })
    let bytes = 0
    const link = await linkTo(urls(port))((data) => {
      bytes += sizeOf(data)
    }, new AbortController().signal)
    await expect.poll(() => [link.isFull, link.isOpen], { timeout: 20_000 }).toEqual([true, false])
    expect(bytes).toBeGreaterThan(0.9 * linkLimits.bytes)
    expect(bytes).toBeLessThanOrEqual(linkLimits.bytes)
    await link.close()
  },
  30_000,
)
