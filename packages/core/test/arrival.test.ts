import { type NodeRequest, requestArrival } from '@eitherway/core'
import { expect, test } from 'vitest'

function arrivalOf(request: Partial<NodeRequest>, lastEventId?: string) {
  const given = { url: '/live', headers: { host: 'test' }, rawHeaders: [], socket: {}, ...request }
  const arrival = requestArrival(given, lastEventId)
  if (arrival === undefined) throw new Error('it makes a URL')
  return arrival
}

const requests: [string, Partial<NodeRequest>][] = [
  ['of a host alone', {}],
  [
    'with headers',
    { headers: { host: 'test', authorization: 'Bearer t0k.en', cookie: 'a=1; b=2', 'x-empty': '' } },
  ],
  ['with a header that came twice', { headers: { host: 'test', 'set-cookie': ['a=1', 'b=2', 'c=3'] } }],
  ['with one that is not there', { headers: { host: 'test', gone: undefined } }],
  ['of HTTP/2', { headers: { ':authority': 'app.example:8443', ':path': '/live', accept: '*/*' } }],
  ['with other letters', { headers: { host: 'test', 'x-name': 'J\xfcrgen: a:b' } }],
  [
    'with a token beside its subprotocol',
    { headers: { host: 'a', 'sec-websocket-protocol': 'x, bearer.dA' } },
  ],
  ['with a header that is named as what objects have', { headers: { host: 'a', constructor: 'x' } }],
  ['with a query', { url: '/live?channel=a&channel=b&channel=a&lastEventId=e-1#part' }],
]

test.each(requests)('a request %s says the same once it is made smaller', (_, request) => {
  const arrival = arrivalOf({ socket: { remoteAddress: '::1', remotePort: 5 }, ...request })
  const said = () => ({
    url: arrival.url.href,
    headers: [...arrival.headers],
    token: arrival.token,
    remote: arrival.remote,
    channels: arrival.channels,
    lastEventId: arrival.lastEventId,
  })
  const before = said()
  arrival.compact()
  expect(said()).toEqual(before)
  arrival.compact()
  expect(said()).toEqual(before)
})

test('requests that ask one after the other are each told what they ask', () => {
  const asking = (query: string, header?: string) => {
    const { channels, lastEventId } = arrivalOf({ url: `/live${query}` }, header)
    return [channels, lastEventId]
  }
  expect(asking('?channel=a')).toEqual([['a'], ''])
  expect(asking('?channel=a')).toEqual([['a'], ''])
  expect(asking('?channel=a', 'e-9')).toEqual([['a'], 'e-9'])
  expect(asking('?channel=a')).toEqual([['a'], ''])
  expect(asking('?channel=a&lastEventId=e-1')).toEqual([['a'], 'e-1'])
  expect(asking('')).toEqual([[], ''])
  expect(asking('?')).toEqual([[], ''])
  expect(asking('?channel=b#?channel=c')).toEqual([['b'], ''])
  expect(asking('#?channel=c')).toEqual([[], ''])
})

test('what one request asks cannot be changed for those that ask the same', () => {
  const { channels } = arrivalOf({ url: '/live?channel=shared' })
  expect(() => (channels as string[]).push('mine')).toThrow(TypeError)
  expect(arrivalOf({ url: '/live?channel=shared' }).channels).toEqual(['shared'])
})
