import type { Broker } from '../broker.ts'
import { checkId, type Message } from '../message.ts'
import { relayChecks } from './relay-checks.ts'
import { assert, assertEqual, seeded, type TestFunction, within } from './suite.ts'

/** A broker, made anew for each test, that keeps the last ten messages of each channel. */
export interface BrokerSetup {
  readonly broker: Broker
  /** A position of an earlier life, before all was lost. */
  readonly formerPosition: string
  /** The same as another node has it: a second one over the same store. @defaultValue `broker`, where nodes share it */
  readonly neighbour?: Broker
  close(): Promise<void>
}

/** What {@link brokerSuite} is told. */
export interface BrokerSuite {
  readonly test: TestFunction
  /** @param kept - how many messages of each channel the broker is to keep. */
  setup(kept: number): Promise<BrokerSetup>
  /** Whether it has a relay. @defaultValue true */
  readonly relay?: boolean
}

const kept = 10

/** Holds a broker to what it promises: one order for all, nothing lost within history, and every loss told. */
export function brokerSuite({ test, setup, relay = true }: BrokerSuite): void {
  function check(name: string, run: (setup: BrokerSetup) => Promise<void>): void {
    test(name, async () => {
      const given = await setup(kept)
      try {
        await run(given)
      } finally {
        await within(given.close(), 'closing the broker')
      }
    })
  }

  check('ids may go in a header, and no two are alike', async ({ broker }) => {
    const ids = await publish(broker, ['a', 'b', 'a', 'b'])
    for (const id of ids) checkId(id)
    assertEqual(new Set(ids).size, ids.length, 'distinct ids')
  })

  check('the position before the first message is one that can be resumed', async ({ broker }) => {
    const start = await broker.position()
    const ids = await publish(broker, ['a', 'b'])
    assertEqual(idsOf(await broker.history(['a', 'b'], start)), ids, 'what followed')
  })

  check(
    'ids and positions are ordered, over all channels and nodes',
    async ({ broker, neighbour = broker }) => {
      const start = await broker.position()
      const ids = [start]
      for (const channel of ['a', 'b', 'a', 'c']) {
        ids.push(await (ids.length % 2 === 0 ? broker : neighbour).publish(channel, channel, 'x'))
      }
      for (const [at, id] of ids.entries()) {
        for (const [than, other] of ids.entries()) {
          assertEqual(broker.isAfter(id, other), at > than, `whether ${id} comes after ${other}`)
        }
      }
    },
  )

  check('the position is that of the newest message', async ({ broker }) => {
    const ids = await publish(broker, ['a', 'b', 'c'])
    assertEqual(await broker.position(), ids.at(-1), 'the position')
    const position = await broker.position()
    assertEqual(await broker.history(['a', 'b', 'c'], position), { messages: [], position }, 'what followed')
  })

  check('history gives back what followed, with its event and data, text and bytes', async ({ broker }) => {
    const start = await broker.position()
    const id = await broker.publish('a', 'tick', 'ü\n')
    const other = await broker.publish('a', 'bytes', Uint8Array.of(0, 10, 255))
    assertEqual(
      await broker.history(['a'], start),
      {
        messages: [
          { id, event: 'tick', data: 'ü\n' },
          { id: other, event: 'bytes', data: Uint8Array.of(0, 10, 255) },
        ],
        position: other,
      },
      'what followed',
    )
  })

  check('several channels are replayed in their common order, and no others', async ({ broker }) => {
    const [first, , third, fourth, , sixth] = await publish(broker, ['a', 'x', 'b', 'a', 'x', 'b'])
    assertEqual(idsOf(await broker.history(['b', 'a'], first ?? '')), [third, fourth, sixth], 'what followed')
  })

  check('names that look alike when joined are channels of their own', async ({ broker }) => {
    const start = await broker.position()
    const names = ['a', 'a:b', 'b', 'a,b', '__proto__', 'constructor', 'A', ' a', '{a}', 'a*']
    for (const name of names) await broker.publish(name, name, name)
    for (const name of names) {
      const { messages } = await broker.history([name], start)
      assertEqual(
        messages.map(({ data }) => data),
        [name],
        `what followed in ${JSON.stringify(name)}`,
      )
    }
  })

  check('exactly what is kept is replayed without a gap, one more is a gap', async ({ broker }) => {
    const ids = await publish(
      broker,
      Array.from({ length: kept + 2 }, () => 'a'),
    )
    assertEqual(
      idsOf(await broker.history(['a'], ids[1] ?? '')),
      ids.slice(2),
      'from the oldest that is complete',
    )
    assertEqual(
      await broker.history(['a'], ids[0] ?? ''),
      { messages: [], gap: { reason: 'evicted', channels: ['a'] }, position: ids.at(-1) },
      'from one before',
    )
  })

  check('a channel of a gap is not replayed in part; the others are replayed', async ({ broker }) => {
    const start = await broker.position()
    const [quiet] = await publish(broker, ['b'])
    await publish(
      broker,
      Array.from({ length: kept + 1 }, () => 'a'),
    )
    const { messages, gap } = await broker.history(['a', 'b'], start)
    assertEqual(gap, { reason: 'evicted', channels: ['a'] }, 'the gap')
    assertEqual(
      messages.map(({ id }) => id),
      [quiet],
      'what followed in the other',
    )
  })

  check('what a channel lost before the position is no gap', async ({ broker }) => {
    await publish(
      broker,
      Array.from({ length: kept + 5 }, () => 'a'),
    )
    const position = await broker.position()
    assertEqual(
      await broker.history(['a', 'never used'], position),
      { messages: [], position },
      'what followed',
    )
  })

  check('an id of an earlier life is a gap', async ({ broker, formerPosition }) => {
    const [position] = await publish(broker, ['a'])
    assertEqual(
      await broker.history(['a', 'b'], formerPosition),
      { messages: [], gap: { reason: 'epoch', channels: ['a', 'b'] }, position },
      'what followed',
    )
  })

  check('an id that was never given is a gap, never all of history', async ({ broker }) => {
    const [id = ''] = await publish(broker, ['a'])
    const forged = [
      '',
      '0',
      'x',
      '-1',
      '__proto__',
      `${id}0000`,
      `${id}x`,
      ` ${id}`,
      `${id.toUpperCase()}!`,
      '9'.repeat(100),
      id.replace(/[0-9]+$/, '-5'),
    ]
    for (const after of forged) {
      const { messages, gap } = await broker.history(['a'], after)
      assertEqual(messages, [], `what followed ${JSON.stringify(after)}`)
      assert(
        gap?.reason === 'unknown' || gap?.reason === 'epoch',
        `${JSON.stringify(after)} is a gap, got ${gap?.reason}`,
      )
      assertEqual(gap.channels, ['a'], 'the channels concerned')
    }
  })

  check(
    'read in pages, history is what it is when read at once, up to where the first page said',
    async ({ broker }) => {
      const start = await broker.position()
      await publish(broker, ['a', 'b', 'a', 'x', 'b', 'a'])
      const whole = await broker.history(['a', 'b'], start)
      const read: string[] = []
      let page = await broker.history(['a', 'b'], start, { maxBytes: 1 })
      const { position } = page
      assertEqual(position, whole.position, 'where the reading ends')
      for (;;) {
        read.push(...idsOf(page))
        assertEqual(page.position, position, 'where the reading ends, told again')
        if (page.next === undefined) break
        assertEqual(page.messages.length, 1, 'messages in a page of one byte')
        assertEqual(page.next, page.messages[0]?.id, 'where the next page begins')
        // What is published meanwhile is not part of it.
        await broker.publish('b', 'e', 'later')
        page = await broker.history(['a', 'b'], page.next, { maxBytes: 1, until: position })
      }
      assertEqual(read, idsOf(whole), 'all pages together')
    },
  )

  check('a page takes as many messages as its bytes say, and no bound takes all', async ({ broker }) => {
    const start = await broker.position()
    for (let count = 0; count < 8; count += 1) await broker.publish('a', 'e', 'x'.repeat(1000))
    const { messages, next } = await broker.history(['a'], start, { maxBytes: 3000 })
    assert(messages.length > 1 && messages.length < 5, `a page of 3000 bytes, got ${messages.length} of 1000`)
    assertEqual(next, messages.at(-1)?.id, 'where the next page begins')
    assertEqual(
      (await broker.history(['a'], start, { maxBytes: 100_000 })).messages.length,
      8,
      'with room for all',
    )
  })

  check('what is evicted between two pages is a gap in the second', async ({ broker }) => {
    const start = await broker.position()
    await publish(broker, ['a', 'b', 'a', 'b'])
    const { next = '', position } = await broker.history(['a', 'b'], start, { maxBytes: 1 })
    const names = Array.from({ length: kept + 1 }, () => 'a')
    await publish(broker, names)
    const { messages, gap } = await broker.history(['a', 'b'], next, { maxBytes: 10_000, until: position })
    assertEqual(gap, { reason: 'evicted', channels: ['a'] }, 'the gap')
    assertEqual(messages.length, 2, 'messages of the other channel')
  })

  check('every subscriber hears every message in order, until it is undone', async ({ broker }) => {
    const heard: [string, Message][][] = [[], []]
    const undo = heard.map((list) => broker.subscribe((channel, message) => list.push([channel, message])))
    const ids = await publish(broker, ['a', 'b'])
    await eventually(() => heard.every((list) => list.length === 2), 'both to have heard both')
    undo[0]?.()
    const [last] = await publish(broker, ['a'])
    await eventually(() => heard[1]?.length === 3, 'the other to have heard the third')
    assertEqual(
      heard[0]?.map(([channel, { id }]) => [channel, id]),
      [
        ['a', ids[0]],
        ['b', ids[1]],
      ],
      'the first',
    )
    assertEqual(
      heard[1]?.map(([, { id }]) => id),
      [...ids, last],
      'the other',
    )
  })

  check('publishes that are not awaited keep their order', async ({ broker }) => {
    const heard: string[] = []
    broker.subscribe((_, { data }) => heard.push(String(data)))
    const start = await broker.position()
    const data = Array.from({ length: kept }, (_, at) => `message ${at}`)
    await Promise.all(data.map((text) => broker.publish('a', 'e', text)))
    await eventually(() => heard.length === kept, 'all to be heard')
    assertEqual(heard, data, 'what was heard')
    assertEqual(
      (await broker.history(['a'], start)).messages.map((message) => message.data),
      data,
      'what followed',
    )
  })

  check(
    'of a burst exactly what is kept is replayed, from any of its ids, at once and in pages',
    async ({ broker }) => {
      const names = Array.from({ length: 3 * kept }, (_, at) => (at % 3 === 0 ? 'b' : 'a'))
      const ids = await Promise.all(names.map((name, at) => broker.publish(name, 'e', `${at}`)))
      for (const [at, after] of ids.entries()) {
        const following = ids.filter((_, other) => other > at && names[other] === 'a')
        const { messages, gap, position } = await broker.history(['a'], after)
        const isLost = following.length > kept
        assertEqual(gap?.reason, isLost ? 'evicted' : undefined, `a gap after number ${at}`)
        assertEqual(
          messages.map(({ id }) => id),
          isLost ? [] : following,
          `what followed number ${at}`,
        )
        const page = await broker.history(['a'], after, { maxBytes: 1, until: ids[at + 2] ?? position })
        const upTo = following.filter((id) => ids.indexOf(id) <= at + 2)
        assertEqual(
          page.messages.map(({ id }) => id),
          isLost ? [] : upTo.slice(0, 1),
          `a page after number ${at}`,
        )
      }
    },
  )

  check(
    'from any position, replay and what is heard later make the whole, without hole or repeat (seeded)',
    async ({ broker, neighbour = broker }) => {
      const random = seeded(5)
      const channels = ['a', 'b', 'c']
      const published: { channel: string; id: string }[] = []
      broker.subscribe((channel, { id }) => published.push({ channel, id }))
      const start = await broker.position()
      for (let round = 0; round < 30; round += 1) {
        const node = round % 2 === 0 ? broker : neighbour
        const publishing = node.publish(channels[Math.floor(random() * 3)] ?? 'a', 'e', String(round))
        const position =
          round % 3 === 0 ? await broker.position() : (await broker.history(channels, start)).position
        assert(
          !broker.isAfter(position, published.at(-1)?.id ?? start),
          `${position} was told before what lies before it was heard`,
        )
        await publishing
      }
      await eventually(() => published.length === 30, 'all to be heard')
      for (const at of [-1, ...published.keys()]) {
        const after = published[at]?.id ?? start
        const { messages, gap } = await broker.history(channels, after)
        const lost = new Set(gap?.channels)
        const expected = published.slice(at + 1).filter(({ channel }) => !lost.has(channel))
        assertEqual(
          messages.map(({ id }) => id),
          expected.map(({ id }) => id),
          `what followed number ${at}`,
        )
        for (const channel of channels) {
          const missed = published.slice(at + 1).filter((one) => one.channel === channel).length
          assertEqual(
            lost.has(channel),
            missed > kept,
            `a gap in ${channel} after number ${at}, with ${missed} missed`,
          )
        }
      }
    },
  )

  if (relay) {
    relayChecks((name, run) => check(name, ({ broker, neighbour = broker }) => run(broker, neighbour)))
  }
}

async function publish(broker: Broker, channels: readonly string[]): Promise<string[]> {
  const ids: string[] = []
  for (const [at, channel] of channels.entries())
    ids.push(await broker.publish(channel, channel, `message ${at}`))
  return ids
}

const idsOf = ({ messages, gap }: Awaited<ReturnType<Broker['history']>>): string[] => {
  assertEqual(gap, undefined, 'no gap')
  return messages.map(({ id }) => id)
}

/** A broker over a network spreads later than it stores. */
async function eventually(holds: () => boolean, what: string): Promise<void> {
  await within(
    (async () => {
      while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1))
    })(),
    what,
  )
}
