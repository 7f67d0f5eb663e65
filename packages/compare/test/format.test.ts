import { expect, test } from 'vitest'
import { bytes } from '../src/page/format.ts'

test.each([
  [undefined, '–'],
  [0, '0 B'],
  [999, '999 B'],
  [1000, '0.98 KiB'],
  [1024 ** 2, '1.00 MiB'],
  [10.24 * 1024 ** 2, '10.2 MiB'],
  [999.4 * 1024 ** 2, '999 MiB'],
  [1018.5 * 1024 ** 2, '0.99 GiB'],
  [23.5 * 1024 ** 3, '23.5 GiB'],
  [5000 * 1024 ** 4, '5000 TiB'],
])('%s bytes are %s', (value, text) => {
  expect(bytes(value)).toBe(text)
})
