import type { IncomingMessage, Server } from 'node:http'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { type Compression, checkOptions, kind, type OptionNames, type Refusal, show } from '@eitherway/core'
import { createListener as createPostListener, isTwoWay } from '@eitherway/post/server'
import {
  createListener as createSseListener,
  isAnswering,
  type Request,
  type Response,
  refuseRequest as rejectRequest,
} from '@eitherway/sse/server'
import { createListener as createWsListener, refuseUpgrade as rejectUpgrade } from '@eitherway/ws/server'
import { createGate, type GateOptions, gateNames } from './gate.ts'
import type { EntranceHub } from './hub.ts'
import { purposeOf } from './purpose.ts'
import { createSources } from './source.ts'

/** A server of Node's http, https or http2. */
export type NodeServer = Server | HttpsServer | Http2Server | Http2SecureServer

/** Settings of {@link serve}. */
export interface ServeOptions extends ListenersOptions {
  /** The one path on which all transports answer, e.g. `/live`. */
  readonly path: string
}

/** Settings of {@link createListeners}. */
export interface ListenersOptions extends GateOptions {
  /** Largest message that a client may send, in bytes; beyond it the peer is closed (1009). @defaultValue 1 MiB */
  readonly maxMessageBytes?: number
  /**
   * Whether clients that can read it are sent gzip on SSE and permessage-deflate on WebSocket, compressed once for all of them.
   * Keep it off where one turn may send a secret and what an attacker chose to the same peer: the size would tell. See the
   * guide on compression.
   *
   * @defaultValue false
   */
  readonly compression?: Compression
}

/**
 * Mounts a hub on a server: Server-Sent Events on `GET`, what clients of `sse+post` send on `POST`, and WebSocket on `Upgrade`, all on
 * one path. Requests for any other path are left to the application, whether its listeners were added before or come later.
 *
 * @returns its undo: peers stay, new ones are left to the application, and so is what peers of `sse+post` send from then on, who
 * therefore come again.
 * @throws TypeError when the server is none of Node's (an application of Express is none), or for a setting that is none: a path that
 * does not start with `/` or holds a query, say.
 */
export function serve(hub: EntranceHub, server: NodeServer, options: ServeOptions): () => void {
  // A framework's application has `emit` and `on` as well, and would never be asked.
  if (typeof server?.emit !== 'function' || typeof server.address !== 'function') {
    throw new TypeError(
      `\`server\` must be a server of Node's http, https or http2, got ${kind(server)}; of a framework, take what its \`listen\` returns, or \`createServer(app)\``,
    )
  }
  const path = options?.path
  if (typeof path !== 'string' || !/^\/[^?#]*$/.test(path)) {
    throw new TypeError(`\`path\` must start with "/" and hold no "?" or "#", got ${show(path)}`)
  }
  checkOptions('serve', options, { ...listenersNames, path: true })
  const listeners = listenersOf(hub, options)

  const withQuery = `${path}?`
  const isOurs = ({ url = '' }: { url?: string | undefined }) => url === path || url.startsWith(withQuery)

  // Every listener of an event hears it, so one that wants a request for itself has to stand before them all. On purpose
  // not by taking the others off: those added later, as frameworks do, would then answer our path with a 404 as well.
  let mounted = true
  const emit = server.emit
  const ours = function (this: unknown, name: string | symbol, ...args: unknown[]): boolean {
    if (mounted && name === 'request' && isOurs(args[0] as Request)) {
      const [request, response] = args as [Request, Response]
      listeners.request(request, response)
      return true
    }
    if (mounted && name === 'upgrade' && isOurs(args[0] as IncomingMessage)) {
      const [request, socket, head] = args as [IncomingMessage, Duplex, Buffer]
      listeners.upgrade(request, socket, head)
      return true
    }
    return Reflect.apply(emit, this, [name, ...args])
  }
  server.emit = ours as typeof server.emit
  // Where the application has no listener of its own, what is for another path is refused, or it would hang. For http2 and
  // upgrades Node asks for a listener in any case: without one it wires no responses, and takes an upgrade for a request.
  const refuseRequest = (request: Request, response: Response) => {
    if (response.headersSent || !isAlone(server, 'request')) return
    rejectRequest(request, response, { status: 404, reason: 'there is nothing at this path' })
  }
  const refuseUpgrade = (_: IncomingMessage, socket: Duplex) => {
    if (socket.writableEnded || !isAlone(server, 'upgrade')) return
    rejectUpgrade(socket, { status: 404, reason: 'there is nothing at this path' })
  }
  refusers.add(refuseRequest).add(refuseUpgrade)
  server.on('request', refuseRequest)
  server.on('upgrade', refuseUpgrade)

  return () => {
    mounted = false
    listeners.leave()
    server.removeListener('request', refuseRequest)
    server.removeListener('upgrade', refuseUpgrade)
    // Somebody may have stood before us since; then ours stays in the chain and passes everything on.
    if (server.emit === (ours as typeof server.emit)) server.emit = emit
  }
}

/** What answers the requests for a hub, to be called by whatever routes. */
export interface Listeners {
  /** Answers a request, as `(req, res)` of Express and of Node's `request`: a stream for `GET`, and what clients `POST`. */
  readonly request: (request: Request, response: Response) => void
  /** Answers an upgrade, as Node's `upgrade` has it. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Takes nothing more from peers of `sse+post` that other hubs of the broker hand on. Peers stay. */
  readonly leave: () => void
}

/**
 * Makes what answers the requests for a hub, for frameworks on Node: the route is the framework's, and what stands before it
 * (sessions, logins) has run. `sourceOf` gives `authorize` the request with all that it was given there.
 *
 * @throws TypeError for a setting that is none.
 */
export function createListeners(hub: EntranceHub, options: ListenersOptions = {}): Listeners {
  checkOptions('createListeners', options, listenersNames)
  return listenersOf(hub, options)
}

const listenersNames: OptionNames<ListenersOptions> = {
  ...gateNames,
  maxMessageBytes: true,
  compression: true,
}

function listenersOf(hub: EntranceHub, options: ListenersOptions): Listeners {
  const { maxMessageBytes, compression = false } = options
  const gate = createGate(options)
  const onRefused = (refusal: Refusal) => hub.refused(refusal)
  const sources = createSources(hub.admit)
  const settings = { gate: gate.check, onRefused, compression }
  const onStream = createSseListener(sources.admit, settings)
  const bounded = maxMessageBytes === undefined ? settings : { ...settings, maxMessageBytes }
  const onUpgrade = createWsListener(sources.admit, bounded)
  const onTwoWay = createPostListener(sources.admit, { ...bounded, relay: hub.relay, onError: hub.tell })
  const onGet = (request: Request, response: Response) =>
    isTwoWay(request) ? onTwoWay(request, response) : onStream(request, response)
  return {
    request(request, response) {
      const { originalUrl } = request as { originalUrl?: string }
      // Express has taken off what the router was mounted on.
      if (originalUrl !== undefined) request.url = originalUrl
      // Somebody else has answered already.
      if (response.headersSent) return
      const purpose = purposeOf(request, response, gate)
      if (typeof purpose === 'object') {
        onRefused(purpose)
        rejectRequest(request, response, purpose)
      } else if (purpose !== 'answered') {
        sources.during(request, () => (purpose === 'post' ? onTwoWay : onGet)(request, response))
      }
    },
    upgrade(request, socket, head) {
      // Even a refusal would fall into the middle of the stream.
      if (isAnswering(socket)) socket.destroy()
      else sources.during(request, () => onUpgrade(request, socket, head))
    },
    leave: onTwoWay.leave,
  }
}

const refusers = new WeakSet<object>()

/** Whether nobody but us listens. */
function isAlone(server: NodeServer, event: 'request' | 'upgrade'): boolean {
  return server.listeners(event).every((listener) => refusers.has(listener))
}
