import { isSameOrigin } from '@eitherway/core'
import { expect, test } from 'vitest'

test.each([
  ['https://app.example', 'app.example', true],
  ['https://app.example', 'APP.example', true],
  ['https://app.example', 'app.example:443', true],
  ['https://app.example:8443', 'app.example:8443', true],
  ['https://[::1]:8443', '[::1]:8443', true],
  ['https://[::443]', '[::443]', true],
  ['https://app.example.', 'app.example.', true],
  // TLS may have ended before us, or not.
  ['https://app.example', 'app.example', false],
  ['http://app.example', 'app.example', false],
  ['http://app.example', 'app.example:80', false],
])('a page of %s is of one origin with the host %s (TLS: %s)', (origin, host, secure) => {
  expect(isSameOrigin(origin, host, secure)).toBe(true)
})

test.each([
  ['http://app.example', 'app.example', true],
  ['http://app.example', 'app.example:443', false],
  ['https://app.example', 'app.example:80', false],
  ['https://app.example', 'app.example:8443', false],
  ['https://app.example:8443', 'app.example', false],
  ['https://app.example', 'app.example.', false],
  ['https://app.example.', 'app.example', false],
  ['https://app.example.evil.example', 'app.example', false],
  ['https://evil-app.example', 'app.example', false],
  ['https://app.example@evil.example', 'app.example', false],
  ['https://evil@app.example', 'app.example', false],
  ['https://app.example/', 'app.example', false],
  ['https://app.example:443', 'app.example', false],
  ['HTTPS://app.example', 'app.example', false],
  ['https://App.example', 'app.example', false],
  ['https://bücher.example', 'xn--bcher-kva.example', false],
  ['http://0x7f.1', '127.0.0.1', false],
  ['ftp://app.example', 'app.example', false],
  ['null', 'null', false],
  ['', '', false],
  [' https://app.example', 'app.example', false],
  ['https://app.example, https://evil.example', 'app.example', false],
  ['https://app.example https://evil.example', 'app.example', false],
])('a page of %s is not of one origin with the host %s (TLS: %s)', (origin, host, secure) => {
  expect(isSameOrigin(origin, host, secure)).toBe(false)
})
