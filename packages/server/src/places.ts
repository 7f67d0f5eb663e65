import { type Arrival, checkWhole, type Refusal } from '@eitherway/core'
import { isIPv4, isIPv6 } from './internet.ts'

/** How many may be connected at once. */
export interface PlaceLimits {
  /**
   * Connections of this hub at once, and requests about which `authorize` has not decided yet, also when their client has left
   * meanwhile; beyond it a request is refused (503). @defaultValue 100,000: about a gigabyte when all are silent
   */
  readonly maxConnections?: number
  /**
   * Connections from one client address at once; beyond it a request is refused (429). An IPv6 address counts by its first 64
   * bits, which is what one customer is given.
   *
   * @defaultValue no limit: many clients share an address behind a company's gateway, and all do behind a proxy of yours
   */
  readonly maxConnectionsPerAddress?: number
  /**
   * How many proxies of yours stand before this server, each of which adds to `X-Forwarded-For`: so many entries from its end
   * are believed. With 0 the socket's own address counts, and the header, which anybody can write, does not. So it does where the
   * header holds too few, or no address. @defaultValue 0
   */
  readonly trustedProxies?: number
}

/** Who is connected, counted. */
export interface Places {
  /** Takes a place. @returns what to free it by, or the refusal when there is none. */
  take(request: Arrival): string | Refusal
  free(place: string): void
}

/** How long whoever finds no place is told to stay away, at least. */
const retryAfterMs = 5000

/** Starts with none taken. @throws TypeError when a limit is none. */
export function createPlaces({
  maxConnections = 100_000,
  maxConnectionsPerAddress = Number.POSITIVE_INFINITY,
  trustedProxies = 0,
}: PlaceLimits): Places {
  checkWhole('maxConnections', maxConnections, 1, Number.POSITIVE_INFINITY)
  checkWhole('maxConnectionsPerAddress', maxConnectionsPerAddress, 1, Number.POSITIVE_INFINITY)
  checkWhole('trustedProxies', trustedProxies, 0)
  const byAddress = new Map<string, number>()
  let taken = 0

  return {
    take(request) {
      if (taken >= maxConnections) {
        return { status: 503, reason: 'the server has no room for another connection', retryAfterMs }
      }
      // To look an address up costs a call to the system, so not where nobody wants to know.
      const address =
        maxConnectionsPerAddress === Number.POSITIVE_INFINITY ? '' : clientAddress(request, trustedProxies)
      if (address !== '') {
        const count = byAddress.get(address) ?? 0
        if (count >= maxConnectionsPerAddress) {
          return { status: 429, reason: 'too many connections from one address', retryAfterMs }
        }
        byAddress.set(address, count + 1)
      }
      taken += 1
      return address
    },
    free(place) {
      taken -= 1
      if (place === '') return
      const count = byAddress.get(place) ?? 0
      if (count > 1) byAddress.set(place, count - 1)
      else byAddress.delete(place)
    },
  }
}

/**
 * The client's address, as far as it can be believed; `''` where there is none, in memory for instance.
 *
 * @param trustedProxies - how many of the entries of `X-Forwarded-For` and the socket were added by proxies of one's own.
 */
export function clientAddress({ remote, headers }: Arrival, trustedProxies: number): string {
  const own = networkOf(remote?.address ?? '')
  if (trustedProxies === 0) return own
  // One that came past the proxies has too few, and says of itself what it likes.
  const given = headers.get('x-forwarded-for')?.split(',').at(-trustedProxies) ?? ''
  return networkOf(given.trim()) || own
}

/** What counts as one client, spelled in one way; `''` for what is no address. Some proxies add the port. */
function networkOf(given: string): string {
  const bare = given.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1').replace(/^\[(.*)\](?::\d+)?$/, '$1')
  if (isIPv4(bare)) return bare
  const [address = ''] = bare.split('%', 1)
  if (!isIPv6(address)) return ''
  const groups = groupsOf(address)
  // An IPv4 address in the clothes of IPv6, as a socket for both has it.
  if (groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff') return dotted(groups.slice(6))
  return `${groups.slice(0, 4).join(':')}::/64`
}

/** The eight of an IPv6 address. The URL standard knows one spelling of each. */
function groupsOf(address: string): string[] {
  const [before = [], after = []] = new URL(`http://[${address}]`).hostname
    .slice(1, -1)
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return [...before, ...zeros, ...after]
}

function dotted(groups: readonly string[]): string {
  const numbers = groups.map((group) => Number.parseInt(group, 16))
  return numbers.flatMap((number) => [number >> 8, number & 255]).join('.')
}
