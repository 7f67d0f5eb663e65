import { addressOf, requestUrl } from '@eitherway/core'
import { expect, test } from 'vitest'
import { remoteOf, requestHeaders } from '../src/request.ts'

test.each([
  ['http://host/live', 'http', 'http://host/live'],
  ['http://host/live', 'ws', 'ws://host/live'],
  ['https://host/live', 'ws', 'wss://host/live'],
  ['ws://host:8080/live', 'http', 'http://host:8080/live'],
  ['wss://host/live?a=1#part', 'http', 'https://host/live?a=1'],
] as const)('%s over %s is %s', (url, scheme, address) => {
  expect(addressOf(new URL(url), scheme, { channels: [] }).href).toBe(address)
})

test('channels go in the query, once for each, beside what is there', () => {
  const address = addressOf(new URL('http://host/live?a=1'), 'ws', { channels: ['prices', 'a&b=c', 'ü'] })
  expect(address.searchParams.getAll('channel')).toEqual(['prices', 'a&b=c', 'ü'])
  expect(address.searchParams.get('a')).toBe('1')
})

test.each(['ftp://host/x', 'file:///x', 'data:,x', 'javascript:1'])('%s is refused', (url) => {
  expect(() => addressOf(new URL(url), 'http', { channels: [] })).toThrow(
    'the URL must start with http:, https:, ws: or wss:',
  )
})

test('where a host stands in the place of a scheme, what is missing is said', () => {
  expect(() => addressOf(new URL('localhost:8080/live'), 'http', { channels: [] })).toThrow(
    'got "localhost:"; before a host\'s name belongs "http://"',
  )
})

test('a URL with a password is refused without telling it', () => {
  const refuse = () => addressOf(new URL('http://user:secret@host/live'), 'http', { channels: [] })
  expect(refuse).toThrow('the URL of host must not hold a user name or password')
  expect(refuse).not.toThrow('secret')
})

test.each([
  ['/live?a=1', 'host:8080', 'http://host:8080/live?a=1'],
  ['/live', undefined, 'http://localhost/live'],
  ['//evil/live', 'host', 'http://host//evil/live'],
  ['http://evil/live', 'host', undefined],
  ['*', 'host', undefined],
  ['', 'host', undefined],
  [undefined, 'host', undefined],
  ['/live', '[::1]:80', 'http://[::1]/live'],
  ['/live', 'a b', undefined],
  ['/live', '', undefined],
  ['/live', 'a/b', undefined],
  ['/live', 'a?x', undefined],
  ['/live', 'a#b', undefined],
  ['/live', 'u:p@a', undefined],
  ['/live', 'a\\b', undefined],
  ['/live', 'a:b', undefined],
])('a request for %s at %s is for %s', (target, host, url) => {
  expect(requestUrl(target, host)?.href).toBe(url)
})

test('headers come over with every value, without the pseudo-headers of HTTP/2', () => {
  const headers = requestHeaders({ ':path': '/x', accept: 'a', 'set-cookie': ['b', 'c'], gone: undefined })
  expect([...headers]).toEqual([
    ['accept', 'a'],
    ['set-cookie', 'b'],
    ['set-cookie', 'c'],
  ])
})

test('a socket that is gone has no other end', () => {
  expect(remoteOf({})).toBeUndefined()
  expect(remoteOf({ remoteAddress: '::1', remotePort: 5 })).toEqual({ address: '::1', port: 5 })
})
