import { createMessage } from '@eitherway/core'
import { seeded } from '@eitherway/core/testing'
import { describe, expect, test } from 'vitest'
import { type Backlog, createBacklog, type SlowPolicy, type Waiting } from '../src/backlog.ts'

const waiting = (channel: string, id: number, policy: SlowPolicy, event = channel, bytes = 10): Waiting => ({
  channel,
  policy,
  message: createMessage(event, 'x', `e-${id}`),
  chunk: 'x'.repeat(bytes),
})

/** What so many of these cost: their bytes, and their place in line. */
const room = (count: number): number => count * (10 + 64)

function idsOf(backlog: Backlog): string[] {
  const ids: string[] = []
  for (let next = backlog.shift(); next !== undefined; next = backlog.shift()) ids.push(next.message.id)
  return ids
}

describe('disconnect', () => {
  test('keeps all in order up to the bound, and then gives in', () => {
    const backlog = createBacklog(room(3))
    const added = [1, 2, 3, 4].map((id) => backlog.add(waiting('a', id, 'disconnect')))
    expect(added).toEqual([true, true, true, false])
  })
})

describe('conflate', () => {
  test('keeps the newest of each event, in the order of the newest', () => {
    const backlog = createBacklog(room(100))
    backlog.add(waiting('prices', 1, 'conflate', 'EURUSD'))
    backlog.add(waiting('prices', 2, 'conflate', 'GBPUSD'))
    backlog.add(waiting('prices', 3, 'conflate', 'EURUSD'))
    backlog.add(waiting('other', 4, 'conflate', 'EURUSD'))
    expect(idsOf(backlog)).toEqual(['e-2', 'e-3', 'e-4'])
    expect(backlog.takeLost()).toEqual([])
  })
  test('a million messages of one event cost one', () => {
    const backlog = createBacklog(room(1))
    for (let id = 0; id < 1_000_000; id += 1)
      if (!backlog.add(waiting('a', id, 'conflate'))) throw new Error(`at ${id}`)
    expect(idsOf(backlog)).toEqual(['e-999999'])
  })
  test('what was taken is no longer replaced', () => {
    const backlog = createBacklog(room(100))
    backlog.add(waiting('a', 1, 'conflate'))
    expect(backlog.shift()?.message.id).toBe('e-1')
    backlog.add(waiting('a', 2, 'conflate'))
    backlog.add(waiting('a', 3, 'conflate'))
    expect(idsOf(backlog)).toEqual(['e-3'])
  })
  test('more events than may wait give in', () => {
    const backlog = createBacklog(room(2))
    expect([1, 2, 3].map((id) => backlog.add(waiting('a', id, 'conflate', `event ${id}`)))).toEqual([
      true,
      true,
      false,
    ])
  })
})

describe('drop-oldest', () => {
  test('gives up its oldest, and says of which channels', () => {
    const backlog = createBacklog(room(3))
    for (let id = 1; id <= 5; id += 1) expect(backlog.add(waiting('a', id, 'drop-oldest'))).toBe(true)
    expect(backlog.takeLost()).toEqual(['a'])
    expect(backlog.takeLost()).toEqual([])
    expect(idsOf(backlog)).toEqual(['e-3', 'e-4', 'e-5'])
  })
  test('makes room for others, whose messages are never given up', () => {
    const backlog = createBacklog(room(3))
    backlog.add(waiting('keep', 1, 'disconnect'))
    backlog.add(waiting('drop', 2, 'drop-oldest'))
    backlog.add(waiting('keep', 3, 'disconnect'))
    expect(backlog.add(waiting('keep', 4, 'disconnect'))).toBe(true)
    expect(backlog.takeLost()).toEqual(['drop'])
    expect(backlog.add(waiting('keep', 5, 'disconnect'))).toBe(false)
  })
  test('a message that alone is over the bound gives in', () => {
    expect(createBacklog(5).add(waiting('a', 1, 'drop-oldest'))).toBe(false)
  })
})

test('whatever comes, it stays within its bound, in order, and tells each loss (seeded)', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seeded(seed)
    const backlog = createBacklog(room(20))
    const policies: SlowPolicy[] = ['conflate', 'drop-oldest']
    const taken: number[] = []
    let last = 0
    for (let id = 1; id <= 100; id += 1) {
      const policy = policies[Math.floor(random() * 2)] ?? 'conflate'
      const channel = `${policy} ${Math.floor(random() * 2)}`
      expect(
        backlog.add(waiting(channel, id, policy, `event ${Math.floor(random() * 2)}`)),
        `seed ${seed}`,
      ).toBe(true)
      if (random() < 0.3) {
        const next = Number(backlog.shift()?.message.id.slice(2))
        expect(next, `seed ${seed}`).toBeGreaterThan(last)
        last = next
        taken.push(next)
      }
    }
    const rest = idsOf(backlog).map((id) => Number(id.slice(2)))
    expect(rest.length, `seed ${seed}`).toBeLessThanOrEqual(20)
    expect([...taken, ...rest], `seed ${seed}`).toEqual([...taken, ...rest].sort((a, b) => a - b))
  }
})
