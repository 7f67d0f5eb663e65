import { once } from 'node:events'
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** What a box between client and server makes of what passes. It may be changed while links pass. */
export interface Habits {
  /** `refuses`: with a status of its own; `swallows`: takes the upgrade and passes nothing on; a number: cuts after so many ms. */
  upgrades?: 'passes' | 'refuses' | 'swallows' | number
  /** `buffers`: keeps an answer to itself until it is whole. */
  answers?: 'passes' | 'buffers'
}

/** A proxy of HTTP/1.1 in front of one server, such as companies and hotels have. */
export interface Middlebox extends AsyncDisposable {
  readonly origin: string
  readonly habits: Habits
  /** Upgrades that came by so far. */
  readonly upgrades: number
}

/** Puts a box in front of the server at this origin. */
export async function startMiddlebox(origin: string, habits: Habits): Promise<Middlebox> {
  const { hostname, port } = new URL(origin)
  const sockets = new Set<Duplex>()
  let upgrades = 0
  const server = createServer((request, response) => pass(request, response))
  server.on('connection', (socket: Socket) => keep(socket))
  server.on('upgrade', (request, socket, head) => {
    upgrades += 1
    const { upgrades: habit = 'passes' } = habits
    if (habit === 'refuses') socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
    else if (habit === 'passes' || typeof habit === 'number') tunnel(request, socket, head, habit)
  })

  function keep(socket: Duplex): void {
    sockets.add(socket)
    socket.on('error', () => {
      // `close` follows.
    })
    socket.on('close', () => sockets.delete(socket))
  }

  function pass(request: IncomingMessage, response: ServerResponse): void {
    const { url: path, method, headers } = request
    const onward = forward({ hostname, port, path, method, headers }, (answer) => {
      const { statusCode = 502 } = answer
      if (habits.answers !== 'buffers') {
        response.writeHead(statusCode, answer.headers)
        response.flushHeaders()
        answer.pipe(response)
        answer.on('error', () => response.destroy())
        return
      }
      const kept: Buffer[] = []
      answer.on('data', (chunk: Buffer) => kept.push(chunk))
      answer.on('end', () => response.writeHead(statusCode, answer.headers).end(Buffer.concat(kept)))
      answer.on('error', () => response.destroy())
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  }

  function tunnel(request: IncomingMessage, client: Duplex, head: Buffer, habit: 'passes' | number): void {
    const onward = connect(Number(port), hostname)
    keep(onward)
    const lines = [`${request.method} ${request.url} HTTP/1.1`]
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      lines.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`)
    }
    onward.write(`${lines.join('\r\n')}\r\n\r\n`)
    onward.write(head)
    onward.pipe(client).pipe(onward)
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      one.on('close', () => other.destroy())
    }
    if (typeof habit === 'number') setTimeout(() => client.destroy(), habit).unref()
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    habits,
    get upgrades() {
      return upgrades
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
