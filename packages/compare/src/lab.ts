import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, isIPv6, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { requestUrl } from '@eitherway/core'
import { createHub, type Hub, type Peer, serve } from '@eitherway/server'
import { refuseUpgrade } from '@eitherway/ws/server'
import { loadAssets } from './assets.ts'
import { refusalOf } from './guard.ts'
import { createGauge } from './vitals.ts'

/** Settings of {@link startLab}. */
export interface LabOptions {
  /** The address or name to listen on. @defaultValue `127.0.0.1`: this machine alone */
  readonly host?: string
  /** 0 for any free port. @defaultValue 8080 */
  readonly port?: number
}

/** A lab that runs. */
export interface Lab {
  /** Where to open it. */
  readonly url: string
  /** Ends every connection and the server. */
  close(): Promise<void>
}

/** Goes with everything that is published. */
export interface Stamp {
  /** Counts what is published, over all channels: a hole is a lost message. */
  readonly seq: number
  /** The server's clock when it was published: see {@link clockMs}. */
  readonly at: number
}

/** What the server knows of the wire of one panel. */
export interface Meter {
  /** Tells one connection of the panel from the next. */
  readonly connection: number
  /** Bytes that left on it so far, headers and framing included. */
  readonly bytes: number
  /** The last message that is among them. */
  readonly seq: number
}

const vitalsMs = 50
const loadMs = 1000
/** How long a socket may take to carry away what it was given before the lab ends. */
const closeMs = 1000

/**
 * Opens the lab: one hub, whose messages reach two panels of one page over two transports.
 *
 * @throws (by rejection) the system's error when it cannot listen there.
 */
export async function startLab({ host = '127.0.0.1', port = 8080 }: LabOptions = {}): Promise<Lab> {
  const assets = loadAssets()
  // Five minutes of history, so that a panel may stay away that long and miss nothing.
  const hub = createHub({ heartbeatMs: 5000, history: { messages: 6500, bytes: 16 * 1024 * 1024 } })
  const publisher = startPublishing(hub)
  const connections = numberConnections(hub)
  hub.onMessage(({ event, data }, peer) => (event === 'chat' ? peer.send('chat', data) : undefined))

  // Never listens: what reaches it has passed the guard.
  const app = createServer((request, response) => {
    if (assets(request, response)) return
    const url = requestUrl(request.url, request.headers.host)
    const pathname = url?.pathname
    const peer = latestPeer(hub, url?.searchParams.get('panel') ?? '')
    if (pathname === '/clock' && request.method === 'GET') return answer(response, { now: clockMs() })
    if (pathname === '/meter' && request.method === 'GET') return answer(response, meterOf(peer))
    if (pathname === '/cut' && request.method === 'POST') return answer(response, { cut: cut(peer) })
    response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('there is nothing here\n')
  })
  serve(hub, app, { path: '/live', maxMessageBytes: 4096 })

  function meterOf(peer: Peer | undefined): Meter | null {
    if (peer === undefined) return null
    return { connection: connections.get(peer) ?? 0, bytes: peer.bytesWritten, seq: publisher.seq }
  }
  function cut(peer: Peer | undefined): boolean {
    const socket = peer?.remote && sockets.get(keyOf(peer.remote.address, peer.remote.port))
    socket?.destroy()
    return socket !== undefined
  }

  const server = guarded(app, host)
  const sockets = trackSockets(server)
  try {
    await listen(server, host, port)
  } catch (error) {
    publisher.stop()
    throw error
  }
  let ended: Promise<void> | undefined
  return {
    url: urlOf(host, (server.address() as AddressInfo).port),
    close() {
      ended ??= end()
      return ended
    },
  }

  async function end(): Promise<void> {
    publisher.stop()
    const closed = once(server, 'close')
    server.close()
    await hub.close()
    for (const socket of sockets.values()) socket.destroySoon()
    const timer = setTimeout(() => {
      for (const socket of sockets.values()) socket.destroy()
    }, closeMs)
    await closed
    clearTimeout(timer)
  }
}

/** The server's clock in milliseconds since 1970, finer than `Date.now` and never set back. */
export function clockMs(): number {
  return performance.timeOrigin + performance.now()
}

function startPublishing(hub: Hub): { readonly seq: number; stop(): void } {
  const gauge = createGauge()
  let seq = 0
  function publish(channel: string, reading: object): void {
    seq += 1
    const stamp: Stamp = { seq, at: Number(clockMs().toFixed(3)) }
    void hub.publish(channel, { ...stamp, ...reading })
  }
  const timers = [
    setInterval(() => publish('vitals', gauge.readVitals()), vitalsMs),
    setInterval(() => publish('load', gauge.readLoad()), loadMs),
  ]
  return {
    get seq() {
      return seq
    },
    stop() {
      timers.forEach(clearInterval)
      gauge.close()
    },
  }
}

function numberConnections(hub: Hub): WeakMap<Peer, number> {
  const numbers = new WeakMap<Peer, number>()
  let count = 0
  hub.onConnect((peer) => {
    count += 1
    numbers.set(peer, count)
  })
  return numbers
}

/** While a panel comes back, the server may not know yet that its last connection is gone. */
function latestPeer(hub: Hub, panel: string): Peer | undefined {
  return [...hub.peers].filter(({ url }) => url.searchParams.get('panel') === panel).at(-1)
}

/** Stands before everything else that listens, so that nothing is answered unasked. */
function guarded(app: Server, host: string): Server {
  const server = createServer((request, response) => {
    const refusal = refusalOf(request, host)
    if (refusal === undefined) app.emit('request', request, response)
    else response.writeHead(403, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${refusal}\n`)
  })
  return server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const reason = refusalOf(request, host)
    if (reason === undefined) app.emit('upgrade', request, socket, head)
    else refuseUpgrade(socket, { status: 403, reason })
  })
}

function trackSockets(server: Server): ReadonlyMap<string, Socket> {
  const sockets = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket.remoteAddress, socket.remotePort)
    sockets.set(key, socket)
    socket.once('close', () => {
      if (sockets.get(key) === socket) sockets.delete(key)
    })
  })
  return sockets
}

const keyOf = (address: string | undefined, port: number | undefined): string => `${address} ${port}`

function answer(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(body))
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening')
}

/** Every interface is no address to open, and this machine is one of those that it stands for. */
function urlOf(host: string, port: number): string {
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}/`
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}/`
}
