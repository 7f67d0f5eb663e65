import { createMessage } from '@eitherway/core'
import { type Broker, createHub, type Hub, memoryBroker, type Peer } from '@eitherway/server'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { join, link } from './bench.ts'

const onePeer = (hub: Hub): Peer => {
  const [peer] = hub.peers
  if (peer === undefined) throw new Error('no peer')
  return peer
}

describe('publishing', () => {
  test('reaches every peer of the channel, and no other', async () => {
    const hub = createHub()
    const [one, other, stranger] = await Promise.all([
      join(hub, { channels: ['prices'] }),
      join(hub, { channels: ['news', 'prices'] }),
      join(hub, { channels: ['news'] }),
    ])
    const id = await hub.publish('prices', { EURUSD: 1.08 })
    await hub.publish('news', 'late')
    expect(await one.message()).toEqual({ id, event: 'prices', data: '{"EURUSD":1.08}' })
    expect(await other.message()).toMatchObject({ id })
    expect((await stranger.message()).event).toBe('news')
    await hub.close()
  })

  test('names the message after the channel, or as told', async () => {
    const hub = createHub()
    const reader = await join(hub, { channels: ['prices'] })
    await hub.publish('prices', 1, { event: 'tick' })
    expect(await reader.message()).toMatchObject({ event: 'tick', data: '1' })
    await hub.close()
  })

  test('gives ids that may go in a header, ordered over all channels', async () => {
    const hub = createHub()
    const ids: string[] = []
    for (const channel of ['a', 'b', 'a']) ids.push(await hub.publish(channel, 1))
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]+-[0-9]+$/)
    expect(ids.map((id) => id.split('-')[1])).toEqual(['1', '2', '3'])
    expect(new Set(ids.map((id) => id.split('-')[0])).size).toBe(1)
    await hub.close()
  })

  test('encodes once for each kind of wire, however many the peers', async () => {
    const encode = vi.fn((value: unknown) => JSON.stringify(value))
    const hub = createHub({ format: { name: 'counted', encode, decode: JSON.parse } })
    const readers = await Promise.all(Array.from({ length: 20 }, () => join(hub, { channels: ['a'] })))
    const stringify = vi.spyOn(JSON, 'stringify')
    await hub.publish('a', 'x')
    const heard = await Promise.all(readers.map((reader) => reader.message()))
    const calls = stringify.mock.calls.length
    stringify.mockRestore()
    expect(heard.map(({ data }) => data)).toEqual(readers.map(() => '"x"'))
    expect(encode).toHaveBeenCalledTimes(1)
    // The format's own, and one of the link's codec for all twenty.
    expect(calls).toBe(2)
    await hub.close()
  })

  const refused: readonly (readonly [string, string, unknown, object, string])[] = [
    ['a channel with a line feed', 'a\nb', 1, {}, '`channel` must not contain CR, LF or NUL'],
    ['an event with a CR', 'a', 1, { event: 'x\ry' }, '`event` must not contain CR, LF or NUL'],
    ['an event of the protocol', 'a', 1, { event: '~close' }, '`event` must not start with "~"'],
    ['data without a form', 'a', () => 1, {}, 'function cannot be written as JSON'],
    [
      'a message over the limit',
      'a',
      'x'.repeat(2_000),
      {},
      "a message of 2002 bytes is over the hub's `maxMessageBytes` of 1000",
    ],
  ]
  test.each(refused)('%s is refused, and nothing else breaks', async (_, channel, data, options, message) => {
    const hub = createHub({ maxMessageBytes: 1_000 })
    const reader = await join(hub, { channels: ['a'] })
    await expect(hub.publish(channel, data, options)).rejects.toThrow(TypeError)
    await expect(hub.publish(channel, data, options)).rejects.toThrow(message)
    await hub.publish('a', 'still here')
    expect(await reader.message()).toMatchObject({ data: '"still here"' })
    await hub.close()
  })

  test('is refused after the hub was closed', async () => {
    const hub = createHub()
    await hub.close({ code: 1012, reason: 'restart' })
    await expect(hub.publish('a', 1)).rejects.toThrow(
      'the hub is closed (1012 restart); nothing was published',
    )
  })
})

describe('greeting', () => {
  test('a peer learns how long to wait, where its stream begins and how often it will hear', async () => {
    const hub = createHub({ retryMs: 1_500, heartbeatMs: 5_000 })
    const id = await hub.publish('prices', 1)
    const reader = await link(hub, { channels: ['prices'] })
    expect(await reader.next()).toEqual({ type: 'retry', retryMs: 1_500 })
    expect(await reader.next()).toEqual({ type: 'hello', id, heartbeatMs: 5_000 })
    await hub.close()
  })

  test.each(['position', 'history'] as const)(
    'where the broker takes long to give its %s, the peer hears something meanwhile',
    async (asked) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const kept = memoryBroker()
      let answer: () => void = () => undefined
      const asking = new Promise<void>((resolve) => {
        answer = resolve
      })
      const broker: Broker = {
        ...kept,
        position: async () => asking.then(() => kept.position()),
        history: async (...given) => asking.then(() => kept.history(...given)),
      }
      const hub = createHub({ broker, retryMs: 1_500 })
      const lastEventId = asked === 'history' ? await kept.position() : ''
      const reader = await link(hub, { channels: ['a'], lastEventId })
      vi.advanceTimersByTime(1000)
      expect(await reader.next()).toEqual({ type: 'retry', retryMs: 1_500 })
      answer()
      expect(await reader.next()).toEqual({ type: 'retry', retryMs: 1_500 })
      expect(await reader.next()).toMatchObject({ type: 'hello' })
      expect(vi.getTimerCount()).toBe(0)
      await hub.close()
      vi.useRealTimers()
    },
  )

  test('a peer without channels is given no position: its ids are its own', async () => {
    const hub = createHub()
    await hub.publish('prices', 1)
    expect((await join(hub)).hello).toMatchObject({ id: '' })
    await hub.close()
  })

  test('what is published in the turn of the connect is not missed', async () => {
    const hub = createHub()
    const linking = link(hub, { channels: ['a'] })
    await Promise.resolve()
    const id = await hub.publish('a', 1)
    const reader = await linking
    const hello = await reader.frame('hello')
    // Either the position is behind it, or it arrives.
    if (hello.id !== id) expect(await reader.message()).toMatchObject({ id })
    await hub.close()
  })

  test.each(['a\nb', '', '~x', 'x'.repeat(256)])('channel %j is refused with 4500', async (channel) => {
    const hub = createHub()
    const reader = await link(hub, { channels: [channel] })
    const { code, reason } = await reader.connection.closed
    expect(code).toBe(4500)
    expect(reason).toMatch(/^`channel` must/)
    expect(hub.peers.size).toBe(0)
    await hub.close()
  })
})

describe('resuming', () => {
  test('goes on after the position, over several channels in their common order', async () => {
    const hub = createHub()
    const reader = await join(hub, { channels: ['a', 'b'] })
    const first = await hub.publish('a', 1)
    await reader.message()
    reader.connection.close()
    await hub.publish('b', 2)
    await hub.publish('c', 3)
    await hub.publish('a', 4)
    const back = await join(hub, { channels: ['a', 'b'], lastEventId: first })
    expect(back.hello).toMatchObject({ id: first })
    await hub.publish('b', 5)
    const data = [await back.message(), await back.message(), await back.message()].map(
      (message) => message.data,
    )
    expect(data).toEqual(['2', '4', '5'])
    await hub.close()
  })

  test('a drop before the first message loses nothing', async () => {
    const hub = createHub()
    const { hello, connection } = await join(hub, { channels: ['a'] })
    connection.close()
    const id = await hub.publish('a', 1)
    const lastEventId = hello.type === 'hello' ? hello.id : ''
    expect(lastEventId).not.toBe('')
    expect(await (await join(hub, { channels: ['a'], lastEventId })).message()).toMatchObject({ id })
    await hub.close()
  })

  test('too old an id is a gap of the channels concerned, and the others are replayed', async () => {
    const hub = createHub({ history: { messages: 2 } })
    const first = await hub.publish('a', 0)
    for (const data of [1, 2, 3]) await hub.publish('a', data)
    await hub.publish('b', 4)
    const reader = await join(hub, { channels: ['a', 'b'], lastEventId: first })
    expect(reader.hello).toMatchObject({ id: '' })
    expect(await reader.next()).toEqual({ type: 'gap', id: '', gap: { reason: 'evicted', channels: ['a'] } })
    expect(await reader.next()).toMatchObject({ type: 'message', message: { data: '4' } })
    // Behind what was left out, or the last id of another channel would bring it up again.
    expect(await reader.next()).toMatchObject({ type: 'position' })
    const id = await hub.publish('a', 5)
    expect(await reader.message()).toMatchObject({ id, data: '5' })
    await hub.close()
  })

  test.each([
    ['of another epoch', 'abc-1', 'epoch'],
    ['that was never given', 'x', 'unknown'],
    ['with a forged number', '__proto__', 'unknown'],
  ])('an id %s is a gap, never a replay of everything', async (_, lastEventId, reason) => {
    const hub = createHub()
    const id = await hub.publish('a', 1)
    const reader = await join(hub, { channels: ['a'], lastEventId })
    expect(await reader.next()).toEqual({ type: 'gap', id, gap: { reason, channels: ['a'] } })
    const next = await hub.publish('a', 2)
    expect(await reader.message()).toMatchObject({ id: next })
    await hub.close()
  })

  test('an id from the future of this epoch is a gap', async () => {
    const hub = createHub()
    const id = await hub.publish('a', 1)
    const reader = await join(hub, { channels: ['a'], lastEventId: id.replace(/-1$/, '-99') })
    expect(await reader.next()).toMatchObject({ type: 'gap', id, gap: { reason: 'unknown' } })
    await hub.close()
  })

  test('a long history goes at the pace of the reader, and what is published meanwhile comes after it', async () => {
    const hub = createHub({ maxQueuedBytes: 200_000, maxMessageBytes: 20_000 })
    const start = await hub.publish('a', 'start')
    for (let at = 0; at < 100; at += 1) await hub.publish('a', `${at} ${'x'.repeat(10_000)}`)
    const reader = await join(hub, { channels: ['a'], lastEventId: start })
    const numbers: number[] = []
    for (let at = 0; at < 110; at += 1) {
      if (at % 10 === 0) await hub.publish('a', `${100 + at / 10} live`)
      if (at < 110) numbers.push(Number.parseInt(JSON.parse(String((await reader.message()).data)), 10))
    }
    expect(numbers).toEqual(Array.from({ length: 110 }, (_, at) => at))
    expect(hub.peers.size).toBe(1)
    await hub.close()
  })

  test('a reader that does not read its history is let go once too much was published meanwhile', async () => {
    const hub = createHub({ maxQueuedBytes: 200_000 })
    const start = await hub.publish('a', 'start')
    for (let at = 0; at < 20; at += 1) await hub.publish('a', 'x'.repeat(10_000))
    const reader = await join(hub, { channels: ['a'], lastEventId: start })
    for (let at = 0; at < 30; at += 1) await hub.publish('a', 'x'.repeat(10_000))
    expect((await reader.connection.closed).code).toBe(4008)
    await hub.close()
  })

  test('what is published while a gap is found out comes after it, and does not lie behind its position', async () => {
    const inner = memoryBroker()
    let answer: () => void = () => {}
    const asked = new Promise<void>((resolve) => {
      answer = resolve
    })
    const broker = {
      ...inner,
      async history(channels: readonly string[], after: string) {
        const history = await inner.history(channels, after)
        await asked
        return history
      },
    }
    const hub = createHub({ broker })
    await hub.publish('a', 1)
    const linking = join(hub, { channels: ['a'], lastEventId: 'other-1' })
    await new Promise((resolve) => setImmediate(resolve))
    const id = await hub.publish('a', 2)
    answer()
    const reader = await linking
    const gap = await reader.frame('gap')
    expect(gap.id).not.toBe(id)
    expect(await reader.message()).toMatchObject({ id })
    await hub.close()
  })

  test('what came while history was read does not follow what is newer, in a channel whose history ran out', async () => {
    const kept = memoryBroker({ messages: 1 })
    const broker = {
      ...kept,
      async history(channels: readonly string[], after: string) {
        for (const channel of ['a', 'a', 'b']) await kept.publish(channel, channel, '1')
        return kept.history(channels, after)
      },
    }
    const hub = createHub({ broker })
    const lastEventId = await kept.position()
    const reader = await join(hub, { channels: ['a', 'b'], lastEventId })
    expect(await reader.frame('gap')).toMatchObject({ gap: { reason: 'evicted', channels: ['a'] } })
    expect(await reader.message()).toMatchObject({ event: 'b' })
    const id = await hub.publish('a', 2)
    expect(await reader.message()).toMatchObject({ id })
    await hub.close()
  })

  /** A broker that counts how often its history is asked for. */
  function counting(inner = memoryBroker()) {
    const asked: string[] = []
    const broker: Broker = {
      ...inner,
      history(channels, after, page) {
        asked.push(after)
        return inner.history(channels, after, page)
      },
    }
    return { broker, asked }
  }

  test('all who come back at one time share one reading, until the next message is heard', async () => {
    const { broker, asked } = counting()
    const hub = createHub({ broker })
    const lastEventId = await hub.publish('a', 0)
    await hub.publish('a', 1)
    const back = () => join(hub, { channels: ['a'], lastEventId })
    const readers = await Promise.all(Array.from({ length: 50 }, back))
    expect(asked.length).toBe(1)
    await hub.publish('a', 2)
    readers.push(await back())
    expect(asked.length).toBe(2)
    for (const reader of readers) {
      expect([(await reader.message()).data, (await reader.message()).data]).toEqual(['1', '2'])
    }
    await hub.close()
  })

  test('what is heard while a shared reading is under way reaches those who joined before it and after it', async () => {
    const inner = memoryBroker()
    let answer: () => void = () => {}
    const asked = new Promise<void>((resolve) => {
      answer = resolve
    })
    const hub = createHub({
      broker: {
        ...inner,
        async history(channels, after, page) {
          const history = await inner.history(channels, after, page)
          await asked
          return history
        },
      },
    })
    const lastEventId = await hub.publish('a', 0)
    const before = link(hub, { channels: ['a'], lastEventId })
    await new Promise((resolve) => setImmediate(resolve))
    await hub.publish('a', 1)
    const after = link(hub, { channels: ['a'], lastEventId })
    await new Promise((resolve) => setImmediate(resolve))
    answer()
    for (const reader of [await before, await after]) {
      expect(await reader.message()).toMatchObject({ data: '1' })
    }
    await hub.publish('a', 2)
    for (const reader of [await before, await after]) {
      expect(await reader.message()).toMatchObject({ data: '2' })
    }
    await hub.close()
  })

  test('a reader that stands still in its replay has one page read for it, and not all of history', async () => {
    const { broker, asked } = counting(memoryBroker({ bytes: 64 * 1024 * 1024 }))
    const hub = createHub({ broker })
    const lastEventId = await hub.publish('a', 'start')
    for (let at = 0; at < 100; at += 1) await hub.publish('a', `${at} ${'x'.repeat(64 * 1024)}`)
    const reader = await join(hub, { channels: ['a'], lastEventId })
    await new Promise((resolve) => setImmediate(resolve))
    expect(asked.length).toBeLessThan(5)
    for (let at = 0; at < 100; at += 1) {
      expect(Number.parseInt(JSON.parse(String((await reader.message()).data)), 10)).toBe(at)
    }
    await hub.close()
  })

  test('what is evicted under a slow replay is one gap before what is newer, and the other channels go on', async () => {
    const hub = createHub({ history: { messages: 20 } })
    const lastEventId = await hub.publish('b', 'start')
    for (let at = 0; at < 20; at += 1) {
      await hub.publish('a', `a${at} ${'x'.repeat(32 * 1024)}`)
      if (at < 10) await hub.publish('b', `b${at} ${'x'.repeat(32 * 1024)}`)
    }
    const reader = await join(hub, { channels: ['a', 'b'], lastEventId })
    // The reader has taken its first page only.
    for (let at = 0; at < 25; at += 1) await hub.publish('a', `live${at}`)
    const heard: string[] = []
    const seen: string[] = []
    while (heard.at(-1) !== 'live24') {
      const frame = await reader.next()
      if (frame.type === 'gap') seen.push(`gap of ${frame.gap.channels} at "${frame.gap.reason}${frame.id}"`)
      if (frame.type === 'position') seen.push('position')
      if (frame.type !== 'message') continue
      heard.push(JSON.parse(String(frame.message.data)).split(' ')[0])
      if (seen.length === 1 && heard.at(-1)?.startsWith('a')) seen.push('a after its gap')
    }
    expect(seen).toEqual(['gap of a at "evicted"', 'position'])
    expect(heard.filter((name) => name.startsWith('b'))).toEqual(
      Array.from({ length: 10 }, (_, at) => `b${at}`),
    )
    expect(heard.filter((name) => name.startsWith('live'))).toEqual(
      Array.from({ length: 25 }, (_, at) => `live${at}`),
    )
    await hub.close()
  })

  test('where the broker fails, the peer is closed with a code that invites to come back', async () => {
    const errors: unknown[] = []
    const fault = new Error('the broker is gone')
    const broker = { ...memoryBroker(), history: () => Promise.reject(fault) }
    const hub = createHub({ broker, onError: (error) => errors.push(error) })
    const reader = await link(hub, { channels: ['a'], lastEventId: 'x' })
    expect((await reader.connection.closed).code).toBe(1011)
    await new Promise((resolve) => setImmediate(resolve))
    expect(errors).toEqual([fault])
    expect(hub.peers.size).toBe(0)
    await hub.close()
  })

  test('history is bounded by bytes and by age as well', async () => {
    const small = createHub({ history: { bytes: 10 } })
    const first = await small.publish('a', 'xxxx')
    for (const data of ['yyyy', 'zzzz']) await small.publish('a', data)
    const reader = await join(small, { channels: ['a'], lastEventId: first })
    expect(await reader.next()).toMatchObject({ type: 'gap', gap: { reason: 'evicted' } })
    await small.close()

    vi.useFakeTimers({ toFake: ['Date'] })
    const brief = createHub({ history: { ageMs: 1_000 } })
    const old = await brief.publish('a', 1)
    await brief.publish('a', 2)
    vi.advanceTimersByTime(1_001)
    expect(await (await join(brief, { channels: ['a'], lastEventId: old })).next()).toMatchObject({
      type: 'gap',
    })
    await brief.close()
  })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('one peer', () => {
  test('hears what is sent to it alone, with its own ids', async () => {
    const hub = createHub({ format: 'text' })
    hub.onConnect((peer) => peer.send('message', 'Message 1', { id: 'message_id_1', retryMs: 15_000 }))
    const reader = await join(hub)
    expect(await reader.next()).toEqual({ type: 'retry', retryMs: 15_000 })
    expect(await reader.message()).toEqual(createMessage('message', 'Message 1', 'message_id_1'))
    await hub.close()
  })

  test('knows its URL, channels, headers, position and direction', async () => {
    const hub = createHub()
    await join(hub, { channels: ['a', 'b', 'a'], lastEventId: 'x', direction: 'two-way' })
    const peer = onePeer(hub)
    expect(peer.direction).toBe('two-way')
    expect(peer.url.pathname).toBe('/live')
    expect([...peer.channels]).toEqual(['a', 'b'])
    expect(peer.lastEventId).toBe('x')
    expect(peer.headers).toBeInstanceOf(Headers)
    expect(peer.bytesWritten).toBeGreaterThan(0)
    await hub.close()
  })

  test.each([
    ['an event that forges a field', 'a\nid: 7', 1, {}, '`event` must not contain CR, LF or NUL'],
    [
      'an id that forges a field',
      'a',
      1,
      { id: '1\ndata: x' },
      '`id` must be 1 to 128 printable ASCII characters',
    ],
    ['a wait that is none', 'a', 1, { retryMs: 1.5 }, '`retryMs` must be a whole number from 0 to 300000'],
    ['a wait that overflows timers', 'a', 1, { retryMs: 4_294_967_297 }, '`retryMs` must be'],
    ['data without a form', 'a', undefined, {}, 'undefined cannot be written as JSON'],
  ])('%s is refused', async (_, event, data, options, message) => {
    const hub = createHub()
    await join(hub)
    await expect(onePeer(hub).send(event, data, options)).rejects.toThrow(TypeError)
    await expect(onePeer(hub).send(event, data, options)).rejects.toThrow(message)
    await hub.close()
  })

  test('ids of its own are refused where it follows channels, whose ids mark its position', async () => {
    const hub = createHub()
    await join(hub, { channels: ['a'] })
    await expect(onePeer(hub).send('x', 1, { id: '1' })).rejects.toThrow(
      '`id` is for peers without channels; this one follows 1',
    )
    await hub.close()
  })

  test('that leaves aborts its signal, and is forgotten', async () => {
    const hub = createHub()
    const { connection } = await join(hub, { channels: ['a'] })
    const peer = onePeer(hub)
    expect(peer.signal.aborted).toBe(false)
    connection.close({ code: 4001, reason: 'gone' })
    expect(await peer.closed).toEqual({ code: 4001, reason: 'gone' })
    expect(peer.signal.aborted).toBe(true)
    expect(hub.peers.size).toBe(0)
    await peer.send('x', 1)
    await hub.close()
  })

  test('that does not read is let go at its limit, and may come back; the others notice nothing', async () => {
    const hub = createHub({ maxQueuedBytes: 10_000 })
    const [slow, brisk] = [await link(hub, { channels: ['a'] }), await join(hub, { channels: ['a'] })]
    const heard = []
    for (let at = 0; at < 30; at += 1) {
      await hub.publish('a', 'x'.repeat(1_000))
      heard.push(await brisk.message())
    }
    expect(await slow.connection.closed).toEqual({
      code: 4008,
      reason: 'more than 10000 bytes wait to be read',
    })
    expect(heard.length).toBe(30)
    expect(hub.peers.size).toBe(1)
    await hub.close()
  })

  test('that does not read a conflated channel gets the newest of each event, and is not let go', async () => {
    const hub = createHub({ slow: 'conflate', maxQueuedBytes: 200_000 })
    const [slow, brisk] = [
      await join(hub, { channels: ['prices'] }),
      await join(hub, { channels: ['prices'] }),
    ]
    const pad = 'x'.repeat(1_000)
    const heard: unknown[] = []
    for (let at = 0; at < 1_000; at += 1) {
      await hub.publish('prices', { at, pad }, { event: at % 2 === 0 ? 'EURUSD' : 'GBPUSD' })
      heard.push(JSON.parse(String((await brisk.message()).data)).at)
    }
    expect(heard).toEqual(Array.from({ length: 1_000 }, (_, at) => at))
    const seen: number[] = []
    while (seen.at(-1) !== 999) seen.push(JSON.parse(String((await slow.message()).data)).at)
    expect(seen.length).toBeLessThan(100)
    expect(seen.slice(-2)).toEqual([998, 999])
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(hub.peers.size).toBe(2)
    await hub.close()
  })

  test('that does not read a channel which drops its oldest is told a gap before what follows', async () => {
    const hub = createHub({
      slow: (channel) => (channel === 'log' ? 'drop-oldest' : 'disconnect'),
      maxQueuedBytes: 100_000,
    })
    const slow = await join(hub, { channels: ['log', 'other'] })
    const pad = 'x'.repeat(1_000)
    for (let at = 0; at < 1_000; at += 1) await hub.publish('log', { at, pad })
    const seen: (number | string)[] = []
    while (seen.at(-1) !== 999) {
      const frame = await slow.next()
      if (frame.type === 'message') seen.push(JSON.parse(String(frame.message.data)).at)
      if (frame.type === 'gap') seen.push(`${frame.gap.reason} ${frame.gap.channels} ${frame.id}`)
    }
    const gap = seen.indexOf('slow log ')
    expect(gap).toBeGreaterThan(0)
    expect(seen.slice(0, gap)).toEqual(Array.from({ length: gap }, (_, at) => at))
    const rest = seen.slice(gap + 1)
    expect(rest).toEqual(Array.from({ length: rest.length }, (_, at) => 1_000 - rest.length + at))
    await hub.close()
  })

  test('is not slow because of one large message', async () => {
    const hub = createHub({ maxQueuedBytes: 10_000 })
    const reader = await join(hub, { channels: ['a'] })
    await hub.publish('a', 'x'.repeat(500_000))
    expect((await reader.message()).data).toHaveLength(500_002)
    expect(hub.peers.size).toBe(1)
    await hub.close()
  })

  test('a fast stream that awaits its sends goes at the pace of the reader', async () => {
    const hub = createHub({ format: 'text' })
    let sent = 0
    const done = new Promise<void>((resolve) => {
      hub.onConnect(async (peer) => {
        for (let at = 0; at < 100; at += 1) {
          await peer.send('chunk', 'x'.repeat(50_000))
          sent += 1
        }
        peer.close()
        resolve()
      })
    })
    const reader = await join(hub)
    await reader.message()
    expect(sent).toBeLessThan(10)
    let read = 1
    for (; read < 100; read += 1) await reader.message()
    await done
    expect(await reader.connection.closed).toEqual({ code: 1000, reason: '' })
    await hub.close()
  })
})

describe('messages of peers', () => {
  test('are heard decoded, one after the other, and can be answered', async () => {
    const hub = createHub()
    const order: string[] = []
    hub.onMessage(async ({ event, data }, peer) => {
      order.push(`begin ${data}`)
      await Promise.resolve()
      order.push(`end ${data}`)
      await peer.send(event, data)
    })
    const { connection, message } = await join(hub, { direction: 'two-way' })
    if (connection.direction !== 'two-way') throw new Error('one-way')
    await connection.send(createMessage('echo', '1'))
    await connection.send(createMessage('echo', '2'))
    expect([(await message()).data, (await message()).data]).toEqual(['1', '2'])
    expect(order).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2'])
    await hub.close()
  })

  test('that are not of the format end the peer with 1007, and the others go on', async () => {
    const hub = createHub()
    hub.onMessage((message, peer) => peer.send('echo', message.data))
    const [bad, good] = [await join(hub, { direction: 'two-way' }), await join(hub, { direction: 'two-way' })]
    if (bad.connection.direction !== 'two-way' || good.connection.direction !== 'two-way')
      throw new Error('one-way')
    await bad.connection.send(createMessage('x', '{'))
    expect((await bad.connection.closed).code).toBe(1007)
    await good.connection.send(createMessage('x', '1'))
    expect((await good.message()).data).toBe('1')
    await hub.close()
  })

  test('a peer is greeted before its messages are heard', async () => {
    const hub = createHub()
    const order: string[] = []
    hub.onConnect(() => order.push('connect'))
    const heard = new Promise<void>((resolve) => {
      hub.onMessage(() => {
        order.push('message')
        resolve()
      })
    })
    const { connection } = await link(hub, { direction: 'two-way', channels: ['a'], lastEventId: 'x' })
    if (connection.direction !== 'two-way') throw new Error('one-way')
    await connection.send(createMessage('x', '1'))
    await heard
    expect(order).toEqual(['connect', 'message'])
    await hub.close()
  })

  test('an `onError` that fails itself ends nothing', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    const hub = createHub({
      onError() {
        throw new Error('twice')
      },
    })
    hub.onMessage(({ data }, peer) => {
      void peer.send('echo', data)
      throw new Error('once')
    })
    const { connection, message } = await join(hub, { direction: 'two-way' })
    if (connection.direction !== 'two-way') throw new Error('one-way')
    await connection.send(createMessage('x', '1'))
    await connection.send(createMessage('x', '2'))
    expect([(await message()).data, (await message()).data]).toEqual(['1', '2'])
    expect(logged).toHaveBeenCalledWith(expect.objectContaining({ message: 'twice' }))
    logged.mockRestore()
    await hub.close()
  })

  test('a handler that fails is told, and the peer lives on', async () => {
    const errors: unknown[] = []
    const hub = createHub({ onError: (error) => errors.push(error) })
    const fault = new Error('mine')
    hub.onMessage(({ data }) => {
      if (data === 1) throw fault
    })
    hub.onMessage(({ data }, peer) => peer.send('echo', data))
    const { connection, message } = await join(hub, { direction: 'two-way' })
    if (connection.direction !== 'two-way') throw new Error('one-way')
    await connection.send(createMessage('x', '1'))
    expect((await message()).data).toBe('1')
    expect(errors).toEqual([fault])
    await hub.close()
  })

  test('a message that nobody hears is told once, and the peer lives on', async () => {
    const errors: unknown[] = []
    const hub = createHub({ onError: (error) => errors.push(error) })
    const { connection, message } = await join(hub, { direction: 'two-way' })
    if (connection.direction !== 'two-way') throw new Error('one-way')
    await connection.send(createMessage('chat', '1'))
    await connection.send(createMessage('chat', '2'))
    await vi.waitFor(() => expect(hub.stats().received).toBe(2))
    expect(errors.map(String)).toEqual([expect.stringMatching(/event "chat".* no `onMessage` handler/)])
    hub.onMessage(({ data }, peer) => peer.send('echo', data))
    await connection.send(createMessage('chat', '3'))
    expect((await message()).data).toBe('3')
    expect(errors).toHaveLength(1)
    await hub.close()
  })

  test('what history keeps is not set beside a broker, which would not know of it', () => {
    const setBoth = () => createHub({ broker: memoryBroker(), history: { messages: 5 } })
    expect(setBoth).toThrow(
      new TypeError(
        "`history` is what the hub's own broker keeps, and `broker` is another: give it to that one",
      ),
    )
  })

  test('handlers can be taken off', async () => {
    const hub = createHub()
    const heard: string[] = []
    const off = hub.onConnect(() => heard.push('taken off'))
    hub.onConnect(() => heard.push('stays'))
    off()
    await join(hub)
    expect(heard).toEqual(['stays'])
    await hub.close()
  })

  test('work that ends with its peer by abort is no error; any other failure is', async () => {
    const errors: unknown[] = []
    const hub = createHub({ onError: (error) => errors.push(error) })
    const started = new Promise<void>((resolve) => {
      hub.onConnect(async (peer) => {
        resolve()
        await new Promise((_, reject) => {
          peer.signal.addEventListener('abort', () => reject(new DOMException('stop', 'AbortError')))
        })
      })
    })
    const fault = new Error('mine')
    hub.onConnect(async () => {
      throw fault
    })
    const { connection } = await join(hub)
    await started
    connection.close()
    await connection.closed
    await new Promise((resolve) => setImmediate(resolve))
    expect(errors).toEqual([fault])
    await hub.close()
  })
})

describe('closing the hub', () => {
  test('closes every peer with a reason that invites to come back, and refuses new ones', async () => {
    const hub = createHub()
    const readers = await Promise.all([join(hub), join(hub, { direction: 'two-way' })])
    await hub.close()
    for (const { connection } of readers) {
      expect(await connection.closed).toEqual({ code: 1001, reason: 'the server goes away' })
    }
    expect(hub.peers.size).toBe(0)
    expect((await (await link(hub)).connection.closed).code).toBe(1001)
    await hub.close()
  })

  test('may be the handler of a signal as it is', async () => {
    const hub = createHub()
    const reader = await join(hub)
    await (hub.close as (name: string, number: number) => Promise<void>)('SIGTERM', 15)
    expect((await reader.connection.closed).code).toBe(1001)
  })

  test('over a time spreads the closes, says when to come back, and delivers to whoever is left', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const hub = createHub()
    const readers = await Promise.all(Array.from({ length: 11 }, () => join(hub, { channels: ['a'] })))
    const closing = hub.close({ drainMs: 1_000, retryMs: 3_000 })
    const left: number[] = []
    for (let at = 0; at <= 10; at += 1) {
      left.push(hub.peers.size)
      vi.advanceTimersByTime(100)
      await Promise.resolve()
      if (at === 4) await hub.publish('a', 'meanwhile')
    }
    await closing
    expect(hub.peers.size).toBe(0)
    // One after the other, with no gap of more than two steps of the timer.
    for (const [at, size] of left.entries())
      expect(Math.abs(size - (11 - at)), `after ${at * 100} ms`).toBeLessThanOrEqual(1)
    const [first, last] = [readers[0], readers[10]]
    expect(await first?.next()).toEqual({ type: 'retry', retryMs: 3_000 })
    expect(await last?.message()).toMatchObject({ data: '"meanwhile"' })
    expect(await last?.connection.closed).toEqual({ code: 1012, reason: 'the server goes away' })
    await expect(hub.publish('a', 1)).rejects.toThrow('the hub is closed')
  })

  test('a second call ends a drain at once', async () => {
    const hub = createHub()
    const readers = await Promise.all(Array.from({ length: 5 }, () => join(hub)))
    const closing = hub.close({ drainMs: 600_000 })
    expect((await (await link(hub)).connection.closed).code).toBe(1012)
    await hub.close()
    await closing
    for (const { connection } of readers) expect((await connection.closed).code).toBe(1012)
  })

  test.each([
    ['a code that may not be sent', { code: 1006 }, "a close's `code` must be"],
    ['a drain without end', { drainMs: Number.POSITIVE_INFINITY }, '`drainMs` must be'],
    ['a wait that is none', { retryMs: -1 }, '`retryMs` must be'],
    [
      'a word that it does not know',
      { drainMS: 20_000 } as object,
      '`close` has no option "drainMS"; it has `code`',
    ],
  ])('with %s is refused, and the hub lives on', async (_, options, message) => {
    const hub = createHub()
    await expect(hub.close(options)).rejects.toThrow(message)
    await hub.publish('a', 1)
    await hub.close()
  })

  test('ends its heartbeats', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const hub = createHub({ heartbeatMs: 5_000 })
    const reader = await join(hub)
    vi.advanceTimersByTime(5_000)
    expect(await reader.next()).toEqual({ type: 'heartbeat' })
    await hub.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})

test.each([
  ['retryMs', -1],
  ['retryMs', 300_001],
  ['heartbeatMs', -1],
  ['heartbeatMs', 1.5],
  ['maxQueuedBytes', 0],
  ['maxMessageBytes', Number.NaN],
  ['format', 'yaml'],
  ['slow', 'wait'],
  ['authorize', true],
  ['authorizeChannel', ['news']],
])('a hub with %s %s is refused', (name, value) => {
  expect(() => createHub({ [name]: value })).toThrow(TypeError)
  expect(() => createHub({ [name]: value })).toThrow(`\`${name}\` must be`)
})

test('what a peer that has gone missed is not made into chunks for nobody', async () => {
  const hub = createHub({ history: { messages: 100_000, bytes: 64 * 1024 * 1024 } })
  for (let count = 0; count < 200; count += 1) await hub.publish('a', 'x'.repeat(64 * 1024))
  const first = await link(hub, { channels: ['a'] })
  const hello = await first.frame('hello')
  const epoch = hello.id.split('-')[0]
  let writes = 0
  let end: (close: { code: number; reason: string }) => void = () => undefined
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    end = resolve
  })
  hub.accept({
    url: new URL('http://test/live?channel=a'),
    headers: new Headers(),
    token: undefined,
    remote: undefined,
    channels: ['a'],
    lastEventId: `${epoch}-1`,
    direction: 'one-way',
    encoder: { encode: (frame) => (frame.type === 'message' ? String(frame.message.data) : frame.type) },
    bytesWritten: 0,
    queuedBytes: 0,
    closed,
    close: (close = { code: 1000, reason: '' }) => end(close),
    drained: () => Promise.resolve(),
    write() {
      writes += 1
      // Gone right after the greeting.
      if (writes === 2) end({ code: 1006, reason: 'gone' })
      return 0
    },
  })
  await closed
  // Behind every promise that the end has led to.
  await new Promise((resolve) => setImmediate(resolve))
  expect(writes).toBeLessThan(10)
  await hub.close()
})

test('a connection that was answered already and finds no place is told how long to stay away', async () => {
  const hub = createHub({ maxConnections: 1 })
  await join(hub)
  const { connection, next } = await link(hub)
  expect(await next()).toEqual({ type: 'retry', retryMs: 5000 })
  expect(await connection.closed).toMatchObject({ code: 4103 })
  await hub.close()
})

test('a handler that is no function is refused where it is given', () => {
  const hub = createHub()
  expect(() => hub.onConnect(undefined as never)).toThrow('`handler` must be a function, got undefined')
  // As other libraries have it, with the event before the handler.
  expect(() => hub.onMessage('chat' as never)).toThrow('`handler` must be a function, got "chat"')
  expect(() => hub.onRequest('book', undefined as never)).toThrow(
    '`handler` must be a function, got undefined',
  )
  expect(() => createHub({ onError: 'log' as never })).toThrow('`onError` must be a function, got "log"')
})

test('a setting of one call that is misspelt is refused, and nothing is done', async () => {
  const hub = createHub()
  const reader = await join(hub)
  await expect(hub.publish('a', 1, { evnt: 'b' } as never)).rejects.toThrow('`publish` has no option "evnt"')
  const sent = onePeer(hub).send('a', 1, { ID: '1' } as never)
  await expect(sent).rejects.toThrow('`send` has no option "ID"; it has `id`, `retryMs`')
  await onePeer(hub).send('b', 2)
  expect(await reader.message()).toMatchObject({ event: 'b' })
  await hub.close()
})
