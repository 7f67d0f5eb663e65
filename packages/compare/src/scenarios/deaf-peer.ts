import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { subprotocol } from '@eitherway/ws/codec'
import type { Contender } from '../contender.ts'

/** A peer that asks for a stream and reads not a byte of it: a socket and no library. */
export interface DeafPeer extends Disposable {
  /** As the stage knows it. */
  readonly client: string
  /** Its own, at which the stage's server sees it. */
  readonly port: number
  /** Begins to read, until the server has ended it. @returns how many bytes there were. */
  drain(): Promise<number>
}

/** Connects to the stage as a client of this row would. */
export async function openDeaf(
  { house, transport }: Contender,
  origin: string,
  client: string,
  channel: string,
): Promise<DeafPeer> {
  const { hostname, port, host } = new URL(origin)
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) })
  // Before it is connected: from there on Node would read ahead.
  socket.pause()
  // It may be reset when the server lets go of it; what there is to know of that is known from the stage.
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const path = house === 'ours' ? '/ours' : `/bare/${transport}`
  const head = [`GET ${path}?client=${client}&channel=${channel} HTTP/1.1`, `Host: ${host}`]
  if (transport === 'sse') head.push('Accept: text/event-stream')
  else {
    head.push('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13')
    head.push(`Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`)
    if (house === 'ours') head.push(`Sec-WebSocket-Protocol: ${subprotocol}`)
  }
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  return {
    client,
    port: socket.localPort ?? 0,
    async drain() {
      // A WebSocket server waits for the answer to its goodbye; the end of this side is one as well.
      socket.end()
      socket.resume()
      if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
      return socket.bytesRead
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
}
