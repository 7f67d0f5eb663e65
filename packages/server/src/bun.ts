/**
 * The server's side of Eitherway for Bun's own server: all transports on one path.
 *
 * @packageDocumentation
 */
import { checkOptions, maxMessageBytesOf } from '@eitherway/core'
import { refusalResponse } from '@eitherway/sse/web'
import type { Upgrade } from '@eitherway/ws/web'
import type { EntranceHub } from './hub.ts'
import { keptOpen } from './kept-open.ts'
import {
  createEntrance,
  type EntranceOptions,
  entranceNames,
  noHandshake,
  type Shake,
} from './web-entrance.ts'

export * from './web.ts'

/** As much of Bun's server as is used. */
export interface BunServer {
  requestIP(request: Request): { readonly address: string; readonly port: number } | null
  timeout(request: Request, seconds: number): void
  upgrade(request: Request, options: { data: BunLink; headers?: HeadersInit }): boolean
}

/** As much of Bun's `ServerWebSocket` as is used. */
export interface BunSocket {
  readonly data: BunLink
  send(data: string | Uint8Array): number
  close(code?: number, reason?: string): void
  getBufferedAmount(): number
}

/** What goes with a socket of ours. */
export interface BunLink {
  readonly agreed: Upgrade
}

/** What `Bun.serve` takes. */
export interface BunHandler {
  /** Answers a request for the hub; `undefined` where it became a WebSocket. The application routes to it whatever path it likes. */
  fetch(request: Request, server: BunServer): Promise<Response | undefined>
  /** What the hub's sockets do. */
  readonly websocket: {
    readonly maxPayloadLength: number
    readonly backpressureLimit: number
    open(socket: BunSocket): void
    message(socket: BunSocket, data: string | Uint8Array): void
    drain(socket: BunSocket): void
    close(socket: BunSocket, code: number, reason: string): void
  }
}

/**
 * Makes what `Bun.serve` takes for a hub: Server-Sent Events on `GET`, what clients of `sse+post` send on `POST`, and WebSocket on
 * `Upgrade`.
 *
 * @throws TypeError for a setting that is none.
 */
export function createBunHandler(hub: EntranceHub, options: EntranceOptions = {}): BunHandler {
  checkOptions('createBunHandler', options, entranceNames)
  const maxMessageBytes = maxMessageBytesOf(options)
  const enter = createEntrance(hub, options)
  return {
    fetch(request, server) {
      const shake: Shake = (agreed) => {
        const { protocol } = agreed
        const data = { agreed }
        const isMade = server.upgrade(
          request,
          protocol === '' ? { data } : { data, headers: { 'Sec-WebSocket-Protocol': protocol } },
        )
        if (isMade) return undefined
        hub.refused(noHandshake)
        return refusalResponse(noHandshake)
      }
      return keptOpen(request, server, () => enter(request, server, shake))
    },
    websocket: {
      // With room for an id and an event.
      maxPayloadLength: maxMessageBytes + 4096,
      // The hub owns the limit. Beyond its own, Bun would drop messages.
      backpressureLimit: 2 ** 31 - 1,
      open: (socket) =>
        socket.data.agreed.open({
          send: (data) => socket.send(data),
          close: (code, reason) => socket.close(code, reason),
          queuedBytes: () => socket.getBufferedAmount(),
          tellsDrained: true,
        }),
      message: (socket, data) => socket.data.agreed.message(data),
      drain: (socket) => socket.data.agreed.drained(),
      close: (socket, code, reason) => socket.data.agreed.closed({ code, reason }),
    },
  }
}
