import { createServer } from 'node:http'
import type { Arrival } from '@eitherway/core'
import type { GateOptions, HubOptions } from '@eitherway/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, places, type Tab } from './browsers.ts'
import { bundle } from './bundle.ts'
import { createRecords, nextPeer, startHub, type TestHub, type Told } from './harness.ts'

for (const { where, missing, open } of places) {
  describe.skipIf(missing)(`a page of another origin ${where}`, () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await open()
    })
    afterAll(() => browser?.close())

    // Of another site, or of another port of the same address, to which cookies go along.
    describe.each(['localhost', '127.0.0.1'])('at %s', (name) => {
      const start = (gate: (origin: string) => GateOptions, options?: HubOptions) =>
        startBench(browser, name, gate, options)

      test('that is listed hears all of our client with a token, also what it missed', async () => {
        await using bench = await start((origin) => ({ origins: [origin] }))
        const { hub } = bench.live
        const connected = nextPeer(hub)
        const told = await bench.run('sse', { Authorization: 'Bearer token' })
        expect((await connected).headers.get('authorization')).toBe('Bearer token')
        expect(await told.take(1)).toEqual([{ state: 'open' }])
        await hub.publish('news', 1)
        expect(await told.take(1)).toEqual([['news', 1]])
        const back = nextPeer(hub)
        bench.live.cut()
        await hub.publish('news', 2)
        const { lastEventId, headers } = await back
        await hub.publish('news', 3)
        expect(lastEventId).not.toBe('')
        expect(headers.get('last-event-id')).toBe(lastEventId)
        expect((await told.take(5)).filter((each) => Array.isArray(each))).toEqual([
          ['news', 2],
          ['news', 3],
        ])
      })

      test.each(['sse', 'ws'] as const)('that is listed shows its token over %s', async (transport) => {
        const shown: unknown[] = []
        const authorize = ({ token }: Arrival) => {
          shown.push(token)
          return { context: undefined }
        }
        await using bench = await start((origin) => ({ origins: [origin] }), { authorize })
        const told = await bench.run(transport, undefined, 'eyJ.a_b-c.~+/==')
        expect(await told.take(1)).toEqual([{ state: 'open' }])
        expect(shown).toEqual(['eyJ.a_b-c.~+/=='])
      })

      test('that is listed talks over WebSocket', async () => {
        await using bench = await start((origin) => ({ origins: [origin] }))
        const told = await bench.run('ws')
        expect(await told.take(1)).toEqual([{ state: 'open' }])
        await bench.live.hub.publish('news', 1)
        expect(await told.take(1)).toEqual([['news', 1]])
      })

      test('that is listed can read why it was refused, and when to come back', async () => {
        await using bench = await start((origin) => ({ origins: [origin] }))
        const ask = (query: string) =>
          bench.tab.evaluate(
            `fetch('${bench.live.origin}/live${query}').then(async (answer) => [answer.status, await answer.text(), answer.headers.get('Retry-After')])`,
          )
        expect(await ask('?channel=~x')).toEqual([
          400,
          expect.stringContaining('belong to the protocol'),
          null,
        ])
        await bench.live.hub.close({ retryMs: 2_500 })
        expect(await ask('')).toEqual([503, 'the server goes away\n', '3'])
      })

      test('that is not listed gets nothing: no stream, no WebSocket, and no link of our client', async () => {
        await using bench = await start(() => ({ origins: ['https://app.example'] }))
        const { hub, origin } = bench.live
        let peers = 0
        hub.onConnect(() => {
          peers += 1
        })
        const url = `${origin}/live?channel=news`
        expect(await bench.tab.evaluate(listens(url, false))).toBe('refused')
        expect(await bench.tab.evaluate(listens(url, true))).toBe('refused')
        for (const init of [{}, { headers: { Authorization: 'x' } }]) {
          const fetched = `fetch('${url}', ${JSON.stringify(init)}).then(() => 'answered', () => 'refused')`
          expect(await bench.tab.evaluate(fetched)).toBe('refused')
        }
        expect(await bench.tab.evaluate(upgrades(url, []))).toEqual(['refused', 1006])
        expect(await bench.tab.evaluate(upgrades(url, ['eitherway.v1']))).toEqual(['open', 4503])
        const told = await bench.run('ws')
        expect(await told.take(2)).toEqual([{ state: 'closed' }, { code: 4503 }])
        expect(peers).toBe(0)
      })

      test('sends its cookies with EventSource, where `credentials` lets it', async () => {
        await using bench = await start((origin) => ({ origins: [origin], credentials: true }))
        const connected = nextPeer(bench.live.hub)
        expect(await bench.tab.evaluate(listens(`${bench.live.origin}/live`, true))).toBe('open')
        const { headers } = await connected
        // A cookie knows no port; to another site none goes along.
        expect(headers.get('cookie')).toBe(name === '127.0.0.1' ? 'who=me' : null)
      })

      test('may not send cookies where `credentials` does not', async () => {
        await using bench = await start((origin) => ({ origins: [origin] }))
        expect(await bench.tab.evaluate(listens(`${bench.live.origin}/live`, true))).toBe('refused')
        expect(await bench.tab.evaluate(listens(`${bench.live.origin}/live`, false))).toBe('open')
      })

      test("gets what any page gets where origins is '*', and sends no cookies", async () => {
        await using bench = await start(() => ({ origins: '*' }))
        expect(await bench.tab.evaluate(listens(`${bench.live.origin}/live`, false))).toBe('open')
        expect(await bench.tab.evaluate(listens(`${bench.live.origin}/live`, true))).toBe('refused')
        const connected = nextPeer(bench.live.hub)
        const told = await bench.run('sse', { Authorization: 'Bearer token' })
        expect((await connected).headers.get('origin')).toBe(bench.origin)
        expect(await told.take(1)).toEqual([{ state: 'open' }])
      })
    })

    test('that has none, in a frame that is locked up, gets nothing from the server that it is from', async () => {
      await using live = await startHub()
      await using tab = await browserTab(browser, live.page(''))
      const url = `${live.origin}/live`
      const inside = `(${upgrades(url, ['eitherway.v1'])}).then((told) => parent.postMessage(told, '*'))`
      const told = await tab.evaluate(`new Promise((resolve) => {
        addEventListener('message', ({ data }) => resolve(data))
        const frame = document.createElement('iframe')
        frame.sandbox = 'allow-scripts'
        frame.srcdoc = ${JSON.stringify(`<script>${inside}</script>`).replaceAll('/', '\\/')}
        document.body.append(frame)
      })`)
      expect(told).toEqual(['open', 4503])
    })
  })
}

/** A script that opens an `EventSource`, and tells what became of it. */
const listens = (url: string, withCredentials: boolean) => `new Promise((resolve) => {
  const source = new EventSource('${url}', { withCredentials: ${withCredentials} })
  const tell = (told) => { source.close(); resolve(told) }
  source.onopen = () => tell('open')
  source.onerror = () => tell(source.readyState === EventSource.CLOSED ? 'refused' : 'comes back')
})`

/** A script that opens a WebSocket, and tells whether it opened and by what it ended. It lets the server end it. */
const upgrades = (url: string, protocols: readonly string[]) => `new Promise((resolve) => {
  const socket = new WebSocket('${url.replace('http', 'ws')}', ${JSON.stringify(protocols)})
  let state = 'refused'
  socket.onopen = () => { state = 'open' }
  socket.onmessage = () => { state = 'heard something' }
  socket.onclose = ({ code }) => resolve([state, code])
})`

interface Bench extends AsyncDisposable {
  readonly live: TestHub
  /** That of the page. */
  readonly origin: string
  /** A page, with a cookie. */
  readonly tab: Tab
  /** Runs our client in another page of this origin. */
  run(transport: 'sse' | 'ws', headers?: Record<string, string>, token?: string): Promise<Told>
}

/** A hub, and a page of another origin. */
async function startBench(
  browser: Browser,
  name: string,
  gate: (origin: string) => GateOptions,
  options: HubOptions = {},
): Promise<Bench> {
  const elsewhere = await startHub()
  const origin = elsewhere.origin.replace('127.0.0.1', name)
  const live = await startHub(options, createServer(), gate(origin))
  const tabs: Tab[] = []
  const show = async (script: string, onLog?: (text: string) => void) => {
    const tab = await browser.newTab()
    tabs.push(tab)
    if (onLog !== undefined) tab.onLog(onLog)
    await tab.goto(elsewhere.page(script).replace('127.0.0.1', name))
    return tab
  }
  return {
    live,
    origin,
    tab: await show(`document.cookie = 'who=me'`),
    async run(transport, headers, token) {
      const settings = { url: `${live.origin}/live`, transport, channels: ['news'], headers, token }
      const told = createRecords()
      await show(await bundle('page', settings, 'browser'), told.read)
      return told
    },
    async [Symbol.asyncDispose]() {
      for (const tab of tabs) await tab.close()
      await live[Symbol.asyncDispose]()
      await elsewhere[Symbol.asyncDispose]()
    },
  }
}

async function browserTab(browser: Browser, url: string): Promise<Tab & AsyncDisposable> {
  const tab = await browser.newTab()
  await tab.goto(url)
  return Object.assign(tab, { [Symbol.asyncDispose]: () => tab.close() })
}
