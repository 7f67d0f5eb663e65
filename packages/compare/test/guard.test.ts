import { expect, test } from 'vitest'
import { refusalOf } from '../src/guard.ts'

const upgrade = 'websocket'

test.each([
  ['an address', 'GET', { host: '127.0.0.1:8080' }],
  ['an address of version 6', 'GET', { host: '[::1]:8080' }],
  ['localhost', 'GET', { host: 'localhost:8080' }],
  ['no port', 'GET', { host: 'localhost' }],
  ['the host that the lab was given', 'GET', { host: 'Lab.example:8080' }],
  ['an upgrade from the page', 'GET', { host: 'localhost:1', origin: 'http://localhost:1', upgrade }],
  [
    'an upgrade from a page behind TLS',
    'GET',
    { host: 'lab.example', origin: 'https://lab.example', upgrade },
  ],
  ['an upgrade of no browser', 'GET', { host: 'localhost:1', upgrade }],
  ['a POST from the page', 'POST', { host: '[::1]:1', origin: 'http://[::1]:1' }],
])('answered: %s', (_, method, headers) => {
  expect(refusalOf({ method, headers }, 'lab.example')).toBeUndefined()
})

test.each([
  ['no host', 'GET', {}],
  ['a name that was pointed here', 'GET', { host: 'evil.example:8080' }],
  ['a name that begins like an address', 'GET', { host: '127.0.0.1.evil.example' }],
  ['a name and more', 'GET', { host: 'evil@localhost' }],
  ['an upgrade from another port', 'GET', { host: 'localhost:1', origin: 'http://localhost:2', upgrade }],
  ['an upgrade from another site', 'GET', { host: 'localhost:1', origin: 'https://evil.example', upgrade }],
  ['an upgrade from nowhere', 'GET', { host: 'localhost:1', origin: 'null', upgrade }],
  ['a POST from another site', 'POST', { host: 'localhost:1', origin: 'https://evil.example' }],
])('refused: %s', (_, method, headers) => {
  expect(refusalOf({ method, headers }, 'lab.example')).toBeTypeOf('string')
})
