import { createServer } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { seeded, within } from '@eitherway/core/testing'
import { createHub, memoryBroker, serve } from '@eitherway/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, places, type Tab } from './browsers.ts'
import { bundle } from './bundle.ts'
import { startHub, type TestHub } from './harness.ts'
import { eventually } from './heard.ts'

/** More than a browser has connections to one host over HTTP/1.1, which is six. */
const many = 10

for (const { where, missing, open } of places) {
  describe.skipIf(missing)(`ten tabs ${where}`, () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await open()
    })
    afterAll(() => browser?.close())

    test('share one link, and lose nothing when the one that has it is closed, again and again', async () => {
      await using bench = await startHub()
      await using crowd = await openTabs(browser, bench)
      expect(bench.hub.peers.size).toBe(1)
      const random = seeded(7)
      const flow = startFlow(bench)
      for (let round = 0; round < 5; round += 1) {
        const leader = await crowd.leader()
        await flow.during(crowd.remove(leader), 50 + Math.floor(random() * 200))
        if (random() < 0.5) await flow.during(crowd.add())
      }
      await flow.during(Promise.resolve(), 1)
      await crowd.heardAll(flow.published)
      for (const tab of crowd.tabs) expect(await tab.evaluate('states.join()')).toBe('open')
      expect(bench.hub.peers.size).toBe(1)
    })

    test('follow a hub that drains to the next, and each hear of the gap when the history is gone', async () => {
      const broker = memoryBroker()
      const server = createServer()
      await using bench = await startHub({ broker }, server)
      await using crowd = await openTabs(browser, bench)
      await publish(bench.hub, 0, 20)
      const second = createHub({ broker, retryMs: 0 })
      serve(second, server, { path: '/live' })
      await bench.hub.close({ drainMs: 50 })
      await publish(second, 20, 40)
      await crowd.heardAll(40)
      expect(await crowd.tabs[0]?.evaluate('gaps')).toEqual([])
      expect(second.peers.size).toBe(1)

      // A history of its own.
      const third = createHub({ retryMs: 0 })
      serve(third, server, { path: '/live' })
      await second.close()
      await Promise.all(crowd.tabs.map((tab) => tab.evaluate('isOpen()')))
      await publish(third, 40, 60)
      await crowd.heardAll(60)
      for (const tab of crowd.tabs) {
        expect(await tab.evaluate('gaps')).toEqual([{ reason: 'epoch', channels: ['news'] }])
      }
      expect(third.peers.size).toBe(1)
      await third.close()
    })

    test('each renew their token when that of the link counts no longer, and go on', async () => {
      let admitted = 0
      await using bench = await startHub({
        authorize({ token }) {
          admitted += 1
          expect(token).toBe('a-token')
          return { context: undefined }
        },
      })
      await using crowd = await openTabs(browser, bench)
      expect(admitted).toBe(1)
      await publish(bench.hub, 0, 20)
      for (const peer of bench.hub.peers) peer.close({ code: 4010, reason: 'expired' })
      await publish(bench.hub, 20, 40)
      await crowd.heardAll(40)
      for (const tab of crowd.tabs) expect(await tab.evaluate('renewals')).toEqual([false, true])
      expect(admitted).toBe(2)
    })

    test('are left by one that navigates away, and joined again when it comes back', async () => {
      await using bench = await startHub()
      await using crowd = await openTabs(browser, bench)
      const leader = await crowd.leader()
      await publish(bench.hub, 0, 20)
      await leader.goto(`${bench.origin}/elsewhere`).catch(() => undefined)
      await publish(bench.hub, 20, 40)
      await leader.goto(crowd.url)
      await leader.evaluate('isOpen()')
      await publish(bench.hub, 40, 60)
      await crowd.heardAll(60)
      expect(bench.hub.peers.size).toBe(1)
    })

    // In Firefox all tabs of one site may run in one process, and would die and hang together; what the page itself does is the
    // same in both.
    const apart = where === 'in Chromium'

    test.skipIf(!apart)('do not wait for a leader that is told it will be frozen', async () => {
      await using bench = await startHub()
      await using crowd = await openTabs(browser, bench)
      const flow = startFlow(bench)
      const leader = await crowd.leader()
      // By the event alone: no browser freezes a tab while it has no screen to hide one behind.
      await flow.during(leader.evaluate("document.dispatchEvent(new Event('freeze'))"))
      await flow.during(crowd.leader(leader))
      await crowd.heardAll(flow.published)
      await eventually(() => bench.hub.peers.size === 1, 'one link')
    })

    test.skipIf(!apart)('lose nothing when the leader crashes', async () => {
      await using bench = await startHub()
      await using crowd = await openTabs(browser, bench)
      const flow = startFlow(bench)
      const leader = await crowd.leader()
      crowd.forget(leader)
      await flow.during(leader.crash?.() ?? Promise.reject(new Error('this browser spares its tabs')))
      await flow.during(crowd.leader())
      await crowd.heardAll(flow.published)
      await eventually(() => bench.hub.peers.size === 1, 'one link')
    })

    test.skipIf(!apart)('take the lead away from one that hangs', async () => {
      await using bench = await startHub({ heartbeatMs: 200 })
      await using crowd = await openTabs(browser, bench, { silenceMs: 1_500 })
      const flow = startFlow(bench)
      const leader = await crowd.leader()
      const hung = leader.evaluate('for (const end = Date.now() + 4_000; Date.now() < end; );')
      await flow.during(crowd.leader(leader))
      await flow.during(hung)
      await crowd.heardAll(flow.published)
      await eventually(() => bench.hub.peers.size === 1, 'one link')
    })
  })
}

/** Tabs of one person at one page, each of which is open. */
interface Crowd extends AsyncDisposable {
  readonly tabs: readonly Tab[]
  readonly url: string
  add(): Promise<void>
  remove(tab: Tab): Promise<void>
  /** One that cannot be closed any more. */
  forget(tab: Tab): void
  /** The tab that has the link, once there is one that is not `besides`, which is not asked. */
  leader(besides?: Tab): Promise<Tab>
  /** Fulfils when each has heard this many, from where it began, once and in order. */
  heardAll(published: number): Promise<void>
}

async function openTabs(
  browser: Browser,
  bench: TestHub,
  settings: { readonly silenceMs?: number } = {},
): Promise<Crowd> {
  const url = bench.page(await bundle('tabs', { url: `${bench.origin}/live`, ...settings }, 'browser'))
  let tabs: Tab[] = []
  const crowd: Crowd = {
    get tabs() {
      return tabs
    },
    url,
    async add() {
      const tab = await browser.newTab(tabs[0])
      tabs.push(tab)
      await tab.goto(url)
      await within(tab.evaluate('isOpen()'), `tab ${tabs.length} to be open`, 20_000)
    },
    async remove(tab) {
      crowd.forget(tab)
      await tab.close()
    },
    forget(tab) {
      tabs = tabs.filter((other) => other !== tab)
    },
    async leader(besides) {
      for (;;) {
        for (const tab of tabs) if (tab !== besides && (await tab.evaluate<boolean>('leads()'))) return tab
      }
    },
    async heardAll(published) {
      const all = tabs.map(async (tab, at) => {
        await within(tab.evaluate(`reached(${published - 1})`), `tab ${at} to hear ${published}`, 20_000)
        const heard = await tab.evaluate<number[]>('heard')
        expect(heard).toEqual(Array.from(heard, (_, index) => (heard[0] as number) + index))
      })
      await Promise.all(all)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(tabs.map((tab) => tab.close()))
    },
  }
  await crowd.add()
  await Promise.all(Array.from({ length: many - 1 }, () => crowd.add()))
  return crowd
}

async function publish(hub: TestHub['hub'], from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1) await hub.publish('news', at)
}

/** Publishes one number after the other, each in a turn of its own, while something happens. */
function startFlow({ hub }: TestHub) {
  let published = 0
  return {
    get published() {
      return published
    },
    async during<T>(happening: Promise<T>, count = 100): Promise<T> {
      for (const wanted = published + count; published < wanted; published += 1) {
        await hub.publish('news', published)
        await turn()
      }
      return happening
    },
  }
}
