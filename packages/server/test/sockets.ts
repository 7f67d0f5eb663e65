import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { createHub, type Hub, type HubOptions, type ServeOptions, serve } from '@eitherway/server'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'

/** How a request ended that got no link: an HTTP status, or our close code. */
export interface Refused {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly text: string
}

export interface Sockets<Context> {
  readonly hub: Hub<Context>
  readonly server: Server
  /** A stream, or the refusal. */
  stream(query?: string, headers?: Record<string, string>): Promise<IncomingMessage | Refused>
  /** A WebSocket once it is open and, if it is ours, was greeted; or the refusal. */
  socket(query?: string, ours?: boolean, headers?: Record<string, string>): Promise<WebSocket | Refused>
  /** A socket on which a request was sent by hand. */
  raw(head: string): Promise<Socket>
}

/** A hub that is served on real sockets until the test is over. */
export async function start<Context = undefined>(
  options: HubOptions<Context> = {},
  serving: Partial<ServeOptions> = {},
): Promise<Sockets<Context>> {
  const hub = createHub<Context>(options)
  const server = createServer()
  // A hub of whatever context: `serve` asks for none.
  serve(hub, server, { path: '/live', ...serving })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  onTestFinished(async () => {
    await hub.close()
    server.closeAllConnections()
    server.close()
  })
  return {
    hub,
    server,
    stream: (query = '', headers = {}) =>
      new Promise((resolve, reject) => {
        const path = `/live${query}`
        const asking = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
          if (response.statusCode === 200) resolve(response)
          else void refusedBy(response).then(resolve)
        })
        asking.on('error', reject).end()
      }),
    socket: (query = '', ours = true, headers = {}) =>
      new Promise((resolve, reject) => {
        const protocols = ours ? ['eitherway.v1'] : []
        const socket = new WebSocket(`ws://127.0.0.1:${port}/live${query}`, protocols, { headers })
        let retry: string | undefined
        socket.on('error', reject)
        socket.on('unexpected-response', (_, response) => void refusedBy(response).then(resolve))
        socket.on('message', (data) => {
          const [, event, text] = String(data).split('\n')
          if (event === '~retry') retry = text
          if (event === '~hello') resolve(socket)
        })
        socket.on('open', () => {
          if (!ours) resolve(socket)
        })
        socket.on('close', (status, reason) =>
          resolve({ status, retryAfter: retry, text: reason.toString() }),
        )
      }),
    async raw(head) {
      const socket = connect(port, '127.0.0.1')
      onTestFinished(() => {
        socket.destroy()
      })
      socket.on('error', () => {
        // Whoever waits for its end waits for `close`.
      })
      await once(socket, 'connect')
      socket.write(head)
      return socket
    },
  }
}

async function refusedBy(response: IncomingMessage): Promise<Refused> {
  let text = ''
  for await (const part of response.setEncoding('utf8')) text += part
  return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], text: text.trim() }
}

/** The head of a request for a stream. */
export const streamHead = 'GET /live HTTP/1.1\r\nHost: test\r\n\r\n'

/** The head of an upgrade to our subprotocol. */
export const upgradeHead =
  'GET /live HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: eitherway.v1\r\n\r\n'
