import type { IncomingMessage, Server } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { authorityOf, isSameOrigin } from '@eitherway/core'
import { refuseUpgrade } from '@eitherway/ws/server'

/**
 * Why a request is refused, or `undefined`. The lab and its stage listen where any page that their user opens can reach them
 * too:
 *
 * - A page may point a name of its own at this address, and would then be of one origin with the lab (DNS rebinding). It
 *   cannot do that with an address, so only addresses, `localhost` and the host that they were given are answered.
 * - A page may open WebSockets to any origin, and post forms. A browser always says where those come from.
 *
 * @param allowed - origins of further pages that may.
 */
export function refusalOf(
  { headers, method }: Pick<IncomingMessage, 'headers' | 'method'>,
  host: string,
  allowed: readonly string[] = [],
): string | undefined {
  const asked = authorityOf(headers)
  const name = hostNameOf(asked)
  if (name === undefined || !(name === host.toLowerCase() || name === 'localhost' || isIP(name) !== 0)) {
    return 'this host is not served here; open it by its address or as localhost'
  }
  const changes = method !== 'GET' && method !== 'HEAD'
  const { origin, upgrade } = headers
  // Not by the scheme: behind a proxy that ends TLS the page is of https, and the lab cannot know.
  if (
    (changes || upgrade !== undefined) &&
    origin !== undefined &&
    !isSameOrigin(origin, asked as string, false) &&
    !allowed.includes(origin)
  ) {
    return 'only a page of this server itself may ask for this'
  }
  return undefined
}

/** What a request is not to get, and why. */
export interface Refused {
  readonly status: number
  readonly reason: string
}

/**
 * Stands before an application that does not listen by itself, so that nothing is answered unasked.
 *
 * @param refuse - why a request does not get through, where it does not.
 */
export function standBefore(
  app: Server,
  server: Server,
  refuse: (request: IncomingMessage) => Refused | undefined,
): void {
  server.on('request', (request, response) => {
    const refused = refuse(request)
    if (refused === undefined) app.emit('request', request, response)
    else {
      response.writeHead(refused.status, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end(`${refused.reason}\n`)
    }
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refused = refuse(request)
    if (refused !== undefined) refuseUpgrade(socket, refused)
    else if (!app.emit('upgrade', request, socket, head)) {
      // Node has let go of the socket, whose next error would end the process.
      refuseUpgrade(socket, { status: 503, reason: 'nobody takes an upgrade now; come back soon' })
    }
  })
}

/** `[::1]:8080` and `localhost:8080` without port and brackets. */
function hostNameOf(host: string | undefined): string | undefined {
  // What looks like a host may still be none, as with a port that is too large.
  if (!URL.canParse(`http://${host}`)) return undefined
  return /^(?:\[([0-9a-f:.]+)\]|([^\s:/@[\]]+))(?::\d+)?$/i
    .exec(host ?? '')
    ?.slice(1)
    .find(Boolean)
    ?.toLowerCase()
}
