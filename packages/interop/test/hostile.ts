import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  type Bystander,
  type Entrance,
  type HostileLink,
  type HostileSetup,
  requestOf,
} from '@eitherway/core/testing'
import { createHub, type Hub, type HubOptions, type ServeOptions, serve } from '@eitherway/server'

const upgrade = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]
const ours = [...upgrade, 'Sec-WebSocket-Protocol: eitherway.v1']

/** Every way in by HTTP/1.1. */
export const entrances = {
  stream: { name: 'an event stream', method: 'GET', headers: [], status: 200, speaks: 'nothing' },
  plain: { name: 'a plain WebSocket', method: 'GET', headers: upgrade, status: 101, speaks: 'frames' },
  ours: { name: 'a WebSocket of ours', method: 'GET', headers: ours, status: 101, speaks: 'messages' },
} as const satisfies Record<string, Entrance>

/** What clients send by POST to a link of theirs. */
export const posting: Entrance = {
  name: 'a POST',
  method: 'POST',
  headers: ['Content-Type: text/event-stream'],
  status: 200,
  speaks: 'body',
}

const path = '/live'

/** A request for each transport's link. */
const honest = [
  requestOf(entrances.stream, `${path}?channel=mine`),
  requestOf(entrances.ours, `${path}?channel=mine`),
  requestOf(entrances.stream, `${path}?channel=mine&up=post`, ['Authorization: Bearer theirs']),
]

/** A served hub under attack, with its bystanders. */
export interface Stage extends HostileSetup {
  readonly port: number
}

/** What nobody caught. Vitest would take some of it for a failure of a whole file, and warnings for nothing. */
const uncaught = ['uncaughtException', 'unhandledRejection', 'warning'] as const

export async function startStage(
  options: HubOptions<unknown> = {},
  server = createServer(),
  gate: Partial<ServeOptions> = {},
  mount: (hub: Hub<unknown>, server: Server, options: ServeOptions) => unknown = serve,
): Promise<Stage> {
  const before = process.getActiveResourcesInfo()
  const strays: unknown[] = []
  const onStray = (error: unknown) => {
    strays.push(error)
  }
  for (const event of uncaught) process.on(event, onStray)
  const hub = createHub<unknown>({
    maxConnections: 8,
    // A client that has left is noticed by it where Node does not read: behind a hundred requests, for instance.
    heartbeatMs: 500,
    maxMessagesPerSecond: 1000,
    onError: onStray,
    authorize: ({ url }) =>
      url.searchParams.has('slowly')
        ? new Promise((resolve) => setTimeout(() => resolve({ context: 0 }), 20))
        : { context: 0 },
    authorizeChannel: (_, channel) => channel !== 'theirs',
    ...options,
  })
  hub.onMessage(({ event, data }, peer) => peer.send(/[\r\n\0]/.test(event) ? 'echo' : event, data))
  mount(hub, server, { path, maxMessageBytes: 4096, ...gate })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const sockets = new Set<Socket>()
  async function dial(): Promise<HostileLink> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    sockets.add(socket)
    await once(socket, 'connect')
    return linkOf(socket)
  }

  await hub.publish('theirs', 'a secret')
  const position = await hub.publish('mine', 'at first')
  const bystanders: Bystander[] = []
  for (const request of honest) {
    const connected = new Promise<void>((resolve) => {
      const off = hub.onConnect((peer) => {
        off()
        void peer.send('whisper', `only for ${bystanders.length}`)
        resolve()
      })
    })
    const link = await dial()
    await link.write(request)
    await connected
    bystanders.push(link)
    await link.hears('only for')
  }

  return {
    path,
    port,
    dial,
    bystanders,
    position,
    publish: async (channel, data) => void (await hub.publish(channel, data)),
    peers: () => hub.peers.size,
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    strays: () => strays,
    async close() {
      for (const socket of sockets) socket.destroy()
      await hub.close()
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await once(server, 'close')
      for (const socket of sockets) if (!socket.closed) await once(socket, 'close')
      for (const event of uncaught) process.off(event, onStray)
      return leftOver(before)
    },
  }
}

/** The kinds of handles of the network of which there are more than before, once all had a turn to go. */
async function leftOver(before: readonly string[]): Promise<readonly string[]> {
  const isOurs = (name: string) => /TCP|Pipe|TLS/.test(name)
  const wanted = before.filter(isOurs).length
  let left: string[] = []
  for (let turn = 0; turn < 500; turn += 1) {
    left = process.getActiveResourcesInfo().filter(isOurs)
    if (left.length <= wanted) return []
    await new Promise((resolve) => setImmediate(resolve))
  }
  return left
}

/** A link of raw bytes. */
export function linkOf(socket: Socket): HostileLink {
  let text = ''
  let wake = () => {}
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', () => {
    // What is refused may be reset.
  })
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part
    wake()
  })
  // One that was ended by the other side is over: it holds back nothing more.
  void closed.then(() => wake())
  return {
    closed,
    received: () => text,
    async write(bytes) {
      if (socket.destroyed) return
      await new Promise<void>((resolve) => {
        socket.write(bytes, 'latin1', () => resolve())
      })
    },
    async hears(...wanted) {
      while (!wanted.some((each) => text.includes(each))) {
        if (socket.closed)
          throw new Error(`${JSON.stringify(wanted)} never came, but ${JSON.stringify(text.slice(0, 500))}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    reset() {
      if (!socket.destroyed) socket.resetAndDestroy()
    },
  }
}

/** Bytes in use, with all garbage collected. */
export function usedBytes(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

// What `--expose-gc` gives, which a worker cannot be told.
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
