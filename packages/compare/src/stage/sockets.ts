import type { Server, Socket } from 'node:net'

/** The sockets of a server, by who is at the other end. */
export interface Sockets {
  /** Counts the sockets of this server from now on. */
  watch(server: Server): void
  /** @returns whether there was one. */
  destroy(remote: { readonly address: string; readonly port: number }): boolean
  destroyAll(): void
}

/** Knows none yet. */
export function createSockets(): Sockets {
  const sockets = new Map<string, Socket>()
  return {
    watch(server) {
      server.on('connection', (socket: Socket) => {
        const key = keyOf(socket.remoteAddress, socket.remotePort)
        sockets.set(key, socket)
        socket.once('close', () => {
          if (sockets.get(key) === socket) sockets.delete(key)
        })
      })
    },
    destroy({ address, port }) {
      const socket = sockets.get(keyOf(address, port))
      socket?.destroy()
      return socket !== undefined
    },
    destroyAll() {
      for (const socket of sockets.values()) socket.destroy()
    },
  }
}

const keyOf = (address: string | undefined, port: number | undefined): string => `${address} ${port}`
