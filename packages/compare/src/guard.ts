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
  // Not by the scheme: behind a proxy that ends TLS the page is of https, and the lab cannot know.
  if (
    (changes || upgrade !== undefined) &&
    origin !== undefined &&
    hostOf(origin) !== headers.host?.toLowerCase()
  ) {
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

/**
 * The host and port of an origin, spelled as a browser does. What a URL would have to be tidied up for, such as a path, a
 * name before the host or a port that is the scheme's own, is no origin, and nobody's.
 *
 * @see https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
 */
function hostOf(origin: string): string | undefined {
  if (!URL.canParse(origin)) return undefined
  const { origin: serialised, host, protocol } = new URL(origin)
  return serialised === origin && /^https?:$/.test(protocol) ? host : undefined
}
