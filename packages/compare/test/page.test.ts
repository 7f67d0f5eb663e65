import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Lab, startLab } from '../src/lab.ts'

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
    await until('left', 'perMessage', /^\d+$/)
    await until('right', 'perMessage', /^\d+$/)
  })
  afterEach(async () => {
    await page?.close()
    await lab?.close()
    expect(complaints).toEqual([])
  })

  const sticksOut = () =>
    page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('body *')]
        .filter(
          (element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5,
        )
        .map((element) => element.outerHTML.slice(0, 80)),
    )
  /** Texts that run out of their place, and over what stands beside it. */
  const overflowing = () =>
    page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('dt, dd:not(.id), th, td, figcaption, p')]
        .filter((element) => element.scrollWidth > element.clientWidth + 1)
        .map((element) => element.outerHTML.slice(0, 80)),
    )
  const panel = (name: string) => page.locator(`[data-panel=${name}]`)
  const figure = async (name: string, which: string) =>
    (await panel(name).locator(`[data-figure=${which}]`).first().textContent()) ?? ''
  const until = async (name: string, which: string, pattern: RegExp | string) =>
    expect.poll(() => figure(name, which), { timeout: 20_000, message: `${name}.${which}` }).toMatch(pattern)

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
      complaints = complaints.filter((text) => !text.includes('ERR_INCOMPLETE_CHUNKED_ENCODING'))
    },
  )

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
    complaints = complaints.filter((text) => !/ERR_CONNECTION|ERR_INCOMPLETE_CHUNKED_ENCODING/.test(text))
  })

  test('the keyboard reaches every control', async () => {
    const reached: string[] = []
    for (let press = 0; press < 6; press += 1) {
      await page.keyboard.press('Tab')
      reached.push(
        await page.evaluate(() => {
          const element = document.activeElement
          const side = element?.closest<HTMLElement>('[data-panel]')?.dataset['panel']
          return `${side} ${element instanceof HTMLInputElement ? element.type : element?.textContent}`
        }),
      )
    }
    expect(reached).toEqual([
      'left radio',
      'left Cut the connection',
      'right radio',
      'right Cut the connection',
      'right text',
      'right Send',
    ])
    await panel('left').getByRole('radio', { name: 'sse' }).focus()
    await page.keyboard.press('ArrowRight')
    await until('left', 'direction', 'two-way')
  })

  test('nothing sticks out of a phone or a wide screen, or of anything between', async () => {
    for (const width of [320, 360, 390, 768, 1024, 1280, 1600]) {
      await page.setViewportSize({ width, height: 900 })
      // The plots follow a frame later.
      await expect.poll(sticksOut, { message: `at ${width}` }).toEqual([])
      expect(await overflowing(), `at ${width}`).toEqual([])
    }
  })
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
