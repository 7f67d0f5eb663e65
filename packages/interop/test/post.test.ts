import { connect, type TwoWayClient } from '@eitherway/client'
import { within } from '@eitherway/core/testing'
import { type Hub, memoryBroker } from '@eitherway/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, places } from './browsers.ts'
import { bundle } from './bundle.ts'
import { createRecords, lacks, nextPeer, run, startHub } from './harness.ts'
import { eventually, hearData, positioned } from './heard.ts'
import { startProxy } from './lossy-proxy.ts'

const transport = 'sse+post'
const counted = (count: number): number[] => Array.from({ length: count }, (_, at) => at)

/** What a hub hears, in order. */
function listen(hub: Hub): unknown[] {
  const all: unknown[] = []
  hub.onMessage(({ data }) => {
    all.push(data)
  })
  return all
}

async function sendAll(client: TwoWayClient, count: number): Promise<void> {
  for (const at of counted(count)) await client.send('count', at)
}

test('what is sent arrives once and in order, text and bytes, in fewer requests than messages', async () => {
  await using bench = await startHub()
  let posts = 0
  await using proxy = await startProxy(({ method }) => {
    if (method === 'POST') posts += 1
    return { to: bench.origin }
  })
  const heard = listen(bench.hub)
  await using client = connect(`${proxy.origin}/live`, { transport })
  const sent: unknown[] = []
  for (const at of counted(500)) {
    const data = at % 5 === 0 ? Uint8Array.of(0, 10, 13, at & 255) : { at, text: 'zwei 🌍\r\nlines' }
    sent.push(data)
    await client.send('mixed', data)
  }
  await eventually(() => heard.length >= 500, 'all messages')
  expect(heard.map((data) => (data instanceof Uint8Array ? Uint8Array.from(data) : data))).toEqual(sent)
  expect(posts).toBeLessThan(250)
})

test.each([
  ['of bytes', new Uint8Array(1024 * 1024).fill(7)],
  ['of line ends, which take seven times as much on the way', '\n'.repeat(1024 * 1024)],
  ['of CRs', '\r'.repeat(1024 * 1024)],
])('a message of the largest size, %s, arrives', async (_, data) => {
  await using bench = await startHub({ format: 'text' })
  const heard = listen(bench.hub)
  await using client = connect(`${bench.origin}/live`, { transport, format: 'text' })
  await client.send('large', data)
  await eventually(() => heard.length === 1, 'the message')
  expect(Buffer.compare(Buffer.from(heard[0] as string), Buffer.from(data))).toBe(0)
})

test('where every second answer is lost, and every third request, all arrives once and in order', async () => {
  await using bench = await startHub()
  let posts = 0
  await using proxy = await startProxy(({ method }) => {
    if (method !== 'POST') return { to: bench.origin }
    posts += 1
    if (posts % 3 === 0) return { to: bench.origin, lost: 'request' }
    return posts % 2 === 0 ? { to: bench.origin, lost: 'answer' } : { to: bench.origin }
  })
  const heard = listen(bench.hub)
  await using client = connect(`${proxy.origin}/live`, { transport })
  const states: string[] = []
  client.onState((state) => states.push(state))
  await client.send('count', 0)
  for (const at of counted(8)) {
    // Each in a batch of its own, or all would be in the second.
    await eventually(() => heard.length > at, `message ${at}`)
    await client.send('count', at + 1)
  }
  await eventually(() => heard.length >= 9, 'the last')
  expect(heard).toEqual(counted(9))
  expect(states).toEqual(['open'])
  expect(posts).toBeGreaterThan(12)
})

test('a link that is cut under load loses what was on its way at most, and repeats and reorders nothing', async () => {
  await using bench = await startHub()
  const heard = listen(bench.hub) as number[]
  await using client = connect(`${bench.origin}/live`, { transport, channels: ['a'] })
  await positioned(client)
  for (const at of counted(100)) {
    await client.send('count', at)
    if (at % 40 === 20) {
      await eventually(() => (heard.at(-1) ?? -1) > at - 40, 'something of this link')
      const back = nextPeer(bench.hub)
      bench.cut('reset')
      await back
    }
  }
  await eventually(() => heard.at(-1) === 99, 'the last')
  expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b))
})

test('switched to WebSocket and back under load, all that was sent arrives once, and all that was published', async () => {
  await using bench = await startHub()
  const heard = listen(bench.hub) as number[]
  await using client = connect(`${bench.origin}/live`, { transport, channels: ['down'] })
  const down = hearData<number>(client, 'down')
  await positioned(client)
  let at = 0
  for (const name of ['ws', transport, 'ws', transport] as const) {
    for (const last = at + 50; at < last; at += 1) {
      await Promise.all([client.send('count', at), bench.hub.publish('down', at)])
    }
    await client.switchTo(name)
  }
  await eventually(() => heard.length >= at, 'all that was sent')
  expect([...heard].sort((a, b) => a - b)).toEqual(counted(at))
  expect(await down.until(at)).toEqual(counted(at))
})

test('a client that closes is heard to the end, and its code and reason are known', async () => {
  await using bench = await startHub()
  const heard = listen(bench.hub)
  const connected = nextPeer(bench.hub)
  const client = connect(`${bench.origin}/live`, { transport })
  const peer = await connected
  for (const at of counted(20)) void client.send('count', at)
  await client.send('count', 20)
  await client.close({ code: 4321, reason: 'done — ü' })
  expect(await within(peer.closed, 'the close')).toEqual({ code: 4321, reason: 'done — ü' })
  await eventually(() => heard.length === 21, 'all messages')
})

describe('two nodes, where every POST comes to the one that has not the link', () => {
  async function startNodes(broker = memoryBroker()) {
    const here = await startHub({ broker })
    const there = await startHub({ broker })
    const proxy = await startProxy(({ method }) => ({ to: method === 'POST' ? there.origin : here.origin }))
    return {
      here,
      there,
      proxy,
      async [Symbol.asyncDispose]() {
        for (const each of [proxy, here, there]) await each[Symbol.asyncDispose]()
      },
    }
  }

  test('all arrives at the link, once and in order', async () => {
    await using nodes = await startNodes()
    const [here, there] = [listen(nodes.here.hub), listen(nodes.there.hub)]
    await using client = connect(`${nodes.proxy.origin}/live`, { transport })
    await sendAll(client, 200)
    await eventually(() => here.length >= 200, 'all messages')
    expect(here).toEqual(counted(200))
    expect(there).toEqual([])
  })

  test('without a relay the link ends with a code that may return, and says what is missing', async () => {
    const { relay: _, ...broker } = memoryBroker()
    await using nodes = await startNodes(broker)
    await using client = connect(`${nodes.proxy.origin}/live`, { transport, reconnect: false })
    void client.send('count', 0)
    const close = await within(client.closed, 'the end')
    expect(close.code).toBe(1006)
    expect(close.reason).toContain('answered 404')
  })
})

test('a server that takes nothing by POST is told apart at once', async () => {
  await using bench = await startHub()
  await using proxy = await startProxy((request) => {
    request.url = '/live'
    return { to: bench.origin }
  })
  const client = connect(`${proxy.origin}/live`, { transport })
  const { code, reason } = await within(client.closed, 'the end')
  expect(code).toBe(1002)
  expect(reason).toContain('without Eitherway-Link')
})

test.skipIf(lacks('curl'))('curl can do both halves', async () => {
  await using bench = await startHub()
  bench.hub.onMessage(({ event, data }, peer) => peer.send(event, data))
  const plain = ['--silent', '--show-error', '--max-time', '20']
  const url = `${bench.origin}/live?up=post`
  await using down = run('curl', [...plain, '--no-buffer', '--include', url], { plain: true })
  await eventually(() => /eitherway-link: \S+/i.test(down.output()), 'the key')
  const [, key = ''] = /eitherway-link: (\S+)/i.exec(down.output()) ?? []
  const post = async (seq: string, body: string) => {
    await using up = run(
      'curl',
      [
        ...plain,
        ...[
          '-H',
          `Eitherway-Link: ${key}`,
          '-H',
          `Eitherway-Seq: ${seq}`,
          '-H',
          'Content-Type: text/event-stream',
        ],
        ...['--data-binary', body, '--write-out', '\n%{http_code}', url],
      ],
      { plain: true },
    )
    await up.exited
    return up.output().trim().split('\n')
  }
  expect(await post('1', 'event: chat\ndata: "hi"\n\nevent: chat\ndata: "there"\n\n')).toEqual([
    '{"seq":2}',
    '200',
  ])
  expect(await post('1', 'event: chat\ndata: "hi"\n\n')).toEqual(['{"seq":2}', '200'])
  expect((await post('4', 'event: chat\ndata: "hi"\n\n')).at(-1)).toBe('409')
  expect((await post('3', 'event: chat\ndata: "half"')).at(-1)).toBe('400')
  await eventually(() => down.output().includes('"there"'), 'the echo')
  expect(down.output().match(/data: "hi"/g)).toHaveLength(1)
})

for (const { where, missing, open } of places) {
  describe.skipIf(missing)(`a page ${where}`, () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await open()
    })
    afterAll(() => browser?.close())

    test('of another origin sends in order, hears, and says goodbye', async () => {
      await using pages = await startHub()
      await using bench = await startHub({}, undefined, { origins: [pages.origin] })
      const heard = listen(bench.hub)
      bench.hub.onMessage(({ data }, peer) => peer.send('news', data))
      const tab = await browser.newTab()
      const told = createRecords()
      tab.onLog((text) => told.push(JSON.parse(text)))
      const connected = nextPeer(bench.hub)
      const settings = { url: `${bench.origin}/live`, transport, channels: ['news'], token: 'mine' }
      await tab.goto(pages.page(await bundle('page', settings, 'browser')))
      const peer = await connected
      await tab.evaluate(
        '(async () => { for (let at = 0; at < 50; at += 1) await client.send("count", at) })()',
      )
      await eventually(() => heard.length >= 50, 'all messages')
      expect(heard).toEqual(counted(50))
      await told.take(51)
      await tab.evaluate('void client.send("count", 50), void client.close({ code: 4555, reason: "left" })')
      expect(await within(peer.closed, 'the goodbye')).toEqual({ code: 4555, reason: 'left' })
      await eventually(() => heard.length === 51, 'the last message')
      await tab.close()
    })
  })
}
