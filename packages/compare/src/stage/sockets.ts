import type { Server, Socket } from 'node:net'

/** The sockets of a server, by who is at the other end. */
export interface Sockets {
  /** Counts the sockets of this server from now on, and ends those that are too many. */
  watch(server: Server): void
  /** @returns whether there was one. */
  destroy(remote: { readonly address: string; readonly port: number }): boolean
  destroyAll(): void
  /** What waits to leave for whoever is at this port: now, and at most since this was first asked. */
  owedTo(port: number): { readonly bytes: number; readonly most: number }
}

/** How often it is looked at what waits. */
const lookMs = 5

/** Knows none yet. @param atMost - how many there may be, of all servers together. */
export function createSockets(atMost: number = Number.POSITIVE_INFINITY): Sockets {
  const sockets = new Map<string, Socket>()
  const observed = new WeakSet<Socket>()
  /** By port. */
  const most = new Map<number, number>()
  const note = (port: number, bytes: number) => most.set(port, Math.max(most.get(port) ?? 0, bytes))
  return {
    watch(server) {
      server.on('connection', (socket: Socket) => {
        if (sockets.size >= atMost) {
          socket.destroy()
          return
        }
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
    owedTo(port) {
      const socket = [...sockets.values()].find(({ remotePort }) => remotePort === port)
      const bytes = socket?.writableLength ?? 0
      if (socket !== undefined && !observed.has(socket)) {
        observed.add(socket)
        most.set(port, 0)
        const timer = setInterval(() => note(port, socket.writableLength), lookMs)
        socket.once('close', () => clearInterval(timer))
      }
      note(port, bytes)
      return { bytes, most: most.get(port) ?? 0 }
    },
  }
}

const keyOf = (address: string | undefined, port: number | undefined): string => `${address} ${port}`
