import { accessSync, constants } from 'node:fs'
import { delimiter, extname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Lab, startLab } from '../src/lab.ts'
import type { Report } from '../src/report.ts'
import { plantAndLook, widest, widestRun } from './widest.ts'

const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const present = (process.env['EITHERWAY_PARTS'] ?? '').split(',').includes('chromium')

describe.skipIf(!present)('the page in Chromium', () => {
  let browser: Browser
  let lab: Lab
  let page: Page
  let complaints: string[]

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: find('chromium'), args })
  })
  afterAll(() => browser?.close())
  beforeEach(async () => {
    lab = await startLab({ port: 0 })
    page = await browser.newPage()
    complaints = []
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    await page.goto(lab.url)
    await page.locator('.picks input').first().waitFor()
    for (const name of ['left', 'right']) await until(name, 'cpu', /^\d+$/)
  })
  afterEach(async () => {
    await page?.close()
    await lab?.close()
    expect(complaints).toEqual([])
  })

  const panel = (name: string) => page.locator(`[data-panel=${name}]`)
  const figure = async (name: string, which: string) =>
    (await panel(name).locator(`[data-figure=${which}]`).first().textContent()) ?? ''
  const until = async (name: string, which: string, pattern: RegExp | string) =>
    expect.poll(() => figure(name, which), { timeout: 20_000, message: `${name}.${which}` }).toMatch(pattern)

  const status = () => page.locator('.go [role=status]').textContent()
  function forgive(expected: RegExp): void {
    complaints = complaints.filter((complaint) => !expected.test(complaint))
  }
  async function choose(place: string, ...names: string[]): Promise<void> {
    await page.getByRole('radio', { name: place, exact: true }).check({ force: true })
    for (const box of await page.locator('.picks input:enabled').all()) {
      await box.setChecked(names.includes((await box.getAttribute('value')) ?? ''))
    }
  }

  async function expectWhole(): Promise<void> {
    for (const name of ['left', 'right']) {
      for (const which of ['lost', 'twice', 'disordered']) {
        expect(await figure(name, which), `${name}.${which}`).toBe('0')
      }
    }
  }

  test('both panels are fed, and the table shows the same', async () => {
    for (const name of ['left', 'right']) {
      await until(name, 'state', 'open')
      await until(name, 'rate', /^\d+\.\d$/)
      await until(name, 'perMessage', /^\d+$/)
      await until(name, 'median', /^\u2212?\d/)
      await until(name, 'error', /^± \d/)
      await until(name, 'lastEventId', /-\d+$/)
      await until(name, 'cpu', /^\d+$/)
      expect(await page.locator(`[data-cell="${name}.state"]`).textContent()).toBe('open')
    }
    expect(await figure('left', 'direction')).toBe('one-way')
    expect(await figure('right', 'direction')).toBe('two-way')
    expect(await page.locator('canvas').count()).toBe(4)
    await expectWhole()
  })

  test.each(['left', 'right'])(
    'a cut of the %s panel is followed by a reconnect, and nothing is lost',
    async (name) => {
      await panel(name).getByRole('button', { name: 'Cut' }).click()
      await until(name, 'reconnects', '1')
      await until(name, 'note', /^Back after .* caught up on \d+ messages?\.$/)
      await expectWhole()
      // The browser itself reports the stream that broke, as it should.
      forgive(/ERR_INCOMPLETE_CHUNKED_ENCODING/)
    },
  )

  test('a stalled link is counted down and ended by hand, and nothing is lost', async () => {
    const stalls = (name: string) => panel(name).getByRole('button', { name: 'Stall' })
    const silence = (name: string) => panel(name).locator('.silence')
    for (const name of ['left', 'right']) {
      await stalls(name).click()
      await expect.poll(() => silence(name).textContent()).toMatch(/^Silent for \d+\.\d s of 15 s$/)
      expect(await stalls(name).getAttribute('aria-pressed')).toBe('true')
      expect(await figure(name, 'state')).toBe('open')
    }
    await stalls('right').click()
    await until('right', 'note', /^Back after .* caught up on \d+ messages?\.$/)
    expect(await stalls('right').getAttribute('aria-pressed')).toBe('false')
    // The other one goes on being silent, until it is cut: in Firefox its silence is waited for.
    expect(await figure('left', 'state')).toBe('open')
    await panel('left').getByRole('button', { name: 'Cut' }).click()
    await until('left', 'note', /^Back after .* caught up on \d+ messages?\.$/)
    expect(await silence('left').textContent()).toBe('')
    await expectWhole()
    forgive(/ERR_INCOMPLETE_CHUNKED_ENCODING/)
  }, 45_000)

  test('a throttle stays on through a cut, and can be taken off', async () => {
    const throttle = panel('left').getByRole('button', { name: 'Throttle' })
    await throttle.click()
    await until('left', 'note', 'Throttled to 4.00 KiB a second, after a reconnect as well.')
    await panel('left').getByRole('button', { name: 'Cut' }).click()
    await until('left', 'reconnects', '1')
    expect(await throttle.getAttribute('aria-pressed')).toBe('true')
    await throttle.click()
    await until('left', 'note', 'At full speed again.')
    expect(await throttle.getAttribute('aria-pressed')).toBe('false')
    await expectWhole()
    forgive(/ERR_INCOMPLETE_CHUNKED_ENCODING/)
  })

  test.each([
    ['kept', '0'],
    ['lost', '1'],
  ])('a restart with its history %s: both are back, and told of %s gaps', async (history, gaps) => {
    const server = page.locator('#server')
    await server.getByRole('radio', { name: history }).check({ force: true })
    await server.getByRole('button', { name: 'Restart' }).click()
    await expect.poll(() => server.getByRole('status').textContent()).toContain('1012')
    for (const name of ['left', 'right']) {
      await until(name, 'reconnects', '1')
      await until(name, 'cpu', /^\d+$/)
      await until(name, 'gaps', gaps)
    }
    await expectWhole()
    await expect.poll(() => server.getByRole('status').textContent()).toMatch(/and is back; its history is/)
    // While the server is away, the browser itself reports every question that nobody answered.
    forgive(/ERR_|WebSocket connection/)
  })

  test.each([
    ['this browser', /^this browser, Chrom/],
    ['Node', /^Node 2\d\.\S+ on the server’s machine/],
  ])(
    'latency is measured with the clients in %s',
    async (place, where) => {
      await choose(place, 'latency')
      await page.getByRole('button', { name: 'Run', exact: true }).click()
      await expect.poll(() => page.getByRole('button', { name: 'Stop' }).isEnabled()).toBe(true)
      await expect
        .poll(() => page.locator('.now').textContent(), { timeout: 20_000 })
        .toMatch(/^\d+ % · Latency · /)
      await expect.poll(status, { timeout: 60_000 }).toBe('Done.')
      const card = page.locator('.result')
      expect(await card.getByRole('heading').textContent()).toBe('Latency')
      expect(await card.locator('.meta').textContent()).toMatch(where)
      expect(await card.locator('.explanation').textContent()).toContain('p99 is')
      const rows = card.locator('tbody tr:not(.case, .verdict)')
      expect(await rows.count()).toBe(12)
      for (const value of await rows.locator('.median').allTextContents()) {
        expect(value).toMatch(/^[\d.,]+( \(.+\))?$/)
      }
      expect(await card.locator('.quick').textContent()).toContain('So few rounds')
      await expect
        .poll(() => page.locator('#answer-performance').textContent())
        .toContain('Measured: latency, p99')
      // The panels went on meanwhile.
      await expectWhole()
      await expectSaved()
    },
    120_000,
  )

  async function expectSaved(): Promise<void> {
    const contents = new Map<string, string>()
    for (const name of ['JSON', 'Markdown', 'HTML']) {
      const coming = page.waitForEvent('download')
      await page.getByRole('button', { name, exact: true }).click()
      const download = await coming
      const ending = extname(download.suggestedFilename())
      contents.set(ending, await text(await download.createReadStream()))
      expect(download.suggestedFilename()).toMatch(/^eitherway-\d{4}-\d\d-\d\d\.(json|md|html)$/)
    }
    const report = JSON.parse(contents.get('.json') ?? '') as Report
    expect(report.results.map(({ scenario }) => scenario)).toEqual(['latency'])
    expect(contents.get('.md')).toMatch(/^# .*Latency/s)
    expect(contents.get('.html')).toMatch(/^<!doctype html>.*Latency.*<\/html>\s*$/is)
  }

  test('a run is stopped, and another page is told that one is on', async () => {
    await choose('Node', 'latency')
    await page.getByRole('radio', { name: 'full', exact: true }).check({ force: true })
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await expect.poll(() => page.getByRole('button', { name: 'Stop' }).isEnabled()).toBe(true)
    const other = await browser.newPage()
    await other.goto(lab.url)
    // It hears of the run that this page began, and can stop it as well.
    await expect.poll(() => other.locator('.go [role=status]').textContent()).toContain('It runs')
    const refused = await fetch(new URL('/runs?page=third', lab.url), {
      method: 'POST',
      body: JSON.stringify({ place: 'page', scenarios: ['latency'], quick: true }),
    })
    expect(refused.status).toBe(409)
    await other.getByRole('button', { name: 'Stop' }).click()
    await expect.poll(status, { timeout: 20_000 }).toContain('Stopped.')
    await other.close()
  })

  test('a need decides, and nonsense is told', async () => {
    const advice = page.locator('#advice')
    const transport = async () => (await advice.locator('.choice b').textContent()) ?? ''
    expect(await transport()).toBe("'sse'")
    expect(await advice.locator('.reasons li').count()).toBeGreaterThan(0)
    await advice.getByLabel('Messages a second from each client').fill('100')
    await expect.poll(transport).toBe("'ws'")
    expect(await advice.locator('.choice .name').textContent()).toBe('WebSocket')
    expect(await advice.locator('.changes li').count()).toBeGreaterThan(0)
    await advice.getByLabel('Peers that hear each message').fill('0')
    await expect
      .poll(() => advice.getByRole('alert').textContent())
      .toContain('“Peers that hear each message” must be a whole number from 1')
    // What was advised before is no advice for this.
    expect(await advice.locator('.choice').isVisible()).toBe(false)
    expect(await advice.locator('.reasons').isVisible()).toBe(false)
    await advice.getByLabel('Peers that hear each message').fill('10')
    await expect.poll(() => advice.getByRole('alert').textContent()).toBe('')
    expect(await advice.locator('.choice').isVisible()).toBe(true)
    await advice.getByLabel('Clients are pages').uncheck()
    expect(await advice.getByLabel('Tabs that one user has open').isDisabled()).toBe(true)
    expect(await page.locator('#answers li').count()).toBe(7)
  })

  test('a message comes back where the flag is two-way, and the box says why not where it is one-way', async () => {
    const box = panel('right').getByRole('textbox')
    await box.fill('hello <b>')
    await box.press('Enter')
    await until('right', 'echo', /^“hello <b>” came back after \d+\.\d ms\.$/)
    expect(await panel('left').getByRole('textbox').isDisabled()).toBe(true)
    expect(await figure('left', 'echo')).toContain('one-way')
  })

  test('the flag of a running panel flips there and back, and nothing is lost', async () => {
    for (const [flag, direction] of [
      ['ws', 'two-way'],
      ['sse', 'one-way'],
    ] as const) {
      await panel('left').getByRole('radio', { name: flag, exact: true }).check({ force: true })
      await until('left', 'direction', direction)
      await until('left', 'note', new RegExp(`^On '${flag}' after .* without a break\\.$`))
      await until('left', 'state', 'open')
      expect(await page.locator('[data-cell="left.flag"]').first().textContent()).toBe(`'${flag}'`)
      expect(await panel('left').getByRole('textbox').isDisabled()).toBe(flag === 'sse')
    }
    expect(await figure('left', 'reconnects')).toBe('0')
    await expectWhole()
  })

  test('an outage shows no old reading as current, and what went with the server counts as a gap, not as lost', async () => {
    const port = Number(new URL(lab.url).port)
    await lab.close()
    for (const name of ['left', 'right']) {
      await until(name, 'state', 'waiting')
      for (const which of ['cpu', 'memory', 'load', 'loopDelay']) await until(name, which, '–')
    }
    lab = await startLab({ port })
    for (const name of ['left', 'right']) {
      await until(name, 'gaps', '1')
      await until(name, 'cpu', /^\d+$/)
      expect(await page.locator(`[data-cell="${name}.gaps"]`).textContent()).toBe('1')
    }
    await expectWhole()
    // The browser itself reports every question that nobody answered, as it should.
    forgive(/ERR_CONNECTION|ERR_INCOMPLETE_CHUNKED_ENCODING/)
  })

  test('the keyboard reaches every control', async () => {
    const reached: (string | undefined)[] = []
    for (let press = 0; press < 17; press += 1) {
      await page.keyboard.press('Tab')
      reached.push(
        await page.evaluate(() => {
          const element = document.activeElement
          const side = element?.closest<HTMLElement>('[data-panel]')?.dataset['panel']
          const what = element instanceof HTMLInputElement ? element.type : element?.textContent
          return side === undefined ? what : `${side} ${what}`
        }),
      )
    }
    expect(reached).toEqual([
      'Live',
      'Measure',
      'Choose',
      'left radio',
      'left Cut',
      'left Stall',
      'left Throttle',
      'right radio',
      'right Cut',
      'right Stall',
      'right Throttle',
      'right text',
      'right Send',
      'radio',
      'Restart the server',
      'radio',
      'radio',
    ])
    await panel('left').getByRole('radio', { name: 'sse' }).focus()
    await page.keyboard.press('ArrowRight')
    await until('left', 'direction', 'two-way')
  })

  test('nothing sticks out of a phone or a wide screen, or of anything between, with the widest figures', async () => {
    await measureWidest()
    for (const width of [320, 360, 390, 768, 1024, 1280, 1600]) {
      await page.setViewportSize({ width, height: 900 })
      // In one turn, or the next reading would take them away.
      await expect.poll(() => page.evaluate(plantAndLook, widest), { message: `at ${width}` }).toEqual([])
    }
  })

  test.each([768, 1024, 1280])(
    'at %i px the rows of a table can be compared, column by column',
    async (width) => {
      await measureWidest()
      await page.setViewportSize({ width, height: 900 })
      const tables = page.locator('.figures')
      expect(await tables.count()).toBeGreaterThan(1)
      for (const table of await tables.all()) {
        const lefts = await table
          .locator('tbody tr:not(.case) td:last-child')
          .evaluateAll((cells) => cells.map((cell) => Math.round(cell.getBoundingClientRect().left)))
        expect(new Set(lefts).size).toBe(1)
        expect(await table.locator('thead').isVisible()).toBe(true)
      }
    },
  )

  /** A report as wide as one gets comes into the page by the way of a run of Node's, which the lab tells. */
  async function measureWidest(): Promise<void> {
    await page.route('**/runs', (route) => route.fulfill({ json: widestRun }))
    await page.reload()
    await page.locator('.result').nth(1).waitFor()
  }
})

function find(program: string): string {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, program)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // not in this folder
    }
  }
  throw new Error(`there is no ${program} in the PATH`)
}
