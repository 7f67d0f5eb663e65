import { connect, ProtocolError } from '@eitherway/client'
import { createQueue, linked, type Message, type ServerConnection } from '@eitherway/core'
import { within } from '@eitherway/core/testing'
import { expect, test } from 'vitest'

/** A client, and the server's end of its link, by hand. */
async function open() {
  const accepted = createQueue<ServerConnection>()
  const client = connect('http://test/live', {
    transport: linked((connection) => accepted.push(connection, 0), { direction: 'two-way' }),
    reconnect: false,
  })
  const { done, value: server } = await accepted[Symbol.asyncIterator]().next()
  if (done || server.direction !== 'two-way') throw new Error('no two-way link')
  const messages = server.messages[Symbol.asyncIterator]()
  return {
    client,
    server,
    next: async (): Promise<Message> =>
      (await within(messages.next(), 'what the client sends')).value as Message,
    answer: (event: string, data: string, id = '') =>
      server.write(server.encoder.encode({ type: 'message', message: { id, event, data } })),
  }
}

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

test('numbers go up by one and are never used twice, and an abort names its request', async () => {
  const { client, next, answer } = await open()
  const abort = new AbortController()
  const failed = errorOf(client.request('one', 1, { signal: abort.signal }))
  const second = client.request('two: with colon', { a: 1 })
  expect(await next()).toEqual({ id: '', event: '~request:1:one', data: '1' })
  expect(await next()).toEqual({ id: '', event: '~request:2:two: with colon', data: '{"a":1}' })
  abort.abort()
  await failed
  expect(await next()).toEqual({ id: '', event: '~abort:1', data: '' })
  answer('~reply:2', '"two"')
  expect(await second).toBe('two')
  void errorOf(client.request('three'))
  expect((await next()).event).toBe('~request:3:three')
  await client.close()
})

test('an answer to nobody is passed over, the second to one as well', async () => {
  const { client, next, answer } = await open()
  const heard: unknown[] = []
  client.on('chat', (data) => heard.push(data))
  const first = client.request('ask')
  await next()
  for (const event of ['~reply:0', '~reply:2', '~failure:99', '~abort:1', '~request:1:ask'])
    answer(event, '"wrong"')
  answer('~reply:1', '"right"')
  answer('~reply:1', '"again"')
  expect(await first).toBe('right')
  answer('chat', '1')
  await expect.poll(() => heard).toEqual([1])
  await client.close()
})

test.each([
  ['~failure:1', '{"code":7}'],
  ['~reply:1', '}'],
])('%s that holds %j fails its request with a ProtocolError, and the link goes on', async (event, data) => {
  const { client, next, answer } = await open()
  const failed = errorOf(client.request('ask'))
  await next()
  answer(event, data)
  expect(await failed).toBeInstanceOf(ProtocolError)
  const second = client.request('ask')
  await next()
  answer('~reply:2', 'true')
  expect(await second).toBe(true)
  await client.close()
})

test('a request leaves no listener behind', async () => {
  const { client, next, answer } = await open()
  const { signal } = new AbortController()
  let listeners = 0
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners += 1
    addEventListener.apply(signal, args)
  }
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners -= 1
    removeEventListener.apply(signal, args)
  }
  const answered = client.request('ask', 1, { signal })
  await next()
  expect(listeners).toBe(1)
  answer('~reply:1', '1')
  await answered
  expect(listeners).toBe(0)
  await client.close()
})
