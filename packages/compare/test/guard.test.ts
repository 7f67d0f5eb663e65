import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { refusalOf, standBefore } from '../src/guard.ts'

const upgrade = 'websocket'

test.each([
  ['an address', 'GET', { host: '127.0.0.1:8080' }],
  ['an address of version 6', 'GET', { host: '[::1]:8080' }],
  ['localhost', 'GET', { host: 'localhost:8080' }],
  ['no port', 'GET', { host: 'localhost' }],
  ['the largest port', 'GET', { host: 'localhost:65535' }],
  ['by HTTP/2', 'GET', { ':authority': '127.0.0.1:8080' }],
  ['the host that the lab was given', 'GET', { host: 'Lab.example:8080' }],
  ['an upgrade from the page', 'GET', { host: 'localhost:1', origin: 'http://localhost:1', upgrade }],
  [
    'an upgrade from a page behind TLS',
    'GET',
    { host: 'lab.example', origin: 'https://lab.example', upgrade },
  ],
  ['an upgrade of no browser', 'GET', { host: 'localhost:1', upgrade }],
  ['a POST to a host in capitals', 'POST', { host: 'Lab.example:1', origin: 'http://lab.example:1' }],
  ['a POST from a page that was allowed', 'POST', { host: '[::1]:1', origin: 'https://allowed.example' }],
  ['a POST by HTTP/2', 'POST', { ':authority': '127.0.0.1:1', origin: 'https://127.0.0.1:1' }],
  ['a POST from the page', 'POST', { host: '[::1]:1', origin: 'http://[::1]:1' }],
])('answered: %s', (_, method, headers) => {
  for (const host of ['lab.example', 'LAB.example']) {
    expect(refusalOf({ method, headers }, host, ['https://allowed.example'])).toBeUndefined()
  }
})

test.each([
  ['no host', 'GET', {}],
  ['a name that was pointed here', 'GET', { host: 'evil.example:8080' }],
  ['a name that begins like an address', 'GET', { host: '127.0.0.1.evil.example' }],
  ['a name that was pointed here, by HTTP/2', 'GET', { ':authority': 'evil.example', host: 'localhost' }],
  ['a port that is none', 'GET', { host: '127.0.0.1:99999' }],
  ['an address in brackets of the other version', 'GET', { host: '[127.0.0.1]:8080' }],
  ['a name and more', 'GET', { host: 'evil@localhost' }],
  ['an upgrade from another port', 'GET', { host: 'localhost:1', origin: 'http://localhost:2', upgrade }],
  ['an upgrade from another site', 'GET', { host: 'localhost:1', origin: 'https://evil.example', upgrade }],
  ['an upgrade from nowhere', 'GET', { host: 'localhost:1', origin: 'null', upgrade }],
  ['an origin with a path', 'POST', { host: '127.0.0.1:1', origin: 'http://127.0.0.1:1/' }],
  [
    'an origin with a name before the host',
    'POST',
    { host: '127.0.0.1:1', origin: 'http://evil@127.0.0.1:1' },
  ],
  ['an origin of which another is a part', 'POST', { host: '127.0.0.1', origin: 'http://127.0.0.1/@evil' }],
  ['an origin that goes on', 'POST', { host: '127.0.0.1:1', origin: 'http://127.0.0.1:1@evil.example' }],
  ['an origin with a query', 'POST', { host: '127.0.0.1:1', origin: 'http://127.0.0.1:1?evil' }],
  ['an origin with spaces', 'POST', { host: '127.0.0.1:1', origin: ' http://127.0.0.1:1' }],
  ['an origin in other letters', 'POST', { host: 'localhost:1', origin: 'HTTP://LOCALHOST:1' }],
  ['an origin with the port of its scheme', 'POST', { host: 'localhost', origin: 'http://localhost:80' }],
  ['an address in another spelling', 'POST', { host: '127.0.0.1:1', origin: 'http://0x7f.1:1' }],
  ['an origin of another scheme', 'POST', { host: 'localhost:1', origin: 'ftp://localhost:1' }],
  ['two origins', 'POST', { host: 'localhost:1', origin: 'http://localhost:1 https://evil.example' }],
  ['an empty origin', 'POST', { host: 'localhost:1', origin: '' }],
  ['a DELETE from another site', 'DELETE', { host: 'localhost:1', origin: 'https://evil.example' }],
  ['a POST from another site', 'POST', { host: 'localhost:1', origin: 'https://evil.example' }],
])('refused: %s', (_, method, headers) => {
  expect(refusalOf({ method, headers }, 'lab.example', ['https://allowed.example'])).toBeTypeOf('string')
})

test('an upgrade that nobody takes is answered, while the lab restarts for instance', async () => {
  const server = createServer()
  standBefore(createServer(), server, () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket' }
  const asking = request({ port: (server.address() as AddressInfo).port, headers, agent: false }).end()
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  expect(response.statusCode).toBe(503)
  response.resume()
})
