import { expect, test } from 'vitest'
import { createSequence } from '../src/sequence.ts'

test.each([
  { numbers: [], lost: 0, twice: 0, disordered: 0 },
  { numbers: [7, 8, 9], lost: 0, twice: 0, disordered: 0 },
  { numbers: [1, 2, 5], lost: 2, twice: 0, disordered: 0 },
  { numbers: [1, 2, 2, 3, 1], lost: 0, twice: 2, disordered: 0 },
  { numbers: [1, 3, 2, 4], lost: 0, twice: 0, disordered: 1 },
  { numbers: [1, 4, 2, 2], lost: 1, twice: 1, disordered: 1 },
  { numbers: [5, 3], lost: 0, twice: 1, disordered: 0 },
])('of $numbers are lost $lost, twice $twice, out of order $disordered', ({ numbers, ...expected }) => {
  const sequence = createSequence()
  for (const number of numbers) sequence.add(number)
  const { lost, twice, disordered } = sequence
  expect({ lost, twice, disordered }).toEqual(expected)
})

test('after a restart any number will do, and what was missing before stays lost', () => {
  const sequence = createSequence()
  for (const number of [10, 12]) sequence.add(number)
  sequence.restart()
  for (const number of [1, 2]) sequence.add(number)
  expect(sequence.lost).toBe(1)
  expect(sequence.twice).toBe(0)
})
