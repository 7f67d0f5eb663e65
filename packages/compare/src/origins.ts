import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** Every interface is no address to connect to, and this machine is one of those that it stands for. */
export function reachableHost(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
}

/** Where to open what listens at this host and port. */
export function urlOf(host: string, port: number): string {
  if (isEverywhere(host)) return `http://localhost:${port}/`
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}/`
}

/** Every origin under which a browser may have opened it. */
export function originsOf(host: string, port: number): string[] {
  const names = isEverywhere(host)
    ? Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? [])
    : [host]
  // No URL can name the zone of a link-local address.
  return [...new Set([...names, 'localhost'])]
    .filter((name) => !/^fe80:|%/i.test(name))
    .map((name) => new URL(urlOf(name, port)).origin)
}

const isEverywhere = (host: string): boolean => host === '0.0.0.0' || host === '::'
