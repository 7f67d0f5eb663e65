import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP proxy that keeps what passes, written for the tests alone: another count than the lab's own. */
export interface Recorder extends AsyncDisposable {
  readonly origin: string
  readonly up: Buffer
  readonly down: Buffer
}

export async function record(target: string): Promise<Recorder> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const kept = { up: [] as Buffer[], down: [] as Buffer[] }
  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true })
    client.setNoDelay()
    const pass = (from: Socket, to: Socket, into: Buffer[]) => {
      sockets.add(from)
      from.on('data', (chunk: Buffer) => {
        into.push(chunk)
        to.write(chunk)
      })
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroySoon())
    }
    pass(client, upstream, kept.up)
    pass(upstream, client, kept.down)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get up() {
      return Buffer.concat(kept.up)
    },
    get down() {
      return Buffer.concat(kept.down)
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
