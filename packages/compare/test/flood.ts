import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { WebSocketServer } from 'ws'

/** What a flood consists of, over and over. */
export interface Flood {
  readonly event: Buffer
  readonly frame: Buffer
  /** Sent once, before. */
  readonly firstFrame?: Buffer
}

/** A server that floods whoever comes, as fast as they read. @returns its port. */
export async function floodingServer({ event, frame, firstFrame = frame }: Flood): Promise<number> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    pour(response, event)
  }).listen(0, '127.0.0.1')
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket as Socket, head, () => {
      socket.write(firstFrame)
      pour(socket, frame)
    }),
  )
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close().closeAllConnections()
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function pour(to: Writable, part: Buffer): void {
  const more = () => {
    while (to.writable && to.write(part));
  }
  to.on('drain', more).on('error', () => undefined)
  more()
}

/** The head of a WebSocket frame of 65,535 bytes. @param first - FIN and the opcode. */
export const frameOf = (first: number): Buffer =>
  Buffer.concat([Buffer.from([first, 126, 0xff, 0xff]), Buffer.alloc(65_535, 'x')])
