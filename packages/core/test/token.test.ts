import { checkToken, requestArrival, tokenProtocol } from '@eitherway/core'
import { describe, expect, test } from 'vitest'

const arrival = (headers: Record<string, string>) => {
  const made = requestArrival({
    url: '/live',
    headers: { host: 'test', ...headers },
    rawHeaders: [],
    socket: {},
  })
  if (made === undefined) throw new Error('it makes a URL')
  return made
}
const offering = (protocols: string) => arrival({ 'sec-websocket-protocol': protocols })

describe('the token of a request', () => {
  test.each(['Bearer t0k.en', 'bearer t0k.en', 'BEARER   t0k.en', ' Bearer t0k.en '])(
    'by %j',
    (authorization) => {
      expect(arrival({ authorization }).token).toBe('t0k.en')
    },
  )

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearert0k',
    'Basic dTpw',
    'Bearer two words',
    'Bearer a, Bearer b',
    'Bearer é',
  ])('is none by %j', (authorization) => {
    expect(arrival({ authorization }).token).toBeUndefined()
  })

  test.each([
    'eitherway.v1, bearer.dDBrLmVu',
    'eitherway.v1,bearer.dDBrLmVu',
    'bearer.dDBrLmVu , eitherway.v1',
    'bearer.dDBrLmVu',
  ])('by the subprotocols %j', (protocols) => {
    expect(offering(protocols).token).toBe('t0k.en')
  })

  test.each([
    ['no Base64url', 'bearer.dDBr+mVu'],
    ['a length that none has', 'bearer.dDBrL'],
    ['padding', 'bearer.dDBrLmU='],
    ['nothing', 'bearer.'],
    ['a space in it', `bearer.${btoa('a b')}`],
    ['bytes over ASCII', `bearer.${btoa('\xc3\xa9')}`],
    ['two of them', 'bearer.YQ, bearer.Yg'],
    ['another case', 'Bearer.YQ'],
  ])('is none where the subprotocol has %s', (_, protocol) => {
    expect(offering(`eitherway.v1, ${protocol}`).token).toBeUndefined()
  })

  test('by `Authorization` wins', () => {
    const both = { authorization: 'Bearer a', 'sec-websocket-protocol': 'eitherway.v1, bearer.Yg' }
    expect(arrival(both).token).toBe('a')
  })

  test('is not among the headers that an application may log', () => {
    const { headers } = offering('eitherway.v1, bearer.YQ, other, bearer.no good')
    expect(headers.get('sec-websocket-protocol')).toBe('eitherway.v1, other')
    expect(offering('bearer.YQ').headers.has('sec-websocket-protocol')).toBe(false)
    expect(offering('a,  b').headers.get('sec-websocket-protocol')).toBe('a,  b')
  })
})

test('a subprotocol that carries a token is one that RFC 6455 allows', () => {
  expect(tokenProtocol('???>>>a')).toBe('bearer.Pz8_Pj4-YQ')
})

test('a mistake in a token is told without it', () => {
  expect(() => checkToken('abc def')).toThrow('this one has another at 3; encode it')
  expect(() => checkToken('')).toThrow('this one is empty; give undefined for none')
  expect(() => checkToken('x'.repeat(8193))).toThrow('at most 8192 characters, got 8193')
  expect(() => checkToken(7 as unknown as string)).toThrow(
    'must be a string, or undefined for none, got number',
  )
})
