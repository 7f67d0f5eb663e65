import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHub, memoryBroker, serve } from '@eitherway/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, places, type Tab } from './browsers.ts'
import { bundle } from './bundle.ts'
import { createRecords, nextPeer, startHub, type TestHub, type Told } from './harness.ts'

const counted = (count: number, from = 0): unknown[] =>
  Array.from({ length: count }, (_, at) => ['news', from + at])

for (const { where, missing, open } of places) {
  describe.skipIf(missing)(`our client ${where}`, () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await open()
    })
    afterAll(() => browser?.close())

    describe.each(['sse', 'ws'] as const)('over %s', (transport) => {
      test('offline and online again, hears everything once, whether its link died of it or not', async () => {
        await using bench = await startHub()
        await using page = await openPage(browser, transport, bench)
        const { tab, heard, states } = page
        await publish(bench, 5)
        // Out of reach, and its link is gone.
        await tab.setOffline(true)
        bench.cut()
        await publish(bench, 5, 5)
        await states.take(1)
        await tab.setOffline(false)
        await publish(bench, 5, 10)
        expect(await heard.take(15)).toEqual(counted(15))
        // Out of reach for a moment: nothing tells the page whether its link still lives.
        await publish(bench, 5, 15)
        await tab.setOffline(true)
        await publish(bench, 5, 20)
        const second = nextPeer(bench.hub)
        await tab.setOffline(false)
        await second
        await publish(bench, 5, 25)
        expect(await heard.take(15)).toEqual(counted(15, 15))
      })

      test('in a tab that is hidden and seen again, hears everything once', async () => {
        await using bench = await startHub()
        await using page = await openPage(browser, transport, bench)
        const { tab, heard } = page
        await publish(bench, 5)
        const show = await tab.hide()
        expect(await tab.evaluate('document.visibilityState')).toBe('hidden')
        await publish(bench, 5, 5)
        bench.cut()
        await publish(bench, 5, 10)
        await show()
        expect(await tab.evaluate('document.visibilityState')).toBe('visible')
        await publish(bench, 5, 15)
        expect(await heard.take(20)).toEqual(counted(20))
      })

      test('when the server restarts with its history, hears everything once', async () => {
        const broker = memoryBroker()
        const server = createServer()
        await using bench = await startHub({ broker }, server)
        await using page = await openPage(browser, transport, bench)
        const { heard, states } = page
        await publish(bench, 5)
        const { port } = server.address() as AddressInfo
        // Nobody answers at this port until the next one does.
        server.close()
        bench.cut()
        await once(server, 'close')
        await publish(bench, 5, 5)
        expect(await states.take(1)).toEqual(['waiting'])
        const next = createHub({ broker, retryMs: 0 })
        const undo = serve(next, server, { path: '/live' })
        const back = nextPeer(next)
        server.listen(port, '127.0.0.1')
        await back
        for (let at = 10; at < 15; at += 1) await next.publish('news', at)
        expect(await heard.take(15)).toEqual(counted(15))
        undo()
        await next.close()
      })

      test('switched back and forth under load, hears everything once, and never is without a link', async () => {
        await using bench = await startHub()
        await using page = await openPage(browser, transport, bench)
        const { tab, heard, states } = page
        const all: unknown[] = []
        let at = 0
        let publishing = true
        const publisher = (async () => {
          for (; publishing; at += 1) {
            await bench.hub.publish('news', at)
            // At the pace of the page's console, which is how it tells: a hundred are always under way.
            if (at >= 100) all.push(...(await heard.take(1)))
          }
        })()
        const other = transport === 'sse' ? 'ws' : 'sse'
        try {
          for (const name of [other, transport, other, transport]) {
            const switched = await tab.evaluate(
              `client.switchTo('${name}').then(({ transport, direction }) => [transport, direction])`,
            )
            expect(switched).toEqual([name, name === 'ws' ? 'two-way' : 'one-way'])
          }
        } finally {
          publishing = false
          await publisher
        }
        all.push(...(await heard.take(at - all.length)))
        expect(all).toEqual(counted(at))
        await tab.evaluate('client.close()')
        expect(await states.take(1)).toEqual(['closed'])
      })
    })
  })
}

async function publish({ hub }: TestHub, count: number, from = 0): Promise<void> {
  for (let at = from; at < from + count; at += 1) await hub.publish('news', at)
}

interface Page extends AsyncDisposable {
  readonly tab: Tab
  /** Messages and gaps. */
  readonly heard: Told
  /** States after `open`. */
  readonly states: Told
}

/** Our client in a tab of its own, when it has a link. */
async function openPage(browser: Browser, transport: 'sse' | 'ws', bench: TestHub): Promise<Page> {
  const settings = { url: `${bench.origin}/live`, transport, channels: ['news'] }
  const tab = await browser.newTab()
  const heard = createRecords()
  const states = createRecords()
  tab.onLog((text) => {
    const record = JSON.parse(text)
    if ('state' in record) states.push(record.state)
    else heard.push(record)
  })
  const connected = nextPeer(bench.hub)
  await tab.goto(bench.page(await bundle('page', settings, 'browser')))
  await connected
  expect(await states.take(1)).toEqual(['open'])
  return { tab, heard, states, [Symbol.asyncDispose]: () => tab.close() }
}
