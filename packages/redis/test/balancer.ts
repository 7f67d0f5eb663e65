import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { bridge } from './bridge.ts'

/** A port whose connections lead to one of many, chosen for each. */
export interface Balancer extends AsyncDisposable {
  readonly port: number
  /** How many it has led somewhere. */
  readonly count: () => number
}

/** @param pick - where the next one leads; `undefined`: nowhere, it is hung up on. */
export async function startBalancer(pick: () => number | undefined): Promise<Balancer> {
  const sockets = new Set<Socket>()
  let count = 0
  const server = createServer((socket) => {
    const target = pick()
    if (target === undefined) {
      socket.destroy()
      return
    }
    count += 1
    const other = connect({ port: target, host: '127.0.0.1', noDelay: true })
    socket.setNoDelay(true)
    bridge(socket, other, sockets)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    count: () => count,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
