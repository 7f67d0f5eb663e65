import { createMessage, type Frame } from '@eitherway/core'
import { expect, test } from 'vitest'
import { createOverlap } from '../src/overlap.ts'

const message = (id: string): Frame => ({ type: 'message', message: createMessage('e', 'x', id) })

test('a handover in the middle of another still knows what the first link delivered', () => {
  const overlap = createOverlap()
  const delivered = (...ids: string[]) =>
    ids.filter((id) => overlap.pass(message(id)).type === 'message').join('')
  overlap.begin()
  expect(delivered('1', '2', '3')).toBe('123')
  overlap.handed()
  expect(delivered('1')).toBe('')
  overlap.begin()
  expect(delivered('2')).toBe('')
  overlap.handed()
  expect(delivered('2', '3', '4')).toBe('4')
})
