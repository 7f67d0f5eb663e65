import { byteLength, checkClose, closeCode, closeCodeOfStatus, fitReason, mayReturn } from '@eitherway/core'
import { expect, test } from 'vitest'

test.each([
  [1000, false],
  [1001, true],
  [1002, false],
  [1003, false],
  [1005, true],
  [1006, true],
  [1007, false],
  [1008, false],
  [1009, false],
  [1010, false],
  [1011, true],
  [1012, true],
  [1013, true],
  [1014, true],
  [3000, false],
  [3001, true],
  [3003, false],
  [4000, true],
  [4008, true],
  [4499, true],
  [4500, false],
  [4999, false],
])('after code %i a client may come back: %s', (code, may) => {
  expect(mayReturn(code)).toBe(may)
})

test.each([
  [204, 1000, false],
  [400, 4500, false],
  [401, 4501, false],
  [403, 4503, false],
  [404, 4504, false],
  [408, 4008, true],
  [425, 4025, true],
  [429, 4029, true],
  [500, 4100, true],
  [503, 4103, true],
  [599, 4199, true],
  [302, closeCode.protocolError, false],
])('HTTP %i is code %i, and a client may come back: %s', (status, code, may) => {
  expect(closeCodeOfStatus(status)).toBe(code)
  expect(mayReturn(code)).toBe(may)
})

test('a status that no server should send still gives a code that may be sent', () => {
  for (let status = 100; status < 1100; status += 1) {
    const code = closeCodeOfStatus(status)
    expect(() => checkClose({ code, reason: '' }), `status ${status} gave ${code}`).not.toThrow()
  }
})

test.each([999, 1004, 1005, 1006, 1015, 2999, 5000, 4000.5, Number.NaN])(
  'code %d may not be sent',
  (code) => {
    expect(() => checkClose({ code, reason: '' })).toThrow(TypeError)
  },
)

test('a reason has the room of a close frame, 123 bytes', () => {
  expect(() => checkClose({ code: 4000, reason: 'ü'.repeat(61) })).not.toThrow()
  expect(() => checkClose({ code: 4000, reason: 'ü'.repeat(62) })).toThrow('at most 123 bytes, got 124')
})

test('a reason is cut to its room, never inside a character', () => {
  expect(fitReason('short')).toBe('short')
  for (const reason of ['x'.repeat(500), '😀'.repeat(100), 'ü'.repeat(62)]) {
    const fitted = fitReason(reason)
    expect(byteLength(fitted)).toBeLessThanOrEqual(123)
    expect(byteLength(fitted)).toBeGreaterThan(115)
    expect(reason.startsWith(fitted.slice(0, -1))).toBe(true)
  }
})
