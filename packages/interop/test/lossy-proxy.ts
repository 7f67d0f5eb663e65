import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What becomes of a request: where it goes, and whether it, or its answer, is lost on the way. */
export interface Fate {
  readonly to: string
  readonly lost?: 'request' | 'answer'
}

/** A proxy. */
export interface Proxy extends AsyncDisposable {
  readonly origin: string
}

/** A proxy that a test tells what to do with each request. */
export async function startProxy(fateOf: (request: IncomingMessage) => Fate): Promise<Proxy> {
  const server = createServer((asked, answer) => {
    const { to, lost } = fateOf(asked)
    if (lost === 'request') {
      // All of it came, and nobody hears of it.
      asked.resume().on('end', () => asked.socket.destroy())
      return
    }
    forward(asked, answer, to, lost === 'answer')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function forward(asked: IncomingMessage, answer: ServerResponse, to: string, isLost: boolean): void {
  const { method, url = '', headers } = asked
  const onward = request(`${to}${url}`, { method, headers, agent: false })
  onward.on('response', (given) => {
    if (isLost) {
      given.resume().on('end', () => asked.socket.destroy())
      return
    }
    answer.writeHead(given.statusCode ?? 502, given.headers)
    answer.flushHeaders()
    given.pipe(answer)
    given.on('error', () => answer.destroy())
  })
  onward.on('error', () => answer.destroy())
  answer.on('close', () => onward.destroy())
  asked.pipe(onward)
}
