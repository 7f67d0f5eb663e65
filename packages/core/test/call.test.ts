import {
  callMessage,
  checkRequestName,
  failureData,
  failureOf,
  RequestError,
  readCall,
} from '@eitherway/core'
import { callSamples } from '@eitherway/core/testing'
import { describe, expect, test } from 'vitest'

const message = (event: string, data = '') => ({ id: '', event, data })

test.each(callSamples)('%s is read as it was written', (_, sample) => {
  const call = readCall(sample)
  expect(call).toBeDefined()
  if (call !== undefined) expect(callMessage(call)).toEqual(sample)
})

test('the event of the longest name has 255 bytes at most', () => {
  const number = 999_999_999_999_999
  const { event } = callMessage({ type: 'request', number, name: 'ü'.repeat(100), data: '' })
  expect(Buffer.byteLength(event)).toBeLessThanOrEqual(255)
})

test.each([
  'request:1:sum',
  '~request',
  '~request:1',
  '~request:1:',
  '~request::sum',
  '~request:-1:sum',
  '~request:01:sum',
  '~request:1e3:sum',
  '~request:9999999999999999:sum',
  '~reply',
  '~reply:',
  '~reply:1:',
  '~reply: 1',
  '~reply:1.5',
  '~answer:1',
  '~abort:1 ',
  '~hello',
])('%j is no word of a call', (event) => {
  expect(readCall(message(event))).toBeUndefined()
})

test.each(['', '~x', 'a\nb', 'x'.repeat(201), 'ü'.repeat(101)])('%j is no name of a request', (name) => {
  expect(() => checkRequestName(name)).toThrow(TypeError)
})

describe('a failure', () => {
  test.each([
    new RequestError('there is no place left', { code: 'sold-out', data: { left: 0, at: [null, 'ü'] } }),
    new RequestError('', { code: 'x' }),
    new RequestError('null is data', { code: 'x', data: null }),
  ])('crosses whole: %j', (error) => {
    const crossed = failureOf(failureData(error))
    expect(crossed).toBeInstanceOf(RequestError)
    expect({ ...crossed, message: crossed.message }).toEqual({ ...error, message: error.message })
  })

  test.each([
    '',
    'secret',
    '{}',
    'null',
    '[]',
    '{"code":1,"message":"x"}',
    '{"code":"","message":"x"}',
    '{"code":"x"}',
  ])('that holds %j breaks the protocol, and the error shows none of it', (data) => {
    const read = () => failureOf(data)
    expect(read).toThrow(`holds ${data.length} bytes that are not what the protocol says`)
    expect(read).toThrow(expect.objectContaining({ name: 'ProtocolError' }))
  })

  test('whose data is bytes breaks the protocol', () => {
    expect(() => failureOf(Uint8Array.of(1))).toThrow('holds 1 bytes')
  })
})
