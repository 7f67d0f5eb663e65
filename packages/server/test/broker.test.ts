import type { Broker, BrokerListener } from '@eitherway/core'
import { createHub, type HistoryLimits, memoryBroker } from '@eitherway/server'
import { describe, expect, test, vi } from 'vitest'
import { join, link } from './bench.ts'

/** A broker of several nodes, of which this one does not always hear the others. */
function deafBroker(history: HistoryLimits = {}) {
  const memory = memoryBroker(history)
  const losers = new Set<(after: string) => void>()
  let isDeaf = false
  let after = ''
  const broker: Broker = {
    publish: (channel, event, data) => memory.publish(channel, event, data),
    position: () => memory.position(),
    isAfter: (id, other) => memory.isAfter(id, other),
    history: vi.fn((channels, from, bounds) => memory.history(channels, from, bounds)),
    subscribe(listener: BrokerListener, onLost) {
      if (onLost !== undefined) losers.add(onLost)
      return memory.subscribe((channel, message) => {
        if (!isDeaf) listener(channel, message)
      })
    },
  }
  return {
    broker,
    async deafen() {
      after = await memory.position()
      isDeaf = true
    },
    notice() {
      isDeaf = false
      for (const tell of losers) tell(after)
    },
  }
}

describe('when the broker was not heard for a while', () => {
  test('every peer is given what it missed, once and before anything newer, on the link that it has', async () => {
    const { broker, deafen, notice } = deafBroker()
    const hub = createHub({ broker })
    const readers = await Promise.all([join(hub, { channels: ['a'] }), join(hub, { channels: ['a', 'b'] })])
    const bystander = await join(hub)
    await hub.publish('a', 1)
    await deafen()
    await hub.publish('a', 2)
    await hub.publish('b', 3)
    notice()
    await hub.publish('a', 4)
    const heard = [
      ['1', '2', '4'],
      ['1', '2', '3', '4'],
    ]
    for (const [at, reader] of readers.entries()) {
      for (const data of heard[at] ?? []) expect((await reader.message()).data).toBe(data)
    }
    expect(hub.peers.size).toBe(3)
    // Read once for all who follow the same.
    expect(broker.history).toHaveBeenCalledTimes(2)
    await hub.close()
    expect((await bystander.connection.closed).code).toBe(1001)
  })

  test('what history cannot give back is a gap', async () => {
    const { broker, deafen, notice } = deafBroker({ messages: 1 })
    const hub = createHub({ broker })
    const reader = await join(hub, { channels: ['a'] })
    await deafen()
    for (const data of [1, 2, 3]) await hub.publish('a', data)
    notice()
    expect(await reader.next()).toMatchObject({ type: 'gap', gap: { reason: 'evicted', channels: ['a'] } })
    await hub.publish('a', 4)
    expect((await reader.message()).data).toBe('4')
    await hub.close()
  })

  test('a peer that is being given what it missed before comes back for it', async () => {
    const { broker, deafen, notice } = deafBroker()
    let answer: (() => void) | undefined
    const { history } = broker
    vi.mocked(history).mockImplementationOnce(
      (channels, from, bounds) =>
        new Promise((resolve) => {
          answer = () => resolve(history(channels, from, bounds))
        }),
    )
    const hub = createHub({ broker })
    const id = await hub.publish('a', 1)
    const reader = await link(hub, { channels: ['a'], lastEventId: id })
    await vi.waitFor(() => expect(answer).toBeDefined())
    await deafen()
    notice()
    expect((await reader.connection.closed).code).toBe(1011)
    answer?.()
    await hub.close()
  })

  test('history that cannot be read ends the link, and the client comes back', async () => {
    const { broker, deafen, notice } = deafBroker()
    const errors: unknown[] = []
    const hub = createHub({ broker, onError: (error) => errors.push(error) })
    const reader = await join(hub, { channels: ['a'] })
    vi.mocked(broker.history).mockRejectedValueOnce(new Error('away'))
    await deafen()
    notice()
    expect((await reader.connection.closed).code).toBe(1011)
    expect(errors).toEqual([new Error('away')])
    await hub.close()
  })
})

describe('when the broker hears late', () => {
  /** A broker whose newest messages, from any node, are heard here when it is told so. */
  function lateBroker() {
    const memory = memoryBroker()
    const late: (() => void)[] = []
    const broker: Broker = {
      ...memory,
      subscribe: (listener) =>
        memory.subscribe((channel, message) => {
          late.push(() => listener(channel, message))
        }),
      async history(...asked) {
        const found = await memory.history(...asked)
        hear()
        return found
      },
    }
    function hear() {
      for (const tell of late.splice(0)) tell()
    }
    return { broker, memory, hear }
  }

  test.each([
    ['the position is of a message that it follows', 'a'],
    ['the position is of a channel that it does not follow', 'b'],
  ])('a peer that has more already, from another node, is told none of it again: %s', async (_, last) => {
    const { broker, memory, hear } = lateBroker()
    const hub = createHub({ broker })
    await memory.publish('a', 'a', '1')
    await memory.publish('a', 'a', '2')
    const lastEventId = await memory.publish(last, last, '3')
    const reader = await join(hub, { channels: ['a'], lastEventId })
    const id = await memory.publish('a', 'a', '4')
    hear()
    expect(await reader.message()).toMatchObject({ id, data: '4' })
    await hub.close()
  })

  test('who comes for the first time hears what follows the position that it is told, and nothing before', async () => {
    const memory = memoryBroker()
    let answer: () => void = () => undefined
    const asking = new Promise<void>((resolve) => {
      answer = resolve
    })
    const position = () => asking.then(() => memory.position())
    const hub = createHub({ broker: { ...memory, position } })
    const joining = join(hub, { channels: ['a'] })
    await vi.waitFor(() => expect(hub.peers.size).toBe(1))
    const id = await hub.publish('a', 1)
    answer()
    const { hello, message } = await joining
    expect(hello).toMatchObject({ id })
    await hub.publish('a', 2)
    expect((await message()).data).toBe('2')
    await hub.close()
  })
})

describe('how many follow a channel', () => {
  test('are counted here, where the broker knows of no other node', async () => {
    const hub = createHub()
    await join(hub, { channels: ['a', 'b'] })
    const second = await join(hub, { channels: ['a'] })
    expect([await hub.count('a'), await hub.count('b'), await hub.count('c')]).toEqual([2, 1, 0])
    second.connection.close()
    await second.connection.closed
    await vi.waitFor(async () => expect(await hub.count('a')).toBe(1))
    await expect(hub.count('')).rejects.toThrow(TypeError)
    await hub.close()
  })

  test('are counted by the broker, where it can, which is told of each', async () => {
    const add = vi.fn()
    const hub = createHub({ broker: { ...memoryBroker(), presence: { add, count: async () => 42 } } })
    const reader = await join(hub, { channels: ['a', 'b'] })
    expect(add.mock.calls).toEqual([
      ['a', 1],
      ['b', 1],
    ])
    expect(await hub.count('a')).toBe(42)
    reader.connection.close()
    await vi.waitFor(() =>
      expect(add.mock.calls.slice(2)).toEqual([
        ['a', -1],
        ['b', -1],
      ]),
    )
    await hub.close()
  })
})

test.each([
  [
    'a client of Redis',
    { publish: async () => 1, subscribe: async () => 1 },
    'got Object without `position`',
  ],
  [
    'a broker that compares no ids',
    { ...memoryBroker(), isAfter: undefined },
    'got Object without `isAfter`',
  ],
  ['the address of one', 'redis://127.0.0.1', 'got string without `publish`'],
])('%s is no broker, and that is said at once', (_, broker, what) => {
  expect(() => createHub({ broker: broker as never })).toThrow(
    new TypeError(
      `\`broker\` must be a Broker, such as \`redisBroker({ client })\` or \`memoryBroker()\`, ${what}`,
    ),
  )
})
