import { createMessage, type Frame, ProtocolError } from '@eitherway/core'
import { describe, expect, test } from 'vitest'
import { closeOfError, codec, plain } from '../src/codec.ts'

const bytes = (...parts: readonly (string | number[])[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? [...new TextEncoder().encode(part)] : part)),
  )

const frames: readonly (readonly [Frame, string | Uint8Array])[] = [
  [
    { type: 'message', message: createMessage('prices', '{"EURUSD":1.08}', 'k3f9x2-42') },
    'k3f9x2-42\nprices\n{"EURUSD":1.08}',
  ],
  [{ type: 'message', message: createMessage('prices', '') }, '\nprices\n'],
  [{ type: 'message', message: createMessage('note', 'a\nb\n', '1') }, '1\nnote\na\nb\n'],
  [
    { type: 'message', message: createMessage('ü', Uint8Array.of(0, 10, 255), '1') },
    bytes('1\nü\n', [0, 10, 255]),
  ],
  [{ type: 'hello', id: 'k3f9x2-0', heartbeatMs: 25_000 }, 'k3f9x2-0\n~hello\n{"heartbeatMs":25000}'],
  [{ type: 'position', id: 'k3f9x2-7' }, 'k3f9x2-7\n~position\n'],
  [
    { type: 'gap', id: 'k3f9x2-9', gap: { reason: 'evicted', channels: ['prices'] } },
    'k3f9x2-9\n~gap\n{"reason":"evicted","channels":["prices"]}',
  ],
  [{ type: 'retry', retryMs: 15_000 }, '\n~retry\n15000'],
  [{ type: 'heartbeat' }, '\n~heartbeat\n'],
  [{ type: 'close', close: { code: 4008, reason: 'slow' } }, '\n~close\n{"code":4008,"reason":"slow"}'],
]

test.each(frames)('%j is these bytes on the wire, and back', (frame, wire) => {
  expect(codec.encode(frame)).toEqual(wire)
  expect(codec.decoder().push(wire)).toEqual([frame])
})

describe('what is malformed is refused with 1002, and says what it was', () => {
  test.each([
    ['nothing', ''],
    ['no line feed', 'prices'],
    ['one line feed', '1\nprices'],
    ['one line feed in bytes', bytes('1\nprices')],
    ['no bytes', bytes()],
    ['a hello that is no JSON', '1\n~hello\nx'],
    ['a hello that is no object', '1\n~hello\nnull'],
    ['a hello without a heartbeat', '1\n~hello\n{}'],
    ['a hello with a negative heartbeat', '1\n~hello\n{"heartbeatMs":-1}'],
    ['a hello with an endless heartbeat', '1\n~hello\n{"heartbeatMs":1e999}'],
    ['a hello in bytes', bytes('1\n~hello\n{"heartbeatMs":1}')],
    ['a gap of no known reason', '1\n~gap\n{"reason":"x","channels":[]}'],
    ['a gap without channels', '1\n~gap\n{"reason":"epoch"}'],
    ['a gap of channels that are no names', '1\n~gap\n{"reason":"epoch","channels":[1]}'],
    ['a retry that is no number', '\n~retry\nsoon'],
    ['a negative retry', '\n~retry\n-1'],
    ['a close without a code', '\n~close\n{"reason":""}'],
    ['a close with a code out of range', '\n~close\n{"code":70000,"reason":""}'],
    ['a close whose reason is too long', `\n~close\n{"code":4000,"reason":"${'x'.repeat(124)}"}`],
    ['a close whose reason is no text', '\n~close\n{"code":4000,"reason":{}}'],
  ])('%s', (_, wire) => {
    const push = () => codec.decoder().push(wire)
    expect(push).toThrow(ProtocolError)
    expect(push).toThrow(expect.objectContaining({ closeCode: 1002 }))
  })

  test('an event of bytes that are not UTF-8', () => {
    expect(() => codec.decoder().push(bytes('1\n', [0xff], '\nx'))).toThrow(
      expect.objectContaining({ closeCode: 1007 }),
    )
  })
})

test("a newer server's frames are signs of life, and move the position where they have an id", () => {
  expect(codec.decoder().push('\n~later\nx')).toEqual([{ type: 'heartbeat' }])
  expect(codec.decoder().push('1\n~later\nx')).toEqual([{ type: 'position', id: '1' }])
})

test('an event without a name is `message`', () => {
  expect(codec.decoder().push('1\n\nx')).toEqual([
    { type: 'message', message: { id: '1', event: 'message', data: 'x' } },
  ])
})

test('names like parts of an object are names like any other', () => {
  expect(codec.decoder().push('__proto__\nconstructor\nx')).toEqual([
    { type: 'message', message: { id: '__proto__', event: 'constructor', data: 'x' } },
  ])
})

describe('a plain link', () => {
  test('carries data and nothing more', () => {
    expect(plain.encode({ type: 'message', message: createMessage('prices', 'x', '1') })).toBe('x')
    expect(plain.encode({ type: 'hello', id: '1', heartbeatMs: 1 })).toBe('')
    expect(plain.encode({ type: 'heartbeat' })).toBe('')
    expect(plain.decoder().push('1\n~hello\nx')).toEqual([
      { type: 'message', message: { id: '', event: 'message', data: '1\n~hello\nx' } },
    ])
    expect(plain.decoder().push(bytes([1, 2]))).toMatchObject([{ message: { data: bytes([1, 2]) } }])
  })
  test('has the same limit', () => {
    expect(() => plain.decoder({ maxMessageBytes: 3 }).push('üü')).toThrow(
      expect.objectContaining({ closeCode: 1009 }),
    )
  })
})

test.each([
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009],
  ['WS_ERR_INVALID_UTF8', 1007],
  ['WS_ERR_UNEXPECTED_RSV_1', 1002],
  ['ECONNRESET', undefined],
])("the package's error %s is code %s", (code, expected) => {
  expect(closeOfError(Object.assign(new Error('x'), { code }))?.code).toBe(expected)
})
