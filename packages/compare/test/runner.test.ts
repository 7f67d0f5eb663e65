import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Progress } from '../src/bench.ts'
import { type BrowserName, runInBrowser } from '../src/browsers.ts'
import { spreadOf } from '../src/figure.ts'
import { placeOf } from '../src/page/place.ts'
import { type Result, valuesOf } from '../src/report.ts'
import { type FromRunner, ordersOf, runnerUrl } from '../src/runner.ts'
import { http1, http2 } from '../src/scenarios/tabs.ts'
import type { SpawnedStage } from '../src/stage/spawn.ts'
import { stageWithRunner } from './runner-page.ts'

const present = (process.env['EITHERWAY_PARTS'] ?? '').split(',')
const rows = ['sse', 'ws', 'sse-bare', 'ws-bare']
const never = new AbortController().signal

const browsers: readonly (readonly [BrowserName, RegExp])[] = [
  ['chromium', /^(Google Chrome|Chromium|Edge) \d+$/],
  ['firefox', /^Firefox \d+$/],
]

interface Ran {
  readonly results: readonly Result[]
  /** Of each scenario. */
  readonly shares: ReadonlyMap<string, readonly number[]>
}

// One run in each, and both at once, since a browser takes seconds to start and the rest is mostly waiting.
const ran = new Map<BrowserName, Ran>()
beforeAll(async () => {
  const here = browsers.filter(([name]) => present.includes(name))
  await Promise.all(here.map(async ([name]) => ran.set(name, await runIn(name))))
}, 240_000)

/** All but `care`, which takes half a minute of waiting in each. */
const inBrowsers = ['direction', 'handshake', 'latency', 'tabs']

async function runIn(name: BrowserName): Promise<Ran> {
  const stage = await stageWithRunner({ secure: true })
  try {
    const shares = new Map<string, number[]>()
    const run = { scenarios: inBrowsers, quick: true, rounds: 1 }
    const onProgress = ({ scenario, done, of }: Progress) =>
      shares.set(scenario, [...(shares.get(scenario) ?? []), done / of])
    return { results: await runInBrowser(name, stage.access, run, onProgress, never), shares }
  } finally {
    await stage.close()
  }
}

describe.each(browsers)('in %s', (name, title) => {
  describe.skipIf(!present.includes(name))('that is driven', () => {
    const mine = () => ran.get(name) as Ran

    test('each scenario has one result, and progress that ends', () => {
      expect(mine().results.map(({ scenario }) => scenario)).toEqual(inBrowsers)
      for (const result of mine().results) {
        expect(result.place).toEqual({ kind: 'page', name: expect.stringMatching(title) })
        expect(result.rows.map((row) => row.name)).toEqual(rows)
        expect(mine().shares.get(result.scenario)?.at(-1)).toBe(1)
      }
    })

    test('talking back and connecting are measured for every contender', () => {
      const [direction, handshake] = mine().results as [Result, Result, Result, Result]
      for (const row of rows) {
        expect(valuesOf(direction, row, 'p50'), row).toHaveLength(1)
        expect(valuesOf(direction, row, 'serial')[0], row).toBeGreaterThan(0)
        expect(valuesOf(handshake, row, 'open')[0], row).toBeGreaterThan(0)
      }
    })

    test('latency is measured for every contender, by a clock that agrees with the stage', () => {
      const result = mine().results[2] as Result
      expect(result.notes).toEqual([
        {
          what: 'all latencies',
          why: expect.stringMatching(/^the two clocks are known to ± \d+\.\d\d ms,/),
        },
      ])
      const errorMs = Number(/± (\d+\.\d\d)/.exec(result.notes[0]?.why ?? '')?.[1])
      for (const row of rows) {
        for (const of of result.cases) {
          // No message arrives before it leaves, as far as the clocks can tell.
          expect(spreadOf(valuesOf(result, row, 'p50', of))?.median, `${row}, ${of}`).toBeGreaterThan(
            -errorMs,
          )
        }
      }
    })

    test('streams meet a wall of six over HTTP/1.1, and none over HTTP/2 or as WebSockets', () => {
      const result = mine().results[3] as Result
      expect(result.cases).toEqual([http1, http2])
      for (const row of ['sse', 'sse-bare']) {
        expect(valuesOf(result, row, 'open', http1), row).toEqual([6])
        expect(valuesOf(result, row, 'open', http2), row).toEqual([12])
      }
      for (const row of ['ws', 'ws-bare']) {
        for (const of of [http1, http2]) expect(valuesOf(result, row, 'open', of), row).toEqual([12])
      }
      // A fetch waits where streams fill the wall, and nowhere else.
      expect(new Set(result.notes.map(({ what }) => what))).toEqual(
        new Set([
          `a fetch beside 6 streams, SSE, ${http1}`,
          `a fetch beside 6 streams, EventSource, bare http, ${http1}`,
        ]),
      )
      expect(result.explanation).toContain('6 of 12 SSE streams and 12 of 12 WebSockets')
    })
  })
})

describe.skipIf(!present.includes('chromium'))('a run in a browser', () => {
  test('that is aborted ends with the reason', async () => {
    const stage = await stageWithRunner()
    try {
      const over = new AbortController()
      const run = { scenarios: ['latency'], quick: false }
      const reason = new Error('enough')
      const running = runInBrowser('chromium', stage.access, run, () => over.abort(reason), over.signal)
      await expect(running).rejects.toBe(reason)
    } finally {
      await stage.close()
    }
  })

  test('of a scenario that there is not fails with its name', async () => {
    const stage = await stageWithRunner()
    try {
      const run = { scenarios: ['nothing'], quick: true }
      const running = runInBrowser('chromium', stage.access, run, () => {}, never)
      await expect(running).rejects.toThrow('no scenario of a page is named nothing')
    } finally {
      await stage.close()
    }
  })
})

test('a browser that is not where it was said to be is named', async () => {
  const before = process.env['FIREFOX_PATH']
  process.env['FIREFOX_PATH'] = '/nowhere/firefox'
  try {
    const access = { origins: { direct: '', relay: '' }, control: '', token: '' }
    const running = runInBrowser('firefox', access, { scenarios: [], quick: true }, () => {}, never)
    await expect(running).rejects.toThrow('FIREFOX_PATH names /nowhere/firefox, which is no program')
  } finally {
    if (before === undefined) delete process.env['FIREFOX_PATH']
    else process.env['FIREFOX_PATH'] = before
  }
})

describe.skipIf(!present.includes('chromium'))('in a frame', () => {
  let lab: Server
  let origin: string
  let stage: SpawnedStage
  beforeAll(async () => {
    lab = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>the lab</p>'))
    await new Promise<void>((resolve) => lab.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(lab.address() as AddressInfo).port}`
    stage = await stageWithRunner({ allowed: [origin] })
  })
  afterAll(async () => {
    await stage?.close()
    lab?.close()
  })

  /** Holds the runner in a frame of a page, asks it to run, and tells what it told. */
  async function runFramed(
    pageOrigin: string,
    parent: string,
  ): Promise<{ told: FromRunner[]; complaints: string[] }> {
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
    try {
      const page = await browser.newPage()
      const complaints: string[] = []
      const refused = new Promise<FromRunner[]>((resolve) => {
        page.on('console', (line) => {
          if (line.type() !== 'error') return
          complaints.push(line.text())
          // Nothing else tells: a frame that is refused loads an error page.
          if (line.text().includes('frame-ancestors')) resolve([])
        })
      })
      page.on('pageerror', (error) => complaints.push(error.message))
      await page.goto(pageOrigin)
      const telling = page.evaluate(
        (url) =>
          new Promise<FromRunner[]>((resolve) => {
            const messages: FromRunner[] = []
            const frame = document.createElement('iframe')
            window.addEventListener('message', ({ data, source }) => {
              if (source !== frame.contentWindow) return
              messages.push(data)
              if (data.type === 'ready') {
                const run = { type: 'run', scenarios: ['latency'], quick: true, rounds: 1 }
                frame.contentWindow?.postMessage(run, new URL(url).origin)
              }
              if (data.type === 'done' || data.type === 'failed') resolve(messages)
            })
            frame.src = url
            document.body.append(frame)
          }),
        runnerUrl(stage.access.origins.relay, { access: stage.access, parent }),
      )
      telling.catch(() => undefined) // one that was refused ends with the page
      return { told: await Promise.race([telling, refused]), complaints }
    } finally {
      await browser.close()
    }
  }

  test('of a page that may, it runs what it is asked to, and its policy blocks nothing', async () => {
    const { told, complaints } = await runFramed(origin, origin)
    expect(complaints).toEqual([])
    expect(told[0]).toEqual({ type: 'ready' })
    expect(told.at(-1)).toEqual({ type: 'done' })
    const results = told.filter((message) => message.type === 'result')
    expect(results.map(({ result }) => result.rows.map((row) => row.name))).toEqual([rows])
  })

  test('of any other page, the browser refuses it', async () => {
    const other = origin.replace('127.0.0.1', 'localhost')
    const { told, complaints } = await runFramed(other, other)
    expect(told).toEqual([])
    expect(complaints.join()).toContain('frame-ancestors')
  })
})

test('orders come out of a fragment as they went in', () => {
  const orders = {
    access: {
      origins: { direct: 'http://[::1]:1', relay: 'http://[::1]:2' },
      control: 'http://[::1]:3',
      token: 'a#%',
    },
    parent: 'http://[::1]:4',
    run: { scenarios: ['latency'], quick: true },
  }
  expect(ordersOf(new URL(runnerUrl('http://[::1]:2', orders)).hash)).toEqual(orders)
  expect(ordersOf('')).toBeUndefined()
})

const chrome =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', [], 'Firefox 140'],
  [chrome, [], 'Chromium 141'],
  [`${chrome} Edg/141.0.0.0`, [], 'Edge 141'],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
    [],
    'Safari 26',
  ],
  [chrome, ['Chromium 141', 'Not?A_Brand 8'], 'Chromium 141'],
  [chrome, ['Not;A=Brand 99', 'Google Chrome 141', 'Chromium 141'], 'Google Chrome 141'],
  ['something else', [], 'Browser'],
])('%s with brands %j is called %s', (userAgent, named, name) => {
  const brands = named.map((text) => ({
    brand: text.replace(/ \d+$/, ''),
    version: text.replace(/.* /, ''),
  }))
  const agent = brands.length === 0 ? { userAgent } : { userAgent, userAgentData: { brands } }
  expect(placeOf(agent)).toEqual({ kind: 'page', name })
})
