import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/**
 * Why a request is refused, or `undefined`. The lab listens where any page that its user opens can reach it too:
 *
 * - A page may point a name of its own at this address, and would then be of one origin with the lab (DNS rebinding). It
 *   cannot do that with an address, so only addresses, `localhost` and the host that the lab was given are answered.
 * - A page may open WebSockets to any origin, and post forms. A browser always says where those come from.
 */
export function refusalOf(
  { headers, method }: Pick<IncomingMessage, 'headers' | 'method'>,
  host: string,
): string | undefined {
  const name = hostNameOf(headers.host)
  if (name === undefined || !(name === host || name === 'localhost' || isIP(name) !== 0)) {
    return 'this host is not served here; open the lab by its address or as localhost'
  }
  const changes = method !== 'GET' && method !== 'HEAD'
  const { origin, upgrade } = headers
  // Not by the whole origin: behind a proxy that ends TLS the page is of https, and the lab cannot know.
  if ((changes || upgrade !== undefined) && origin !== undefined && hostOf(origin) !== headers.host) {
    return 'only the page of the lab itself may ask for this'
  }
  return undefined
}

/** `[::1]:8080` and `localhost:8080` without port and brackets. */
function hostNameOf(host: string | undefined): string | undefined {
  return /^(?:\[([0-9a-f:.]+)\]|([^\s:/@[\]]+))(?::\d+)?$/i
    .exec(host ?? '')
    ?.slice(1)
    .find(Boolean)
    ?.toLowerCase()
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
