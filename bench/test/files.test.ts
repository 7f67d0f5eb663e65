import { expect, test } from 'vitest'
import { fitting } from '../files.mjs'

test('connections fit into the limit of open files, with room for the rest', () => {
  expect(fitting(19_000, 20_000)).toBe(19_000)
  expect(fitting(19_000, 1024)).toBe(924)
  expect(fitting(19_000, 50)).toBe(1)
  expect(fitting(19_000, undefined)).toBe(19_000)
})
