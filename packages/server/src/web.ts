/**
 * The server's side of Eitherway for whatever answers a `Request` with a `Response`: Deno, workers, Hono, Next.js. Nothing of Node
 * is imported. For Bun there is `@eitherway/server/bun`.
 *
 * @packageDocumentation
 */
import { checkOptions } from '@eitherway/core'
import { refusalResponse } from '@eitherway/sse/web'
import type { EntranceHub } from './hub.ts'
import { keptOpen } from './kept-open.ts'
import {
  createEntrance,
  type EntranceOptions,
  entranceNames,
  noHandshake,
  type Shake,
} from './web-entrance.ts'
import { openOn, type WebSocketEnd } from './web-socket.ts'

export type {
  Arrival,
  Broker,
  Close,
  Format,
  FormatOption,
  Received,
  Refusal,
} from '@eitherway/core'
export type { AdmissionOptions, Authorized } from './admission.ts'
export type { SlowPolicy } from './backlog.ts'
export { createHub } from './create-hub.ts'
export type { GateOptions } from './gate.ts'
export type { EntranceHub, Hub } from './hub.ts'
export { type HistoryLimits, memoryBroker } from './memory.ts'
export type { CloseOptions, HubOptions, PublishOptions } from './options.ts'
export type { Peer, SendOptions } from './peer.ts'
export type { PlaceLimits } from './places.ts'
export { sourceOf } from './source.ts'
export type { HubStats } from './stats.ts'
export type { EntranceOptions } from './web-entrance.ts'
export type { WebSocketEnd } from './web-socket.ts'

/** Settings of {@link createHandler}. */
export interface HandlerOptions extends EntranceOptions {
  /**
   * Makes a WebSocket of a request, where the runtime can: `Deno.upgradeWebSocket` as it is, or a line around a worker's
   * `WebSocketPair`. `protocol` is what the answer has to select, if anything.
   *
   * @defaultValue none: an upgrade is refused (400)
   */
  readonly upgrade?: (
    request: Request,
    options: { protocol?: string },
  ) => { readonly socket: WebSocketEnd; readonly response: Response }
}

/**
 * Makes what answers the requests for a hub: Server-Sent Events on `GET`, what clients of `sse+post` send on `POST`, and WebSocket
 * where `upgrade` is given. The application routes to it whatever path it likes.
 *
 * The second argument is what the runtime or framework hands over beside a request: Deno's info, Bun's server, Hono's context. By it
 * the client's address is known, and `sourceOf` gives it back to `authorize`.
 *
 * @example
 * ```ts
 * import { createHandler, createHub } from '@eitherway/server/web'
 *
 * const hub = createHub()
 * export const GET = createHandler(hub)
 * ```
 *
 * @throws TypeError for a setting that is none.
 */
export function createHandler(
  hub: EntranceHub,
  options: HandlerOptions = {},
): (request: Request, info?: object | null) => Promise<Response> {
  checkOptions('createHandler', options, { ...entranceNames, upgrade: true })
  const { upgrade } = options
  const enter = createEntrance(hub, options)
  return async (request, info) => {
    const shake: Shake | undefined =
      upgrade &&
      ((agreed) => {
        const { protocol } = agreed
        try {
          const made = upgrade(request, protocol === '' ? {} : { protocol })
          openOn(made.socket, agreed)
          return made.response
        } catch (error) {
          if (isWhole(request)) throw error
          // Deno's way to say so.
          hub.refused(noHandshake)
          return refusalResponse(noHandshake)
        }
      })
    return (await keptOpen(request, info, () => enter(request, info, shake))) as Response
  }
}

/** Whether a handshake has all of its headers, so that whatever fails is not the client's fault. */
function isWhole({ headers }: Request): boolean {
  const names = ['Sec-WebSocket-Key', 'Sec-WebSocket-Version']
  return /\bupgrade\b/i.test(headers.get('Connection') ?? '') && names.every((name) => headers.has(name))
}
