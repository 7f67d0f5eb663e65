import type { ConnectOptions } from './transport.ts'

/**
 * The URL that a link is asked from: the application's, with the scheme that the transport needs and the channels in the
 * query.
 *
 * @param url - `http(s)` or `ws(s)`, whichever the application named.
 * @param scheme - what the transport speaks.
 * @throws TypeError when the URL is of another scheme, or holds a user name or password.
 */
export function addressOf(
  url: URL,
  scheme: 'http' | 'ws',
  { channels }: Pick<ConnectOptions, 'channels'>,
): URL {
  const secure = secureSchemes.get(url.protocol)
  if (secure === undefined) {
    // `localhost:8080/live` is a URL too, of the scheme "localhost".
    const got =
      url.host === ''
        ? `"${url.protocol}"; before a host's name belongs "http://"`
        : `"${url.protocol}//${url.host}"`
    throw new TypeError(`the URL must start with http:, https:, ws: or wss:, got ${got}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError(`the URL of ${url.host} must not hold a user name or password: URLs end up in logs`)
  }
  const address = new URL(url)
  address.protocol = secure ? `${scheme}s:` : `${scheme}:`
  address.hash = ''
  for (const channel of channels) address.searchParams.append('channel', channel)
  return address
}

const secureSchemes = new Map([
  ['http:', false],
  ['ws:', false],
  ['https:', true],
  ['wss:', true],
])
