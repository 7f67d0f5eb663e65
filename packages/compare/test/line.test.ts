import { expect, test } from 'vitest'
import { breakLine } from '../src/page/line.ts'

test.each([
  ['no reading', [], [], []],
  ['one reading', [5], [5], [1]],
  ['readings close to each other', [0, 50, 1050], [0, 50, 1050], [1, 2, 3]],
  ['a pause', [0, 50, 1051, 1101], [0, 50, 550.5, 1051, 1101], [1, 2, null, 3, 4]],
  ['two pauses', [0, 2000, 4000], [0, 1000, 2000, 3000, 4000], [1, null, 2, null, 3]],
])('the line of %s is broken where nothing was read for over a second', (_, at, times, values) => {
  const readings = at.map((_, index) => index + 1)
  expect(breakLine(at, readings, 1000)).toEqual({ times, values })
})
