import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Admit, ServerConnection } from '@eitherway/core'
import { afterEach } from 'vitest'
import { createListener, type ListenerOptions } from '../src/server.ts'

const ends: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

export interface Bench {
  readonly server: Server
  readonly port: number
  readonly url: URL
  accepted(): Promise<ServerConnection>
}

/** A server on a free port, closed after the test. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(() => resolve()))
  })
  return (server.address() as AddressInfo).port
}

export async function start(
  { admit, ...options }: ListenerOptions & { readonly admit?: Admit } = {},
  onRequest?: RequestListener,
): Promise<Bench> {
  const arrived: ServerConnection[] = []
  const waiting: ((connection: ServerConnection) => void)[] = []
  const server = createServer(onRequest)
  const accept = (connection: ServerConnection) => {
    const next = waiting.shift()
    if (next === undefined) arrived.push(connection)
    else next(connection)
  }
  server.on('upgrade', createListener(admit ?? (() => accept), options))
  const port = await listen(server)
  return {
    server,
    port,
    url: new URL(`http://127.0.0.1:${port}/live`),
    accepted: async () => arrived.shift() ?? new Promise((resolve) => waiting.push(resolve)),
  }
}

/** A client of bytes: it shakes hands and then sends and reads whatever a test wants. */
export interface RawClient {
  readonly socket: Socket
  /** The head of the answer. */
  readonly head: string
  /** Exactly so many bytes after the head and what was read before. */
  read(count: number): Promise<Buffer>
  readonly closed: Promise<unknown>
}

export async function raw(
  port: number,
  { subprotocol = '', extensions = '', path = '/live' } = {},
): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  ends.push(() => void socket.destroy())
  const closed = once(socket, 'close')
  let received = Buffer.alloc(0)
  let more: () => void = () => {}
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    more()
  })
  const until = async (ready: () => boolean) => {
    while (!ready()) {
      await Promise.race([
        new Promise<void>((resolve) => {
          more = resolve
        }),
        closed.then(() => Promise.reject(new Error(`closed after ${received.toString('latin1')}`))),
      ])
    }
  }
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${subprotocol && `Sec-WebSocket-Protocol: ${subprotocol}\r\n`}` +
      `${extensions && `Sec-WebSocket-Extensions: ${extensions}\r\n`}\r\n`,
  )
  await until(() => received.includes('\r\n\r\n'))
  const end = received.indexOf('\r\n\r\n') + 4
  const head = received.subarray(0, end).toString('latin1')
  received = received.subarray(end)
  return {
    socket,
    head,
    closed,
    async read(count) {
      await until(() => received.byteLength >= count)
      const bytes = received.subarray(0, count)
      received = received.subarray(count)
      return bytes
    },
  }
}

/** A frame as a client sends it: masked, here with zeros, which leaves the payload readable. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array | string,
  { fin = true, masked = true, rsv = 0 } = {},
): Buffer {
  const data = Buffer.from(payload)
  const head: number[] = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const mask = masked ? 0x80 : 0
  if (data.byteLength < 126) head.push(mask | data.byteLength)
  else if (data.byteLength < 65_536) head.push(mask | 126, data.byteLength >> 8, data.byteLength & 0xff)
  else head.push(mask | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (data.byteLength >>> shift) & 0xff))
  return Buffer.concat([Buffer.from(head), masked ? Buffer.alloc(4) : Buffer.alloc(0), data])
}
