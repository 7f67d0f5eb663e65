import { callMessage, type Frame, linked, type Message, type TwoWayConnection } from '@eitherway/core'
import { within } from '@eitherway/core/testing'
import { createHub, type HubOptions } from '@eitherway/server'
import { expect, test } from 'vitest'

/** A hub and one link to it, by hand. */
async function open(options: HubOptions = {}, channels: readonly string[] = []) {
  const hub = createHub(options)
  const { connect } = linked(hub.accept, { direction: 'two-way' })
  const connection = await connect(new URL('http://test/live'), {
    lastEventId: '',
    channels,
    signal: new AbortController().signal,
  })
  const frames = connection[Symbol.asyncIterator]()
  return { hub, connection, next: () => nextMessage(frames) }
}

async function nextMessage(frames: AsyncIterator<Frame>): Promise<Message> {
  for (;;) {
    const { done, value } = await within(frames.next(), 'the next frame')
    if (done) throw new Error('the link has ended')
    if (value.type === 'message') return value.message
  }
}

const ask = (connection: TwoWayConnection, number: number, name = 'ask', data = '1') =>
  connection.send(callMessage({ type: 'request', number, name, data }))

test('a reply is not dropped, conflated or stored for a peer that reads slowly', async () => {
  const { hub, connection, next } = await open({ slow: 'conflate', maxQueuedBytes: 10_000_000 }, ['a'])
  hub.onRequest('ask', (data) => data)
  hub.onRequest('last', () => 'last')
  await expect.poll(() => hub.peers.size).toBe(1)
  for (let at = 0; at < 40; at += 1) await hub.publish('a', `${at} ${'x'.repeat(5_000)}`)
  // What may wait is held back by now; each of these is answered none the less, and the same twice is twice.
  for (const number of [1, 2, 3]) await ask(connection, number)
  await ask(connection, 4, 'last')
  const events: string[] = []
  while (events.at(-1) !== '~reply:4') events.push((await next()).event)
  expect(events.filter((event) => event !== 'a')).toEqual(['~reply:1', '~reply:2', '~reply:3', '~reply:4'])
  await hub.close()
})

test('what was published before the reply comes before it', async () => {
  const { hub, connection, next } = await open({}, ['a'])
  hub.onRequest('ask', async () => {
    await hub.publish('a', 'news')
    return 1
  })
  await ask(connection, 1)
  expect([(await next()).event, (await next()).event]).toEqual(['a', '~reply:1'])
  await hub.close()
})

test.each([1, 2])(
  'two requests at once with the number %i are a breach, and the handler ran once',
  async (number) => {
    let runs = 0
    const { hub, connection } = await open({ maxConcurrentRequests: 1 })
    hub.onRequest('ask', (_, { signal }) => {
      runs += 1
      return new Promise((resolve) => signal.addEventListener('abort', resolve))
    })
    for (const each of [1, 2, number]) await ask(connection, each)
    expect(await within(connection.closed, 'the end')).toEqual({
      code: 1002,
      reason: `two requests at once have the number ${number}`,
    })
    expect(runs).toBe(1)
  },
)

test('a number that was answered may come again', async () => {
  const { hub, connection, next } = await open()
  hub.onRequest('ask', (data) => data)
  for (const data of ['1', '2']) {
    await ask(connection, 7, 'ask', data)
    expect(await next()).toMatchObject({ event: '~reply:7', data })
  }
  await hub.close()
})

test('reserved events that are no request and no abort of one reach no handler', async () => {
  const { hub, connection, next } = await open()
  const heard: unknown[] = []
  hub.onMessage(({ event }) => heard.push(event))
  hub.onRequest('ask', () => 1)
  for (const event of [
    '~reply:1',
    '~failure:1',
    '~abort:9',
    '~request:x:ask',
    '~request:1',
    '~hello',
    '~later',
    '~',
  ]) {
    await connection.send({ id: '', event, data: '}' })
  }
  await ask(connection, 1)
  expect((await next()).event).toBe('~reply:1')
  expect(heard).toEqual([])
  expect(hub.stats()).toMatchObject({ received: 9, requests: 1, errors: 0 })
  await hub.close()
})

test('data that is not of the format closes the peer with 1007', async () => {
  const { hub, connection } = await open()
  hub.onRequest('ask', () => 1)
  await ask(connection, 1, 'ask', '}')
  expect(await within(connection.closed, 'the end')).toMatchObject({ code: 1007 })
  expect(hub.stats().requests).toBe(0)
})

test('what waits when its peer leaves never runs', async () => {
  const runs: unknown[] = []
  const { hub, connection } = await open({ maxConcurrentRequests: 1 })
  let settle = () => {}
  const settled = new Promise<void>((resolve) => {
    settle = resolve
  })
  hub.onRequest('ask', async (data, { signal }) => {
    runs.push(data)
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    settle()
  })
  for (const number of [1, 2, 3]) await ask(connection, number, 'ask', String(number))
  await expect.poll(() => hub.stats().requests).toBe(3)
  connection.close()
  await within(settled, 'the handler')
  await new Promise<void>((resolve) => setImmediate(resolve))
  expect(runs).toEqual([1])
  expect(hub.peers.size).toBe(0)
})

test('handlers that hang hold up their own peer and nobody else, and are told when it leaves', async () => {
  const { hub, connection } = await open()
  const other = await linked(hub.accept, { direction: 'two-way' }).connect(new URL('http://test/live'), {
    lastEventId: '',
    channels: [],
    signal: new AbortController().signal,
  })
  let aborted = 0
  hub.onRequest('hang', (_, { signal }) => {
    signal.addEventListener('abort', () => {
      aborted += 1
    })
    return new Promise(() => undefined)
  })
  hub.onRequest('ask', (data) => data)
  const block = JSON.stringify('x'.repeat(30_000))
  for (let number = 1; number <= 40; number += 1) {
    connection.send(callMessage({ type: 'request', number, name: 'hang', data: block })).catch(() => {
      // The link ends before it is read.
    })
  }
  // 32 of them run, two wait, and the third that waits is the last that is read.
  await expect.poll(() => hub.stats().requests).toBe(35)
  await ask(other, 1)
  const frames = other[Symbol.asyncIterator]()
  expect(await nextMessage(frames)).toMatchObject({ event: '~reply:1' })
  expect(hub.stats().requests).toBe(36)
  connection.close()
  await expect.poll(() => aborted).toBe(32)
  expect(hub.peers.size).toBe(1)
  await hub.close()
})

test.each([0, -1, 1.5, Number.NaN])('`maxConcurrentRequests: %d` is refused', (maxConcurrentRequests) => {
  expect(() => createHub({ maxConcurrentRequests })).toThrow(
    '`maxConcurrentRequests` must be a whole number of 1 or more',
  )
})
