import { createMessage, type Encoder } from '@eitherway/core'
import { expect, test, vi } from 'vitest'
import { type Batch, createOutgoing, type Follower } from '../src/outgoing.ts'

const joining: Encoder = {
  encode: (frame) => (frame.type === 'message' ? `${frame.message.data} ` : ''),
  join: (chunks) => chunks.join(''),
}
const single: Encoder = { encode: joining.encode }

/** Followers of channels, and the writes that each of them saw. */
function createBench(following: Readonly<Record<string, readonly string[]>>, encoder = joining) {
  const writes: Record<string, string[]> = {}
  const followers = new Map<string, Set<Follower>>()
  for (const [name, channels] of Object.entries(following)) {
    const seen: string[] = []
    writes[name] = seen
    const follower: Follower = {
      marks: 0,
      take: (batch: Batch) => void seen.push(...batch.chunksFor(encoder).map(String)),
    }
    for (const channel of channels) {
      followers.set(channel, (followers.get(channel) ?? new Set()).add(follower))
    }
  }
  const outgoing = createOutgoing((channel) => followers.get(channel))
  let number = 0
  const publish = (channel: string, data: string) => {
    number += 1
    outgoing.add(channel, createMessage('event', data, `e-${number}`), 'disconnect')
  }
  return { outgoing, publish, writes }
}

/** When all that this turn has led to is done. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('what one turn publishes leaves at its end, in one write for each follower', async () => {
  const { publish, writes } = createBench({ one: ['a'], two: ['a'] })
  publish('a', '1')
  publish('a', '2')
  expect(writes).toEqual({ one: [], two: [] })
  await nextTurn()
  expect(writes).toEqual({ one: ['1 2 '], two: ['1 2 '] })
})

test('whoever awaits each publish of a burst has one write as well', async () => {
  const { publish, writes } = createBench({ one: ['a'] })
  for (const data of ['1', '2', '3']) {
    publish('a', data)
    await Promise.resolve()
  }
  await nextTurn()
  expect(writes['one']).toEqual(['1 2 3 '])
})

test('each turn leaves by itself', async () => {
  const { publish, writes } = createBench({ one: ['a'] })
  publish('a', '1')
  await nextTurn()
  publish('a', '2')
  await nextTurn()
  expect(writes['one']).toEqual(['1 ', '2 '])
})

test('a follower of several channels hears them in the order in which they were published', async () => {
  const { publish, writes } = createBench({ all: ['a', 'b', 'c'], some: ['c', 'a'], one: ['b'], none: [] })
  for (const [at, channel] of ['b', 'a', 'c', 'a', 'b'].entries()) publish(channel, `${channel}${at}`)
  await nextTurn()
  expect(writes).toEqual({ all: ['b0 a1 c2 a3 b4 '], some: ['a1 c2 a3 '], one: ['b0 b4 '], none: [] })
})

test('a wire that needs a write for each frame gets one', async () => {
  const { publish, writes } = createBench({ one: ['a'] }, single)
  publish('a', '1')
  publish('a', '2')
  await nextTurn()
  expect(writes['one']).toEqual(['1 ', '2 '])
})

test('a turn of more channels than fit leaves in several writes, in order', async () => {
  const names = Array.from({ length: 100 }, (_, at) => `channel-${at}`)
  const { publish, writes } = createBench({ all: names, last: names.slice(-1) })
  for (const name of names) publish(name, name)
  for (const name of names) publish(name, name)
  await nextTurn()
  expect(writes['all']?.join('')).toBe([...names, ...names].map((name) => `${name} `).join(''))
  expect(writes['last']?.join('')).toBe('channel-99 channel-99 ')
})

test('what is asked for at once leaves at once, and not again', async () => {
  const { outgoing, publish, writes } = createBench({ one: ['a'] })
  publish('a', '1')
  outgoing.flush()
  expect(writes['one']).toEqual(['1 '])
  publish('a', '2')
  await nextTurn()
  outgoing.flush()
  expect(writes['one']).toEqual(['1 ', '2 '])
})

test('much leaves before the end of the turn', () => {
  const { publish, writes } = createBench({ one: ['a'] })
  publish('a', 'x'.repeat(140_000))
  expect(writes['one']).toEqual([])
  publish('a', 'x'.repeat(140_000))
  expect(writes['one']?.join('').length).toBe(280_002)
})

test('is encoded once for all followers, and not at all where there is none', async () => {
  const encode = vi.fn(joining.encode)
  const { publish } = createBench({ one: ['a'], two: ['a', 'b'], three: ['b', 'a'] }, { ...joining, encode })
  publish('a', '1')
  publish('b', '2')
  publish('nobody', '3')
  await nextTurn()
  expect(encode).toHaveBeenCalledTimes(2)
})

test('what a wire publishes while it is written to comes after, for every follower', async () => {
  const seen: Record<string, string[]> = { one: [], two: [] }
  const followers = new Set<Follower>()
  const outgoing = createOutgoing(() => followers)
  const publish = (data: string) => outgoing.add('a', createMessage('event', data, `e-${data}`), 'disconnect')
  for (const name of ['one', 'two']) {
    followers.add({
      marks: 0,
      take(batch) {
        seen[name]?.push(...batch.chunksFor(joining).map(String))
        if (name === 'one' && seen['one']?.length === 1) {
          publish('2')
          outgoing.flush()
        }
      },
    })
  }
  publish('1')
  await nextTurn()
  expect(seen).toEqual({ one: ['1 ', '2 '], two: ['1 ', '2 '] })
})

test('messages without data leave before the end of the turn as well, when they are many', () => {
  const { publish, writes } = createBench({ one: ['a'] })
  for (let count = 0; count < 8000; count += 1) publish('a', '')
  expect(writes['one']?.length).toBeGreaterThan(0)
})

test('one who fails spoils no later turn of the others', async () => {
  const seen: string[] = []
  let fails = true
  const bad: Follower = {
    marks: 0,
    take() {
      if (fails) throw new Error('bad')
    },
  }
  const good: Follower = {
    marks: 0,
    take: (batch) => void seen.push(...batch.chunksFor(joining).map(String)),
  }
  const outgoing = createOutgoing(() => new Set([bad, good]))
  const publish = (data: string) =>
    outgoing.add(data, createMessage('event', data, `e-${data}`), 'disconnect')
  publish('a')
  publish('b')
  expect(() => outgoing.flush()).toThrow('bad')
  fails = false
  publish('a')
  publish('b')
  outgoing.flush()
  await nextTurn()
  expect(seen).toEqual(['a b '])
})
