import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { authorityOf, requestUrl } from '@eitherway/core'
import { type WebSocket, WebSocketServer } from 'ws'
import { echoMark, type Kind } from '../parcel.ts'
import type { HouseServer } from './house.ts'
import type { Sockets } from './sockets.ts'
import type { Plant } from './stage.ts'

interface Guest {
  readonly name: string
  readonly channels: ReadonlySet<string>
  readonly request: IncomingMessage
  write(data: string | Uint8Array, kind: Kind, seq: number): void
  echo(text: string): void
  goodbye(): void
}

/** The paths of it. */
export const barePaths: readonly string[] = ['/bare/sse', '/bare/ws']

/** What may come in at once, as with ours. */
const maxMessageBytes = 1024 * 1024
/**
 * Whoever talks and does not listen gets no echo beyond this. What is published waits without bound, as it does on a server
 * that somebody writes so: that is one of the things to measure, and only whoever drives the stage can publish.
 */
const maxEchoBytes = 1024 * 1024

/** What one writes without a library: `response.write` and `socket.send` for each client. No history, no heartbeats. */
export function createBare(sockets: Sockets): HouseServer {
  const guests = new Set<Guest>()
  const changed = new Set<() => void>()
  const upgrader = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  })
  let plant: Plant = {}
  let counts = new Map<string, number>()

  function add(guest: Guest): () => void {
    guests.add(guest)
    tell()
    return () => {
      guests.delete(guest)
      tell()
    }
  }
  function tell(): void {
    for (const handler of [...changed]) handler()
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    const url = urlOf(request)
    if (url === undefined) return
    const { pathname, searchParams } = url
    // As `ws` does where it has the server to itself. A proxy that passes no upgrade on asks like this.
    if (pathname === '/bare/ws') response.writeHead(426).end()
    if (pathname !== '/bare/sse') return
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
    // A comment, as is custom: Firefox tells a page that its stream is open once the first byte of the body is there.
    response.write(':\n\n')
    const forget = add({
      ...nameAndChannels(searchParams),
      request,
      write(data, kind, seq) {
        const text = kind === 'text' ? data : Buffer.from(data as Uint8Array).toString('base64')
        response.write(`${kind === 'text' ? '' : 'event: binary\n'}id: ${seq}\ndata: ${text}\n\n`)
      },
      echo(text) {
        if (response.writableEnded || response.writableLength >= maxEchoBytes) return
        response.write(`event: echo\ndata: ${text}\n\n`)
      },
      goodbye: () => response.end(),
    })
    response.on('close', forget)
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const url = urlOf(request)
    if (url?.pathname !== '/bare/ws') return
    const { searchParams } = url
    upgrader.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      const echo = (text: string) => {
        if (webSocket.bufferedAmount < maxEchoBytes) webSocket.send(`${echoMark}${text}`)
      }
      const forget = add({
        ...nameAndChannels(searchParams),
        request,
        write: (data) => webSocket.send(data),
        echo,
        goodbye: () => webSocket.close(1012),
      })
      webSocket.on('message', (data) => echo(String(data)))
      webSocket.on('error', () => webSocket.terminate())
      webSocket.on('close', forget)
    })
  }

  const guestsOf = (client?: string) =>
    [...guests].filter(({ name }) => client === undefined || name === client)

  return {
    serve(server: Server) {
      server.on('request', onRequest)
      server.on('upgrade', onUpgrade)
      return () => {
        server.off('request', onRequest)
        server.off('upgrade', onUpgrade)
      }
    },
    publish(channel, data, kind, seq) {
      const { loseEvery = 0, doubleEvery = 0 } = plant
      const count = (counts.get(channel) ?? 0) + 1
      counts.set(channel, count)
      if (loseEvery > 0 && count % loseEvery === 0) return
      const times = doubleEvery > 0 && count % doubleEvery === 0 ? 2 : 1
      for (let time = 0; time < times; time += 1) {
        for (const guest of guests) if (guest.channels.has(channel)) guest.write(data, kind, seq)
      }
    },
    echo(client, text) {
      for (const guest of guestsOf(client)) guest.echo(text)
    },
    get clients() {
      return new Set([...guests].map(({ name }) => name))
    },
    get connected() {
      return guests.size
    },
    onChange(handler) {
      changed.add(handler)
      return () => changed.delete(handler)
    },
    cut: (client) =>
      guestsOf(client).filter(({ request: { socket } }) =>
        sockets.destroy({ address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }),
      ).length,
    async goodbye() {
      for (const guest of guests) guest.goodbye()
    },
    reset() {
      // There is nothing that outlives it.
    },
    plant(next) {
      plant = next
      counts = new Map()
    },
  }
}

const urlOf = ({ url, headers }: IncomingMessage): URL | undefined => requestUrl(url, authorityOf(headers))

function nameAndChannels(query: URLSearchParams): { name: string; channels: ReadonlySet<string> } {
  return { name: query.get('client') ?? '', channels: new Set(query.getAll('channel')) }
}
