import type { Arrival } from '@eitherway/core'
import { describe, expect, test } from 'vitest'
import { clientAddress, createPlaces } from '../src/places.ts'

function from(address: string | undefined, forwarded?: string): Arrival {
  return {
    url: new URL('http://test/live'),
    headers: new Headers(forwarded === undefined ? {} : { 'X-Forwarded-For': forwarded }),
    remote: address === undefined ? undefined : { address, port: 1 },
    channels: [],
    lastEventId: '',
    token: undefined,
  }
}

describe('the address of a client', () => {
  const many = Array.from({ length: 10_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}`).join(', ')
  const rows: readonly (readonly [string, string | undefined, string | undefined, number, string])[] = [
    ['without a proxy, the socket', '192.0.2.1', undefined, 0, '192.0.2.1'],
    ['a header that nobody trusts', '192.0.2.1', '198.51.100.7', 0, '192.0.2.1'],
    ['one proxy', '10.0.0.1', '198.51.100.7', 1, '198.51.100.7'],
    ['one proxy, and what the client made up', '10.0.0.1', '1.1.1.1, 198.51.100.7', 1, '198.51.100.7'],
    ['two proxies', '10.0.0.1', '1.1.1.1, 198.51.100.7, 10.0.0.2', 2, '198.51.100.7'],
    ['too few entries', '10.0.0.1', '198.51.100.7', 2, '10.0.0.1'],
    ['no header', '10.0.0.1', undefined, 1, '10.0.0.1'],
    ['an empty header', '10.0.0.1', '', 1, '10.0.0.1'],
    ['an empty entry', '10.0.0.1', '198.51.100.7, ', 1, '10.0.0.1'],
    ['no address', '10.0.0.1', 'unknown', 1, '10.0.0.1'],
    ['a hidden one', '10.0.0.1', '_hidden', 1, '10.0.0.1'],
    ['an address that is too large', '10.0.0.1', '198.51.100.700', 1, '10.0.0.1'],
    ['10,000 entries', '10.0.0.1', many, 1, '10.0.39.15'],
    ['a text of any length', '10.0.0.1', 'x'.repeat(10_000), 1, '10.0.0.1'],
    ['a port', '10.0.0.1', '198.51.100.7:4711', 1, '198.51.100.7'],
    ['no socket, in memory', undefined, undefined, 0, ''],
    ['no socket, and a header', undefined, '198.51.100.7', 0, ''],
    ['IPv6, by its network', '2001:db8:1:2:3:4:5:6', undefined, 0, '2001:db8:1:2::/64'],
    ['IPv6, another of that network', '2001:db8:1:2::1', undefined, 0, '2001:db8:1:2::/64'],
    ['IPv6 in full', '2001:0DB8:0001:0002:0000:0000:0000:0001', undefined, 0, '2001:db8:1:2::/64'],
    ['IPv6 with zeros in front', '::1', undefined, 0, '0:0:0:0::/64'],
    ['IPv6 with zeros in its network', '2001:db8::1', undefined, 0, '2001:db8:0:0::/64'],
    ['IPv6 with a zone', 'fe80::1%eth0', undefined, 0, 'fe80:0:0:0::/64'],
    ['IPv6 with a port', '10.0.0.1', '[2001:db8:1:2::1]:443', 1, '2001:db8:1:2::/64'],
    ['IPv6 in brackets', '10.0.0.1', '[2001:db8:1:2::1]', 1, '2001:db8:1:2::/64'],
    ['IPv4 of a socket for both', '::ffff:192.0.2.1', undefined, 0, '192.0.2.1'],
    ['IPv4 in capitals', '::FFFF:192.0.2.1', undefined, 0, '192.0.2.1'],
    ['IPv4 in hexadecimal', '::ffff:c000:201', undefined, 0, '192.0.2.1'],
    ['IPv4 in full', '0:0:0:0:0:ffff:192.0.2.1', undefined, 0, '192.0.2.1'],
    ['too many groups', '10.0.0.1', '1:2:3:4:5:6:7:8:9', 1, '10.0.0.1'],
    ['colons', '10.0.0.1', '::::', 1, '10.0.0.1'],
  ]
  test.each(rows)('%s', (_, address, forwarded, trustedProxies, expected) => {
    expect(clientAddress(from(address, forwarded), trustedProxies)).toBe(expected)
  })
})

describe('places', () => {
  const full = { status: 503, reason: 'the server has no room for another connection', retryAfterMs: 5000 }
  const many = { status: 429, reason: 'too many connections from one address', retryAfterMs: 5000 }

  test('are as many as maxConnections, and free again once they are freed', () => {
    const places = createPlaces({ maxConnections: 2 })
    const [first] = [places.take(from('a')), places.take(from('b'))]
    expect(places.take(from('c'))).toEqual(full)
    places.free(first as string)
    expect(places.take(from('c'))).toEqual('')
    expect(places.take(from('d'))).toEqual(full)
  })

  test('are as many for one address as maxConnectionsPerAddress, whatever others have', () => {
    const places = createPlaces({ maxConnectionsPerAddress: 2 })
    const taken = [places.take(from('192.0.2.1')), places.take(from('::ffff:192.0.2.1'))]
    expect(places.take(from('192.0.2.1'))).toEqual(many)
    expect(places.take(from('192.0.2.2'))).toBe('192.0.2.2')
    for (const place of taken) places.free(place as string)
    expect(places.take(from('192.0.2.1'))).toBe('192.0.2.1')
  })

  test('do not count what has no address', () => {
    const places = createPlaces({ maxConnectionsPerAddress: 1 })
    expect([1, 2, 3].map(() => places.take(from(undefined)))).toEqual(['', '', ''])
  })

  test('a refused one takes none: neither of its address nor of all', () => {
    const places = createPlaces({ maxConnections: 3, maxConnectionsPerAddress: 1 })
    const place = places.take(from('192.0.2.1'))
    for (let tries = 0; tries < 10; tries += 1) expect(places.take(from('192.0.2.1'))).toEqual(many)
    expect(places.take(from('192.0.2.2'))).toBe('192.0.2.2')
    places.free(place as string)
    expect(places.take(from('192.0.2.1'))).toBe('192.0.2.1')
  })

  test.each([
    [{ maxConnections: 0 }, '`maxConnections` must be a whole number of 1 or more, got 0'],
    // As it comes from an environment variable.
    [{ maxConnections: '5' as never }, '`maxConnections` must be a whole number of 1 or more, got "5"'],
    [{ maxConnections: 1.5 }, '`maxConnections` must be a whole number of 1 or more, got 1.5'],
    [
      { maxConnectionsPerAddress: Number.NaN },
      '`maxConnectionsPerAddress` must be a whole number of 1 or more, got NaN',
    ],
    [{ trustedProxies: -1 }, '`trustedProxies` must be a whole number of 0 or more, got -1'],
    [
      { trustedProxies: Number.POSITIVE_INFINITY },
      '`trustedProxies` must be a whole number of 0 or more, got Infinity',
    ],
  ])('%j is none', (limits, message) => {
    expect(() => createPlaces(limits)).toThrow(new TypeError(message))
  })
})
