import type { Close } from '@eitherway/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Batch, createOutgoing, giveUpMs, type Outcome } from '../src/outgoing.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A way up whose POSTs a test answers. */
function start() {
  const posts: Batch[] = []
  const answers: ((outcome: Outcome) => void)[] = []
  const ends: Close[] = []
  const up = createOutgoing({
    post: (batch) => {
      posts.push(batch)
      return new Promise((resolve) => answers.push(resolve))
    },
    onOver: (close) => ends.push(close),
    now: () => Date.now(),
    random: () => 0.5,
  })
  return {
    up,
    posts,
    ends,
    sent: () => posts.map(({ seq, body }) => [seq, body]),
    /** Answers the oldest POST that has no answer. */
    async answer(outcome: Outcome) {
      answers.shift()?.(outcome)
      await vi.advanceTimersByTimeAsync(0)
    },
  }
}

describe('batches', () => {
  test('what one turn sends is one body, and what is sent meanwhile the next', async () => {
    const { up, sent, answer } = start()
    for (const block of ['a', 'b', 'c']) void up.send(block)
    await vi.advanceTimersByTimeAsync(0)
    expect(sent()).toEqual([[1, 'abc']])
    for (const block of ['d', 'e']) void up.send(block)
    await vi.advanceTimersByTimeAsync(0)
    expect(sent()).toHaveLength(1)
    await answer({ seq: 3 })
    expect(sent().slice(1)).toEqual([[4, 'de']])
  })

  test('one is of 64 KiB at most, or of one message', async () => {
    const { up, posts, answer } = start()
    for (const size of [40_000, 20_000, 20_000, 200_000, 1]) void up.send('x'.repeat(size))
    await vi.advanceTimersByTimeAsync(0)
    await answer({ seq: 2 })
    await answer({ seq: 3 })
    await answer({ seq: 4 })
    expect(posts.map(({ seq, body }) => [seq, body.length])).toEqual([
      [1, 60_000],
      [3, 20_000],
      [4, 200_000],
      [5, 1],
    ])
  })

  test('a send waits while more than 64 KiB are not known to have arrived', async () => {
    const { up, answer } = start()
    let free = 0
    for (let at = 0; at < 3; at += 1) void up.send('x'.repeat(40_000)).then(() => (free += 1))
    await vi.advanceTimersByTimeAsync(0)
    expect(free).toBe(1)
    await answer({ seq: 1 })
    expect(free).toBe(1)
    await answer({ seq: 2 })
    expect(free).toBe(3)
  })
})

describe('what fails', () => {
  test('is sent again with the same number, after a wait that grows', async () => {
    const { up, sent, answer } = start()
    void up.send('a')
    await vi.advanceTimersByTimeAsync(0)
    for (const waitMs of [125, 250, 500]) {
      await answer({ failure: 'the cable' })
      const before = sent().length
      await vi.advanceTimersByTimeAsync(waitMs - 1)
      expect(sent()).toHaveLength(before)
      await vi.advanceTimersByTimeAsync(1)
      expect(sent().at(-1)).toEqual([1, 'a'])
      expect(sent()).toHaveLength(before + 1)
    }
  })

  test('waits for as long as the server asks', async () => {
    const { up, sent, answer } = start()
    void up.send('a')
    await vi.advanceTimersByTimeAsync(0)
    await answer({ failure: 'it answered 429', retryAfterMs: 7000 })
    await vi.advanceTimersByTimeAsync(7000)
    expect(sent()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(125)
    expect(sent()).toHaveLength(2)
  })

  test('an answer that acknowledges nothing of it is a failure too, one of a part is none', async () => {
    const { up, sent, answer } = start()
    for (const block of ['a', 'b']) void up.send(block)
    await vi.advanceTimersByTimeAsync(0)
    await answer({ seq: 0 })
    expect(sent()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(125)
    await answer({ seq: 1 })
    expect(sent()).toEqual([
      [1, 'ab'],
      [1, 'ab'],
      [2, 'b'],
    ])
  })

  test('an answer beyond what was sent acknowledges what was sent, and no more', async () => {
    const { up, sent, answer } = start()
    void up.send('a')
    await vi.advanceTimersByTimeAsync(0)
    await answer({ seq: 99 })
    void up.send('b')
    await vi.advanceTimersByTimeAsync(0)
    expect(sent()).toEqual([
      [1, 'a'],
      [2, 'b'],
    ])
  })

  test('ends the link after a minute, with a code that may return', async () => {
    const { up, ends, answer } = start()
    let free = false
    void up.send('x'.repeat(100_000)).then(() => {
      free = true
    })
    for (let spent = 0; spent <= giveUpMs + 10_000 && ends.length === 0; spent += 1000) {
      await answer({ failure: 'the cable' })
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(ends).toEqual([{ code: 1006, reason: 'nothing could be sent for 60000 ms: the cable' }])
    expect([up.isOver, free]).toEqual([true, true])
  })

  test.each([
    [404, 1006],
    [401, 4501],
    [413, 4513],
    [409, 4509],
  ])('%i is not tried again, and ends the link with %i', async (status, code) => {
    const { up, ends, sent, answer } = start()
    void up.send('a')
    await vi.advanceTimersByTimeAsync(0)
    await answer({ status, reason: 'so it is' })
    expect(ends).toEqual([{ code, reason: `the server answered ${status} to what was sent: so it is` }])
    await vi.advanceTimersByTimeAsync(100_000)
    expect(sent()).toHaveLength(1)
  })
})

describe('a last word', () => {
  test('goes at once with all that is not known to have arrived, for which the page need not stay', async () => {
    const { up, posts, answer } = start()
    void up.send('a')
    await vi.advanceTimersByTimeAsync(0)
    void up.send('b')
    let done = false
    void up.close('end').then(() => {
      done = true
    })
    await vi.advanceTimersByTimeAsync(0)
    expect(posts.map(({ seq, body, keepalive }) => [seq, body, keepalive])).toEqual([
      [1, 'a', false],
      [1, 'abend', true],
    ])
    await answer({ failure: 'the cable' })
    expect(done).toBe(false)
    await answer({ seq: 2 })
    expect(done).toBe(true)
    expect(posts).toHaveLength(2)
  })

  test('is given up after five seconds, and at once where the link is unknown', async () => {
    for (const outcome of [{ failure: 'the cable' }, { status: 404, reason: '' }]) {
      const { up, answer } = start()
      const from = Date.now()
      let doneMs = 0
      void up.close('end').then(() => {
        doneMs = Date.now() - from
      })
      for (let spent = 0; spent < 8000; spent += 250) {
        await answer(outcome)
        await vi.advanceTimersByTimeAsync(250)
      }
      expect(doneMs).toBeLessThan('status' in outcome ? 1 : 5001)
      expect(up.isOver).toBe(true)
    }
  })
})
