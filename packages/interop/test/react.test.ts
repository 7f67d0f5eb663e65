import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memoryBroker } from '@eitherway/server'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, places, type Tab } from './browsers.ts'
import { bundle } from './bundle.ts'
import { startHub, type TestHub } from './harness.ts'
import { App, type PageSettings } from './programs/react.ts'

const { missing, open } = places[0]!
const react18 = { react: 'react-18', 'react-dom': 'react-dom-18' }

describe.skipIf(missing)('hooks under StrictMode, in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await open()
  })
  afterAll(() => browser?.close())

  describe.each([
    { version: 19, transport: 'sse', alias: {} },
    { version: 19, transport: 'ws', alias: {} },
    { version: 18, transport: 'ws', alias: react18 },
  ] as const)('React $version over $transport', ({ transport, alias }) => {
    test('one link; everything once, also over a cut; in few renders; and no link once it is taken off', async () => {
      await using bench = await startHub()
      let links = 0
      bench.hub.onConnect(() => {
        links += 1
      })
      await using page = await openPage(browser, bench, { transport }, alias)
      await page.until({ state: 'open', code: null })
      expect(links).toBe(1)
      expect(await page.tab.evaluate('makes()')).toBe(1)
      await publish(bench, 0, 5)
      await page.until({ all: counted(5) })
      await page.until({ last: 4 })
      bench.cut()
      await publish(bench, 5, 10)
      await page.until({ all: counted(10) })
      expect(links).toBe(2)
      expect(page.records).toContainEqual({ state: 'waiting', code: 1006 })
      const before = await page.tab.evaluate<number>('renders()')
      await Promise.all(counted(1000).map((at) => bench.hub.publish('news', 10 + at)))
      await page.until({ all: counted(1010) })
      expect((await page.tab.evaluate<number>('renders()')) - before).toBeLessThan(50)
      // Once for each mount, of which StrictMode makes two, and never for what it does not read.
      expect(await page.tab.evaluate('idles()')).toBe(2)
      expect(page.complaints()).toEqual([])
      const [peer] = bench.hub.peers
      await page.tab.evaluate('unmount()')
      await peer?.closed
      expect(bench.hub.peers.size).toBe(0)
      expect(await page.tab.evaluate('client.state')).toBe('closed')
      expect(links).toBe(2)
    })

    test('after a gap the state is read anew, and goes on from there', async () => {
      await using bench = await startHub({ broker: memoryBroker({ messages: 2 }) })
      await using state = await serveState()
      await using page = await openPage(browser, bench, { transport, stateUrl: state.url }, alias)
      await page.until({ all: ['read', 1] })
      await publish(bench, 0, 2)
      await page.until({ all: ['read', 1, 0, 1] })
      bench.cut()
      await publish(bench, 2, 12)
      await page.until({ gap: true })
      // What history still had comes upon what was read, in its order.
      const all = (await page.next((record) => isRead(record, 2))) as { all: unknown[] }
      await publish(bench, 12, 13)
      const last = (await page.next((record) => isRead(record, 2) && record.all.at(-1) === 12)) as typeof all
      expect(last.all.slice(2)).toEqual(counted(13).slice(13 - (last.all.length - 2)))
      expect(page.complaints()).toEqual([])
    })

    test('a transition during which messages come shows one thing to all', async () => {
      await using bench = await startHub()
      await using page = await openPage(browser, bench, { transport }, alias)
      await page.until({ state: 'open', code: null })
      await publish(bench, 0, 1)
      await page.until({ last: 0 })
      await page.tab.evaluate('gather(40)')
      // Each message makes React begin the crowd anew, and a few are enough.
      for (let at = 1; at < 5; at += 1) {
        await publish(bench, at, at + 1)
        await page.until({ last: at })
      }
      const told = await page.next((record) => 'crowd' in record)
      expect(told['crowd']).toBe(1)
      expect(told['size']).toBeGreaterThanOrEqual(40)
      // Messages did come while it rendered.
      expect(told['met']).toBeGreaterThan(1)
    })

    test('sends where there are two ways, and says so where there is one', async () => {
      await using bench = await startHub()
      await using page = await openPage(browser, bench, { transport }, alias)
      const heard = new Promise<unknown>((resolve) => {
        bench.hub.onMessage(({ event, data }) => resolve([event, data]))
      })
      await page.until({ state: 'open', code: null })
      const sent = await page.tab.evaluate("send('chat', 'hi').then(() => 'sent', String)")
      if (transport === 'ws') expect([sent, await heard]).toEqual(['sent', ['chat', 'hi']])
      else expect(sent).toBe("TypeError: sse is one-way; take a transport that is two-way, e.g. 'ws'")
    })

    test('what a server rendered is hydrated without a complaint, and connects then', async () => {
      await using bench = await startHub()
      const settings: PageSettings = { url: `${bench.origin}/live`, transport }
      const html = renderToString(createElement(App, settings))
      expect(html).toContain('<p>connecting</p><p>none</p><p></p>')
      expect(bench.hub.peers.size).toBe(0)
      await using page = await openPage(browser, bench, { transport, html }, alias)
      await page.until({ state: 'open', code: null })
      await publish(bench, 0, 3)
      await page.until({ all: counted(3) })
      expect(page.complaints()).toEqual([])
    })
  })
})

const counted = (count: number): number[] => Array.from({ length: count }, (_, at) => at)

async function publish({ hub }: TestHub, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1) await hub.publish('news', at)
}

type Told = Record<string, unknown>

function isRead(record: Told, time: number): record is { all: unknown[] } {
  const { all } = record
  return Array.isArray(all) && all[0] === 'read' && all[1] === time
}

/** Serves a state that says how often it was read. */
async function serveState(): Promise<AsyncDisposable & { readonly url: string }> {
  let count = 0
  const server = createServer((_, response) => {
    count += 1
    response.setHeader('Access-Control-Allow-Origin', '*').end(JSON.stringify(['read', count]))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

interface Page extends AsyncDisposable {
  readonly tab: Tab
  readonly records: readonly Told[]
  /** Fulfils with the first record that is so, told before or to come. */
  next(isSo: (record: Told) => boolean): Promise<Told>
  /** Fulfils when this was told, now or before. */
  until(record: Told): Promise<void>
  complaints(): readonly unknown[]
}

/** The page of `programs/react.ts` in a tab of its own. */
async function openPage(
  browser: Browser,
  bench: TestHub,
  settings: Omit<PageSettings, 'url'>,
  alias: Record<string, string>,
): Promise<Page> {
  const tab = await browser.newTab()
  const records: Told[] = []
  const waiting = new Set<() => void>()
  tab.onLog((text) => {
    records.push(JSON.parse(text))
    for (const look of [...waiting]) look()
  })
  const next: Page['next'] = (isSo) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(look)
        reject(new Error(`not told; the last were ${JSON.stringify(records.slice(-5)).slice(0, 2000)}`))
      }, 15_000)
      function look(): void {
        const found = records.find(isSo)
        if (found === undefined) return
        clearTimeout(timer)
        waiting.delete(look)
        resolve(found)
      }
      waiting.add(look)
      look()
    })
  const script = await bundle('react', { ...settings, url: `${bench.origin}/live` }, 'browser', alias)
  await tab.goto(bench.page(script))
  return {
    tab,
    records,
    next,
    async until(wanted) {
      const text = JSON.stringify(wanted)
      await next((record) => JSON.stringify(record) === text)
    },
    complaints: () => records.filter((record) => 'complaint' in record),
    [Symbol.asyncDispose]: () => tab.close(),
  }
}
