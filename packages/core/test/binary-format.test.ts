import { binaryFormat, formatOf, ProtocolError } from '@eitherway/core'
import { expect, test } from 'vitest'

const format = binaryFormat({
  name: 'Byte',
  encode(value) {
    if (typeof value !== 'number') throw new Error('only a number fits')
    return Uint8Array.of(value)
  },
  decode(bytes) {
    if (bytes.byteLength !== 1) throw new Error(`secret ${bytes.join()}`)
    return bytes[0]
  },
})

test('a value crosses as the bytes that the library makes of it', () => {
  expect(formatOf(format)).toBe(format)
  expect(format.encode(7)).toEqual(Uint8Array.of(7))
  expect(format.decode(Uint8Array.of(7))).toBe(7)
})

test('what the library cannot write is the TypeError of its caller, with the reason', () => {
  expect(() => format.encode({})).toThrow(TypeError)
  expect(() => format.encode({})).toThrow('Object cannot be written as Byte: only a number fits')
})

test('what the library cannot read is a ProtocolError that shows nothing of it', () => {
  const read = () => format.decode(Uint8Array.of(1, 2, 3))
  expect(read).toThrow(ProtocolError)
  expect(read).toThrow(/^what came is not Byte \(3 bytes\): both sides must name the same `format`$/)
  try {
    read()
  } catch (error) {
    expect((error as Error).cause).toBeUndefined()
  }
})

test('text is none of its kind, and the library does not see it', () => {
  expect(() => format.decode('7')).toThrow(ProtocolError)
  expect(() => format.decode('7')).toThrow('what came is text, and Byte is bytes')
})

test('a library that makes no bytes is told so', () => {
  const wrong = binaryFormat({
    name: 'Wrong',
    encode: () => 'text' as unknown as Uint8Array,
    decode: () => undefined,
  })
  expect(() => wrong.encode(1)).toThrow('`encode` of the format Wrong must return a Uint8Array, got string')
})

test('a message that is kept keeps no more than its bytes', () => {
  const pool = new Uint8Array(8192)
  const pooled = binaryFormat({
    name: 'Pooled',
    encode: () => pool.subarray(10, 13),
    decode: () => undefined,
  })
  const bytes = pooled.encode(1) as Uint8Array
  expect(bytes).toEqual(new Uint8Array(3))
  expect(bytes.buffer.byteLength).toBe(3)
})
