import { brokerSuite } from '@eitherway/core/testing'
import { memoryBroker } from '@eitherway/server'
import { afterEach, describe, expect, test, vi } from 'vitest'

describe('the memory broker', () => {
  brokerSuite({
    test,
    setup: async (messages) => ({
      broker: memoryBroker({ messages }),
      formerPosition: await memoryBroker().publish('a', 'e', 'x'),
      close: async () => {},
    }),
  })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('its bounds', () => {
  test('bytes of a channel', async () => {
    const broker = memoryBroker({ bytes: 10 })
    const start = await broker.position()
    await broker.publish('a', 'e', 'xxxxx')
    await broker.publish('a', 'e', 'üü')
    expect((await broker.history(['a'], start)).messages.length).toBe(2)
    await broker.publish('a', 'e', 'xx')
    expect(await broker.history(['a'], start)).toMatchObject({
      messages: [],
      gap: { reason: 'evicted', channels: ['a'] },
    })
  })

  test('age', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const broker = memoryBroker({ ageMs: 1_000 })
    const start = await broker.position()
    const first = await broker.publish('a', 'e', '1')
    vi.advanceTimersByTime(600)
    await broker.publish('a', 'e', '2')
    vi.advanceTimersByTime(401)
    expect((await broker.history(['a'], start)).gap?.reason).toBe('evicted')
    expect((await broker.history(['a'], first)).messages.map(({ data }) => data)).toEqual(['2'])
  })

  test('bytes of all channels: those published to least recently go first', async () => {
    const broker = memoryBroker({ totalBytes: 20 })
    const start = await broker.position()
    for (const channel of ['a', 'b', 'a']) await broker.publish(channel, 'e', '12345')
    await broker.publish('c', 'e', '1234567890')
    expect((await broker.history(['b'], start)).gap?.channels).toEqual(['b'])
    expect((await broker.history(['a'], start)).messages.length).toBe(2)
  })

  test('a name that is used once is not kept for ever, and what was lost with it is still a gap', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const broker = memoryBroker({ ageMs: 1_000 })
    const start = await broker.position()
    for (let at = 0; at < 1_000; at += 1) await broker.publish(`once ${at}`, 'e', 'x')
    const end = await broker.position()
    vi.advanceTimersByTime(1_001)
    await broker.publish('a', 'e', 'x')
    expect((await broker.history(['once 7'], start)).gap).toEqual({ reason: 'evicted', channels: ['once 7'] })
    expect(await broker.history(['once 7'], end)).toMatchObject({ messages: [] })
    await broker.publish('once 7', 'e', 'again')
    expect((await broker.history(['once 7'], start)).gap?.reason).toBe('evicted')
    expect((await broker.history(['once 7'], end)).messages.length).toBe(1)
  })

  test('history of 0 keeps nothing', async () => {
    const broker = memoryBroker({ messages: 0 })
    const start = await broker.position()
    const id = await broker.publish('a', 'e', 'x')
    expect((await broker.history(['a'], start)).gap?.reason).toBe('evicted')
    expect(await broker.history(['a'], id)).toMatchObject({ messages: [] })
  })

  test.each(['messages', 'bytes', 'totalBytes', 'ageMs'])('%s that is no number is refused', (name) => {
    expect(() => memoryBroker({ [name]: Number.NaN })).toThrow(
      `\`history.${name}\` must be a number of 0 or more, got NaN`,
    )
  })
})
