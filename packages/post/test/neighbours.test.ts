import type { Answer, Relay } from '@eitherway/core'
import { expect, test } from 'vitest'
import { createNeighbours, type Question } from '../src/neighbours.ts'

/** A relay of which every node answers alike, and what was asked. */
function relayOf(answer: Answer): { relay: Relay; asked: Question[] } {
  const asked: Question[] = []
  const relay: Relay = {
    join: () => () => undefined,
    async ask(_, question) {
      asked.push(JSON.parse(question) as Question)
      return await answer(question)
    },
  }
  return { relay, asked }
}

/** An answer that is not given until it is let go. */
function held(text: string) {
  let release: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    release = resolve
  })
  return { release, answer: () => opened.then(() => text) }
}

const question = (proof: string, text = 'data: 1\n\n'): Question => ({ proof, seq: 1, text })
const gone = JSON.stringify({ status: 404, reason: 'gone' })
const known = JSON.stringify({ seq: 0 })

test.each([
  'null',
  '7',
  '"seq"',
  '[]',
  '{}',
  '{"seq":"1"}',
  '{"seq":-1}',
  '{"seq":null}',
  '{"status":200,"reason":""}',
  '{"status":404}',
  '{"status":"404","reason":"x"}',
  '{"status":1e999,"reason":"x"}',
  '',
  '{',
])('what no node answers, %s, is none, and worth another try', async (text) => {
  const { meet, ask } = createNeighbours(relayOf(async () => text).relay)
  const none = { status: 503, reason: expect.stringContaining('no answer'), retryAfterMs: 1000 }
  expect(await meet('other', 'proof')).toEqual(none)
  expect(await ask('other', question('proof'))).toEqual(none)
})

test('a node that died without a word keeps nobody from meeting the others, and all have a bound together', async () => {
  const { release, answer } = held(known)
  const asked: string[] = []
  const relay: Relay = {
    join: () => () => undefined,
    ask(node) {
      asked.push(node)
      return node === 'alive' ? Promise.resolve(known) : answer()
    },
  }
  const { meet } = createNeighbours(relay)
  const meetAll = (node: string) => Array.from({ length: 200 }, (_, at) => meet(node, `${node} ${at}`))
  const forged = meetAll('dead')
  expect(await meet('alive', 'honest')).toBeUndefined()
  forged.push(...meetAll('dead as well'), ...meetAll('dead too'))
  expect(asked.filter((node) => node.startsWith('dead'))).toHaveLength(100)
  expect(await meet('alive', 'late')).toMatchObject({ status: 503, retryAfterMs: 1000 })
  release()
  await Promise.all(forged)
  expect(await meet('alive', 'late')).toBeUndefined()
})

test('of an answer nothing is passed on but what belongs to one', async () => {
  const answers = [
    '{"seq":3,"x":1}',
    '{"status":429,"reason":"r","retryAfterMs":5,"x":1}',
    '{"status":409,"reason":"r","retryAfterMs":"x"}',
  ]
  const { ask } = createNeighbours(relayOf(async () => answers.shift() ?? '').relay)
  expect(await ask('other', question('a'))).toEqual({ seq: 3 })
  expect(await ask('other', question('a'))).toEqual({ status: 429, reason: 'r', retryAfterMs: 5 })
  expect(await ask('other', question('a'))).toEqual({ status: 409, reason: 'r' })
})

test('a link is met once; that it is gone, or does not answer, is asked anew', async () => {
  const answers = [known, known, gone, known, known]
  const { relay, asked } = relayOf(async () => answers.shift() ?? 'none')
  const { meet, ask } = createNeighbours(relay)
  expect(await meet('other', 'a')).toBeUndefined()
  expect(await meet('other', 'a')).toBeUndefined()
  await ask('other', question('a'))
  expect(await meet('other', 'a')).toBeUndefined()
  expect(asked).toHaveLength(2)
  expect(await ask('other', question('a'))).toMatchObject({ status: 404 })
  expect(await meet('other', 'a')).toBeUndefined()
  expect(asked).toHaveLength(4)
  await ask('other', question('a'))
  expect(await ask('other', question('a'))).toMatchObject({ status: 503 })
  expect(await meet('other', 'a')).toMatchObject({ status: 503 })
  expect(asked).toHaveLength(7)
})

test('made-up links fill no inbox, and keep those that are known from nothing', async () => {
  const { release, answer } = held(gone)
  let isHeld = false
  const { relay, asked } = relayOf(async () => (isHeld ? answer() : known))
  const { meet, ask } = createNeighbours(relay)
  await meet('other', 'honest')
  isHeld = true
  const forged = Array.from({ length: 5_000 }, (_, at) => meet('other', `forged ${at}`))
  // The honest one's question and fifty others.
  expect(asked).toHaveLength(51)
  for (const { text } of asked) expect(text).toBe('')
  expect(await forged[4_999]).toMatchObject({ status: 503, retryAfterMs: 1000 })
  isHeld = false
  expect(await meet('other', 'honest')).toBeUndefined()
  expect(await ask('other', question('honest'))).toEqual({ seq: 0 })
  release()
  expect(await forged[0]).toMatchObject({ status: 404 })
  expect(await meet('other', 'next')).toBeUndefined()
})

test.each([
  ['text', 'x'.repeat(15 * 1024 * 1024)],
  ['control characters, each of which goes as six', '\x01'.repeat(2_500_000)],
])(
  'what is on its way to other nodes has a bound together, and what arrived counts no more: %s',
  async (_, large) => {
    const { release, answer } = held(known)
    const { ask } = createNeighbours(relayOf(answer).relay)
    const under = ['a', 'b', 'c', 'd'].map((proof) => ask('other', question(proof, large)))
    expect(await ask('other', question('e', large))).toMatchObject({ status: 503, retryAfterMs: 1000 })
    release()
    expect(await Promise.all(under)).toEqual(Array(4).fill({ seq: 0 }))
    expect(await ask('other', question('e'))).toEqual({ seq: 0 })
  },
)

test('of the links that are known, the one that posted longest ago is forgotten first', async () => {
  const { relay, asked } = relayOf(async () => known)
  const { meet, ask } = createNeighbours(relay)
  await meet('other', 'first')
  await meet('other', 'second')
  await ask('other', question('first'))
  for (let at = 0; at < 9_999; at += 1) await meet('other', `later ${at}`)
  const before = asked.length
  await meet('other', 'first')
  expect(asked).toHaveLength(before)
  await meet('other', 'second')
  expect(asked).toHaveLength(before + 1)
})
