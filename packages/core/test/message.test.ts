import { byteLength, checkId, checkName, createMessage, kind, show } from '@eitherway/core'
import { describe, expect, test } from 'vitest'

describe('an id', () => {
  test.each(['1', 'k3f9x2-42', 'message_id_1', 'a b', '~', '!'.repeat(128)])('may be %j', (id) => {
    expect(() => checkId(id)).not.toThrow()
  })
  test.each([
    ['empty', ''],
    ['a CR', 'a\rb'],
    ['a LF', 'a\nb'],
    ['a NUL', 'a\0b'],
    ['a space in front', ' a'],
    ['a space at the end', 'a '],
    ['no ASCII', 'é'],
    ['a control character', 'a\u007f'],
    ['129 characters', 'x'.repeat(129)],
  ])('with %s is refused', (_, id) => {
    expect(() => checkId(id)).toThrow(TypeError)
    expect(() => checkId(id)).toThrow('a client sends it back in an HTTP header')
  })
  test('that is no string is refused by its kind', () => {
    expect(() => checkId(7 as unknown as string)).toThrow('`id` must be a string, got number')
  })
})

describe('a name', () => {
  test.each(['message', 'naïve €😀', ' x ', '__proto__', 'a:b', 'e'.repeat(255), 'ü'.repeat(127)])(
    'may be %j',
    (name) => {
      expect(() => checkName('event', name)).not.toThrow()
    },
  )
  test.each([
    ['', '`event` must not be empty'],
    ['a\rb', '`event` must not contain CR, LF or NUL, got "a\\rb": SSE would read the rest as a new field'],
    ['a\nb', 'must not contain CR, LF or NUL'],
    ['a\r\ndata: forged', 'must not contain CR, LF or NUL'],
    ['a\0b', 'must not contain CR, LF or NUL'],
    ['~hello', '`event` must not start with "~", got "~hello": those names belong to the protocol'],
    ['e'.repeat(256), '`event` must be at most 255 bytes, got 256'],
    ['ü'.repeat(128), '`event` must be at most 255 bytes, got 256'],
  ])('%j is refused', (name, message) => {
    expect(() => checkName('event', name)).toThrow(TypeError)
    expect(() => checkName('event', name)).toThrow(message)
  })
})

test('a message is frozen, so the hub can hand one to every connection', () => {
  const message = createMessage('prices', 'x', '1')
  expect(message).toEqual({ id: '1', event: 'prices', data: 'x' })
  expect(Object.isFrozen(message)).toBe(true)
})

test('data that is neither text nor bytes is refused by its kind', () => {
  expect(() => createMessage('prices', { a: 1 } as unknown as string)).toThrow(
    '`data` of event "prices" must be text or a Uint8Array, got Object',
  )
})

test('bytes are counted as UTF-8', () => {
  expect([byteLength('aü€😀'), byteLength(new Uint8Array(3)), byteLength('')]).toEqual([10, 3, 0])
  for (const length of [1, 255, 256, 257, 10_000]) {
    expect(byteLength('\x7f'.repeat(length))).toBe(length)
    expect(byteLength(`${'x'.repeat(length - 1)}\x80`)).toBe(length + 1)
  }
})

test('values in errors are short and show their control characters', () => {
  expect(show('a\r\nb')).toBe('"a\\r\\nb"')
  // A terminal takes U+009B for ESC [, a log viewer U+2028 for a line's end, and U+202E has the rest read backwards.
  expect(show('\x9b2J \x7f \u2028 \u202e')).toBe('"\ufffd2J \ufffd \ufffd \ufffd"')
  expect(show('x'.repeat(1000)).length).toBeLessThan(70)
  expect([kind(null), kind([]), kind(new Map()), kind(Object.create(null)), kind(1n)]).toEqual([
    'null',
    'Array',
    'Map',
    'an object',
    'bigint',
  ])
})
