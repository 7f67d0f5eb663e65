import { type Client, connect } from '@eitherway/client'
import { within } from '@eitherway/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, places } from './browsers.ts'
import { bundle } from './bundle.ts'
import { createRecords, lacks, startHub, type TestHub } from './harness.ts'
import { eventually, hear, positioned } from './heard.ts'
import { type Habits, startMiddlebox } from './middlebox.ts'
import { startNginx } from './proxies.ts'

/** Whatever a client sends comes back to all. */
async function startEcho(): Promise<TestHub> {
  const bench = await startHub()
  bench.hub.onMessage(({ data }) => bench.hub.publish('news', data))
  return bench
}

function open(origin: string): Client<'two-way'> {
  return connect(`${origin}/live`, { transport: 'auto', channels: ['news'] })
}

/** Says so many numbers, each after the one before has come back. */
async function talk(client: Client<'two-way'>, count: number, from = 0): Promise<void> {
  const heard = hear(client, ['news'])
  for (let at = 0; at < count; at += 1) {
    await client.send('say', from + at)
    expect((await heard.until(at + 1)).at(-1)).toEqual(['news', from + at])
  }
}

/** Cuts the link, and waits until the client knows: what is sent before that may go with it, on any transport. */
async function lose(bench: TestHub, client: Client): Promise<void> {
  const lost = new Promise<void>((resolve) => client.onState((state) => state === 'waiting' && resolve()))
  bench.cut()
  await within(lost, 'the loss of the link')
}

test('where nothing is in the way, it is WebSocket', async () => {
  await using bench = await startEcho()
  await using box = await startMiddlebox(bench.origin, {})
  await using client = open(box.origin)
  await talk(client, 5)
  expect(client.transport).toBe('ws')
  expect(client.choice?.reason).toBe('it is preferred')
})

const blocks: readonly (readonly [string, Habits, RegExp])[] = [
  ['refuses upgrades', { upgrades: 'refuses' }, /^ws: .*answered 403/],
  ['takes upgrades and passes nothing on', { upgrades: 'swallows' }, /^ws: nothing was heard within 3000 ms/],
]

test.each(blocks)('through a proxy that %s, it is sse+post, and stays that', async (_, habits, reason) => {
  await using bench = await startEcho()
  await using box = await startMiddlebox(bench.origin, habits)
  await using client = open(box.origin)
  await talk(client, 5)
  expect(client.transport).toBe('sse+post')
  expect(client.choice?.reason).toMatch(reason)
  await lose(bench, client)
  await talk(client, 5, 5)
  expect(client.transport).toBe('sse+post')
  expect(box.upgrades).toBe(1)
})

test('through a proxy that cuts WebSocket again and again, it goes over to sse+post, and nothing is lost', async () => {
  await using bench = await startHub()
  await using box = await startMiddlebox(bench.origin, { upgrades: 250 })
  await using client = open(box.origin)
  const heard = hear(client, ['news'])
  await positioned(client)
  expect(client.transport).toBe('ws')
  let said = 0
  await eventually(() => {
    void bench.hub.publish('news', said)
    said += 1
    return client.transport === 'sse+post' && client.state === 'open'
  }, 'the other transport')
  expect(client.choice?.reason).toBe('ws: 2 links in a row were lost (1006) within 30 s')
  expect(await heard.until(said)).toEqual(Array.from({ length: said }, (_, at) => ['news', at]))
  expect(box.upgrades).toBe(2)
})

test('through a proxy that buffers streams it is WebSocket, also where sse+post worked before', async () => {
  await using bench = await startEcho()
  const habits: Habits = { upgrades: 'refuses' }
  await using box = await startMiddlebox(bench.origin, habits)
  await using client = open(box.origin)
  await talk(client, 1)
  expect(client.transport).toBe('sse+post')
  // Another network, say: now it is the other way round.
  habits.upgrades = 'passes'
  habits.answers = 'buffers'
  await lose(bench, client)
  await talk(client, 5, 1)
  expect(client.transport).toBe('ws')
  expect(client.choice?.reason).toMatch(/^sse\+post: nothing was heard within 3000 ms/)
})

test('where neither comes through, the client goes on trying, and says why', async () => {
  await using bench = await startEcho()
  const habits: Habits = { upgrades: 'refuses', answers: 'buffers' }
  await using box = await startMiddlebox(bench.origin, habits)
  await using client = connect(`${box.origin}/live`, {
    transport: 'auto',
    channels: ['news'],
    connectMs: 1000,
  })
  const reasons: (string | undefined)[] = []
  client.onState((state, close) => state === 'waiting' && reasons.push(close?.reason))
  await eventually(() => reasons.length > 0, 'a lost try')
  expect(client.state).not.toBe('closed')
  delete habits.answers
  await talk(client, 3)
  expect(client.transport).toBe('sse+post')
})

test.each(['sse+post', 'ws'] as const)('a refusal is the same, whichever it is: %s', async (way) => {
  const bench = await startHub({ authorize: () => ({ status: 403, reason: 'not you' }) })
  await using _ = bench
  await using box = await startMiddlebox(bench.origin, way === 'ws' ? {} : { upgrades: 'refuses' })
  await using client = open(box.origin)
  const { code, reason } = await client.closed
  expect(code).toBe(4503)
  expect(reason).toContain('not you')
})

describe.skipIf(lacks('nginx'))('through nginx as it comes', () => {
  test('it is sse+post, and each message arrives at once', async () => {
    await using bench = await startEcho()
    await using nginx = await startNginx(bench.origin)
    await using client = open(nginx.origin)
    await talk(client, 10)
    expect(client.transport).toBe('sse+post')
  })
})

for (const { where, missing, open: start } of places) {
  describe.skipIf(missing)(`our client ${where}`, () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await start()
    })
    afterAll(() => browser?.close())

    test.each([
      ...blocks.map(([habit, habits]) => [habit, habits, 'sse+post'] as const),
      ['passes all on', {}, 'ws'] as const,
    ])('behind a proxy that %s', async (_, habits, expected) => {
      await using bench = await startEcho()
      await using box = await startMiddlebox(bench.origin, habits)
      const settings = { url: `${box.origin}/live`, transport: 'auto', channels: ['news'] }
      const { pathname } = new URL(bench.page(await bundle('page', settings, 'browser')))
      const tab = await browser.newTab()
      const heard = createRecords()
      tab.onLog((text) => 'state' in JSON.parse(text) || heard.read(text))
      await tab.goto(box.origin + pathname)
      await tab.evaluate("client.send('say', 'hi')")
      expect(await heard.take(1)).toEqual([['news', 'hi']])
      expect(await tab.evaluate('client.transport')).toBe(expected)
      // What worked is known to the next page of this tab.
      const kept = await tab.evaluate<string | null>(
        `sessionStorage.getItem('eitherway:auto:${box.origin}/live')`,
      )
      expect(kept === null).toBe(expected === 'ws')
      await tab.goto(box.origin + pathname)
      await tab.evaluate("client.send('say', 'again')")
      expect(await heard.take(1)).toEqual([['news', 'again']])
      expect(await tab.evaluate('client.transport')).toBe(expected)
      expect(box.upgrades).toBe(expected === 'ws' ? 2 : 1)
      await tab.close()
    })
  })
}
