import { createQueue } from '@eitherway/core'
import { expect, test } from 'vitest'

async function rest<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

test('items come out in order, whether pushed before or after the reading began', async () => {
  const queue = createQueue<number>()
  queue.push(1, 1)
  const reading = rest(queue)
  queue.push(2, 1)
  await Promise.resolve()
  queue.push(3, 1)
  queue.end()
  expect(await reading).toEqual([1, 2, 3])
})

test('it counts the bytes that wait', async () => {
  const queue = createQueue<string>()
  expect(queue.push('a', 5)).toBe(5)
  expect(queue.push('b', 7)).toBe(12)
  const iterator = queue[Symbol.asyncIterator]()
  await iterator.next()
  expect(queue.bytes).toBe(7)
  await iterator.next()
  expect(queue.bytes).toBe(0)
})

test('after the end, what waits is read and nothing is added', async () => {
  const queue = createQueue<number>()
  queue.push(1, 1)
  queue.end()
  expect(queue.push(2, 1)).toBe(1)
  expect(await rest(queue)).toEqual([1])
})

test('an error is met after the last item', async () => {
  const queue = createQueue<number>()
  queue.push(1, 1)
  queue.end(new Error('too slow'))
  const seen: number[] = []
  const reading = (async () => {
    for await (const item of queue) seen.push(item)
  })()
  await expect(reading).rejects.toThrow('too slow')
  expect(seen).toEqual([1])
})

test('dropping ends the reading at once, and frees what waited', async () => {
  const queue = createQueue<number>()
  queue.push(1, 100)
  queue.drop()
  expect(queue.bytes).toBe(0)
  expect(await rest(queue)).toEqual([])
})

test('a drop in the middle of a reading lets nothing more out', async () => {
  const queue = createQueue<number>()
  for (let at = 0; at < 5; at += 1) queue.push(at, 1)
  const seen: number[] = []
  for await (const item of queue) {
    seen.push(item)
    if (item === 1) queue.drop()
  }
  expect(seen).toEqual([0, 1])
})

test('leaving the iteration drops what waits and all that would follow', async () => {
  const queue = createQueue<number>()
  queue.push(1, 1)
  queue.push(2, 1)
  for await (const item of queue) if (item === 1) break
  expect(queue.bytes).toBe(0)
  expect(queue.push(3, 1)).toBe(0)
})

test('a reading that waits can be left', async () => {
  let left = 0
  const queue = createQueue<number>(() => {
    left += 1
  })
  const iterator = queue[Symbol.asyncIterator]()
  const waiting = iterator.next()
  expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
  expect(await waiting).toEqual({ done: true, value: undefined })
  expect(left).toBe(1)
})

test('several reads at once are served in their order', async () => {
  const queue = createQueue<number>()
  const iterator = queue[Symbol.asyncIterator]()
  const reads = [iterator.next(), iterator.next(), iterator.next()]
  queue.push(1, 1)
  queue.push(2, 1)
  queue.end()
  expect(await Promise.all(reads)).toEqual([
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: true, value: undefined },
  ])
})

test('`below` waits until enough was read', async () => {
  const queue = createQueue<number>()
  for (let at = 0; at < 4; at += 1) queue.push(at, 10)
  const order: string[] = []
  const low = queue.below(15).then(() => order.push('below 15'))
  const lower = queue.below(5).then(() => order.push('below 5'))
  const iterator = queue[Symbol.asyncIterator]()
  for (let at = 0; at < 3; at += 1) await iterator.next()
  await low
  expect(order).toEqual(['below 15'])
  await iterator.next()
  await lower
  expect(order).toEqual(['below 15', 'below 5'])
})

test('`below` waits no longer once the queue has ended', async () => {
  const queue = createQueue<number>()
  queue.push(1, 10)
  const waiting = queue.below(1)
  queue.drop()
  await waiting
  await queue.below(0)
})

test('a hundred thousand items wait and are read in linear time', async () => {
  const queue = createQueue<number>()
  for (let at = 0; at < 100_000; at += 1) queue.push(at, 1)
  queue.end()
  const all = await rest(queue)
  expect(all.length).toBe(100_000)
  expect(all.every((item, at) => item === at)).toBe(true)
})

test('items are taken without waiting, and make room', async () => {
  const queue = createQueue<number>()
  expect(queue.shift()).toBeUndefined()
  queue.push(1, 10)
  queue.push(2, 10)
  const low = queue.below(15)
  expect(queue.shift()).toBe(1)
  await low
  queue.end()
  expect(queue.shift()).toBe(2)
  expect([queue.shift(), queue.bytes]).toEqual([undefined, 0])
})
