import { expect, test } from 'vitest'
import { createPressure, type Pressure } from '../src/pressure.ts'

class Slow {
  looks = 0
  readonly name: string
  #bytes: number
  constructor(name: string, bytes: number) {
    this.name = name
    this.#bytes = bytes
  }
  get queuedBytes(): number {
    this.looks += 1
    return this.#bytes
  }
  set queuedBytes(bytes: number) {
    this.#bytes = bytes
  }
}

function start(maxBytes: number, fromBytes = 10): { pressure: Pressure<Slow>; gone: string[] } {
  const gone: string[] = []
  const pressure = createPressure<Slow>(maxBytes, fromBytes, ({ name }) => gone.push(name))
  return { pressure, gone }
}

const turn = () => Promise.resolve()

test('within the limit nobody goes', async () => {
  const { pressure, gone } = start(100)
  pressure.add(new Slow('a', 50))
  pressure.add(new Slow('b', 50))
  await turn()
  expect(gone).toEqual([])
  expect(pressure.now).toEqual({ readers: 2, bytes: 100 })
})

test('over it those with most go, as many as it takes, and the others stay', async () => {
  const { pressure, gone } = start(100)
  for (const [name, bytes] of Object.entries({ a: 20, b: 70, c: 30, d: 60, e: 40 })) {
    pressure.add(new Slow(name, bytes))
  }
  await turn()
  // 220 in all: without the 70 and the 60 it is 90.
  expect(gone).toEqual(['b', 'd'])
  expect(pressure.now).toEqual({ readers: 3, bytes: 90 })
})

test('who has read meanwhile counts no more', async () => {
  const { pressure, gone } = start(100)
  const reader = new Slow('a', 90)
  pressure.add(reader)
  await turn()
  reader.queuedBytes = 10
  pressure.add(new Slow('b', 90))
  await turn()
  expect(gone).toEqual([])
  expect(pressure.now).toEqual({ readers: 1, bytes: 90 })
})

test('who has left counts no more', async () => {
  const { pressure } = start(100)
  const reader = new Slow('a', 90)
  pressure.add(reader)
  pressure.delete(reader)
  await turn()
  expect(pressure.now).toEqual({ readers: 0, bytes: 0 })
})

test('a turn looks once at each that is behind, however many writes it had', async () => {
  const { pressure } = start(1_000_000)
  const readers = Array.from({ length: 1_000 }, (_, at) => new Slow(String(at), 100))
  for (let writes = 0; writes < 50; writes += 1) for (const reader of readers) pressure.add(reader)
  await turn()
  expect(new Set(readers.map(({ looks }) => looks))).toEqual(new Set([1]))
})

test('at most as many are looked at as the limit lets be behind', async () => {
  const { pressure, gone } = start(1_000)
  for (let at = 0; at < 10_000; at += 1) pressure.add(new Slow(String(at), 11))
  await turn()
  expect(pressure.now).toEqual({ readers: 90, bytes: 990 })
  expect(gone).toHaveLength(9_910)
})
