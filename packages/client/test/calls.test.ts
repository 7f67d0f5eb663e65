import { ConnectError, connect, ProtocolError } from '@eitherway/client'
import {
  type Close,
  type Contract,
  createQueue,
  type Frame,
  linked,
  type Message,
  type ServerConnection,
  type Transport,
} from '@eitherway/core'
import { within } from '@eitherway/core/testing'
import { expect, test, vi } from 'vitest'

/** A client, and the server's end of its link, by hand. */
async function open(contract: Pick<Contract<undefined>, 'check'> = {}) {
  const accepted = createQueue<ServerConnection>()
  const client = connect('http://test/live', {
    transport: linked((connection) => accepted.push(connection, 0), { direction: 'two-way' }),
    reconnect: false,
    contract,
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

test('what was answered is answered, though its schema takes longer than its link lives', async () => {
  let checked: (data: unknown) => void = () => undefined
  const check = vi.fn(
    () =>
      new Promise<unknown>((resolve) => {
        checked = resolve
      }),
  )
  const { client, server, next, answer } = await open({ check })
  const asked = client.request('ask', null, { timeoutMs: 0 })
  await next()
  answer('~reply:1', '"raw"')
  await expect.poll(() => check.mock.calls.length).toBe(1)
  server.close()
  await within(client.closed, 'the end')
  checked('checked')
  expect(await within(asked, 'the answer')).toBe('checked')
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

test('what was given up while its link had not said yet whether it takes it goes over no other', async () => {
  const sent: string[] = []
  let refuse = () => {}
  const links: (() => void)[] = []
  const transport: Transport<'two-way'> = {
    name: 'by hand',
    direction: 'two-way',
    async connect() {
      const frames = createQueue<Frame>()
      const isFirst = links.length === 0
      let end = (_: Close) => {}
      const closed = new Promise<Close>((resolve) => {
        end = resolve
      })
      const close = (close: Close = { code: 1006, reason: '' }) => {
        frames.end()
        end(close)
      }
      links.push(close)
      return {
        direction: 'two-way',
        closed,
        close,
        [Symbol.asyncIterator]: () => frames[Symbol.asyncIterator](),
        send(message) {
          if (!isFirst) {
            sent.push(message.event)
            return Promise.resolve()
          }
          return new Promise((_, reject) => {
            refuse = () => reject(new ConnectError('the link had ended', { retryable: true }))
          })
        },
      }
    },
  }
  const client = connect('http://test/live', { transport })
  const open = async () => {
    while (client.state !== 'open') await new Promise((resolve) => setImmediate(resolve))
  }
  await within(open(), 'the first link')
  const lost = errorOf(client.request('lost', 1))
  const after = errorOf(client.request('after', 2))
  links[0]?.()
  expect(await lost).toMatchObject({ name: 'ConnectError', retryable: true })
  refuse()
  await within(
    new Promise<void>((resolve) => client.onState((state) => state === 'open' && resolve())),
    'the second link',
  )
  await new Promise((resolve) => setImmediate(resolve))
  expect(sent).toEqual(['~request:2:after'])
  await client.close()
  await after
})

test('a link that was replaced and brings no answer ends after 30 seconds, and its request fails', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const accepted: ServerConnection[] = []
    const client = connect('http://test/live', {
      transport: linked(
        (connection) => {
          accepted.push(connection)
          connection.write(connection.encoder.encode({ type: 'hello', id: '1', heartbeatMs: 0 }))
        },
        { direction: 'two-way' },
      ),
      channels: ['a'],
    })
    while (client.state !== 'open') await new Promise((resolve) => setImmediate(resolve))
    let error: unknown
    void errorOf(client.request('ask', 1, { timeoutMs: 0 })).then((failed) => {
      error = failed
    })
    await client.subscribe('b')
    expect(accepted.length).toBe(2)
    await vi.advanceTimersByTimeAsync(29_999)
    expect(error).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    expect(error).toMatchObject({ name: 'ConnectError', retryable: true })
    expect(client.state).toBe('open')
    await client.close()
  } finally {
    vi.useRealTimers()
  }
})
