import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { constants, createGzip } from 'node:zlib'
import { createHub, memoryBroker, serve } from '@eitherway/server'
import { type PerMessageDeflateOptions, type WebSocket, WebSocketServer } from 'ws'
import type { Kind } from '../../parcel.ts'
import { createBare } from '../../stage/bare.ts'
import { createSockets } from '../../stage/sockets.ts'

/**
 * A server of which every byte is known: no heartbeats, and ids of one length. It stands in this process, since bytes do not
 * depend on who else runs.
 */
export interface WireServer extends AsyncDisposable {
  readonly port: number
  publish(data: string | Uint8Array, kind: Kind, seq: number): Promise<void> | void
}

/** What all of them publish to. Our event field has its name. */
export const channel = 'prices'

/** Our ids are an epoch, `-` and a number: with numbers from here on, all have {@link idLength} characters for long. */
export const firstSeq = 1000
export const idLength: number = '1mj014cjjf-1000'.length

type Http = '1.1' | '2'

/** Ours, with ids and history as anybody would have it. */
export async function serveOurs(http: Http): Promise<WireServer> {
  const hub = await hubOfLongIds()
  const server = serverOf(http)
  serve(hub, server, { path: '/ours' })
  const opened = await listen(server)
  return {
    ...opened,
    async publish(data) {
      await hub.publish(channel, data)
    },
    async [Symbol.asyncDispose]() {
      await hub.close()
      await opened[Symbol.asyncDispose]()
    },
  }
}

/** An epoch is a random number of mostly ten characters, at times of fewer: then another is asked for. */
async function hubOfLongIds(): Promise<ReturnType<typeof createHub>> {
  for (;;) {
    const hub = createHub({ format: 'text', heartbeatMs: 0, broker: memoryBroker({ messages: 100 }) })
    let id = ''
    for (let seq = 1; seq < firstSeq; seq += 1) id = await hub.publish('before', '')
    // The next number has one digit more.
    if (id.length + 1 === idLength) return hub
    await hub.close()
  }
}

/** The stage's bare house. */
export async function serveBare(http: Http): Promise<WireServer> {
  const house = createBare(createSockets())
  const server = serverOf(http)
  house.serve(server)
  return { ...(await listen(server)), publish: (data, kind, seq) => house.publish(channel, data, kind, seq) }
}

/** `text/event-stream` through gzip, flushed after each message, or it would wait for more to compress. */
export async function serveGzip(): Promise<WireServer> {
  const guests = new Set<(block: string) => void>()
  const opened = await listen(
    createServer((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' })
      response.flushHeaders()
      const gzip = createGzip()
      let parts: Buffer[] = []
      gzip.on('data', (part: Buffer) => parts.push(part))
      const guest = (block: string): void => {
        gzip.write(block)
        gzip.flush(constants.Z_SYNC_FLUSH, () => {
          // One chunk for one message, as without compression.
          response.write(Buffer.concat(parts))
          parts = []
        })
      }
      guests.add(guest)
      response.on('close', () => {
        guests.delete(guest)
        gzip.destroy()
      })
    }),
  )
  return {
    ...opened,
    publish(data, kind, seq) {
      const text = kind === 'text' ? data : Buffer.from(data as Uint8Array).toString('base64')
      const block = `${kind === 'text' ? '' : 'event: binary\n'}id: ${seq}\ndata: ${text}\n\n`
      for (const guest of guests) guest(block)
    },
  }
}

/** `ws` with permessage-deflate, which it leaves off by default. */
export async function serveDeflate(perMessageDeflate: true | PerMessageDeflateOptions): Promise<WireServer> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate })
  return {
    ...(await listen(server)),
    publish(data) {
      for (const socket of sockets.clients as Set<WebSocket>) socket.send(data)
    },
  }
}

/** Both have the events and the `listen` that are used here; without encryption, so that bytes can be counted. */
const serverOf = (http: Http): Server =>
  http === '2' ? (createHttp2Server() as unknown as Server) : createServer(refuseOthers)

const refuseOthers: RequestListener = ({ url = '' }, response) => {
  if (!/^\/(ours|bare)\b/.test(url)) response.writeHead(404).end()
}

async function listen(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
