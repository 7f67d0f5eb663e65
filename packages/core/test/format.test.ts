import { formatOf, json, ProtocolError, text } from '@eitherway/core'
import { describe, expect, test } from 'vitest'

describe('json', () => {
  test.each([[{ a: [1, 'ü', null] }], ['text'], [7], [null], [true], [[]]])(
    '%j comes back as it was',
    (value) => {
      expect(json.decode(json.encode(value))).toEqual(value)
    },
  )
  test('bytes travel as the bytes they are', () => {
    const bytes = Uint8Array.of(0, 255)
    expect(json.encode(bytes)).toBe(bytes)
    expect(json.decode(bytes)).toBe(bytes)
  })
  test.each([
    ['undefined', undefined],
    ['function', () => 1],
    ['symbol', Symbol('x')],
    ['bigint', 1n],
  ])('%s has no form in JSON', (name, value) => {
    expect(() => json.encode(value)).toThrow(TypeError)
    expect(() => json.encode(value)).toThrow(`${name} cannot be written as JSON`)
  })
  test('for undefined there is null', () => {
    expect(() => json.encode(undefined)).toThrow('cannot be written as JSON; null can')
  })
  test('a cycle is refused with its cause', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    expect(() => json.encode(cycle)).toThrow(/Object cannot be written as JSON: .*circular/)
  })
  test('text that is no JSON is named, with what to do', () => {
    expect(() => json.decode('Message 1')).toThrow(ProtocolError)
    expect(() => json.decode('Message 1')).toThrow(
      "what came is not JSON (9 bytes); both sides must name the same `format`, 'text' for plain text",
    )
  })
})

test('text carries strings and bytes, and refuses the rest by its kind', () => {
  expect(text.encode('a\r\nb')).toBe('a\r\nb')
  expect(text.decode('{"a":1}')).toBe('{"a":1}')
  expect(() => text.encode({})).toThrow("`format: 'text'` carries strings and Uint8Arrays, got Object")
})

test('a format is known by its name, or is one of the application', () => {
  const own = { name: 'own', encode: () => 'x', decode: () => 1 }
  expect([formatOf(), formatOf('json'), formatOf('text'), formatOf(own)]).toEqual([json, json, text, own])
  expect(() => formatOf('yaml' as 'json')).toThrow(
    "`format` must be 'json', 'text' or an object with encode and decode, got \"yaml\"",
  )
  expect(() => formatOf(null as unknown as 'json')).toThrow('got null')
})
