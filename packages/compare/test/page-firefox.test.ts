import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, launch } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, startLab } from '../src/lab.ts'

const present = (process.env['EITHERWAY_PARTS'] ?? '').split(',').includes('firefox')

describe.skipIf(!present)('the page in Firefox', () => {
  let browser: Browser
  let lab: Lab
  let home: string

  beforeAll(async () => {
    // Firefox writes to its home, which need not be writable.
    home = await mkdtemp(join(tmpdir(), 'eitherway-firefox-'))
    ;[browser, lab] = await Promise.all([
      launch({
        browser: 'firefox',
        executablePath: '/usr/bin/firefox-esr',
        env: { ...process.env, HOME: home },
      }),
      startLab({ port: 0 }),
    ])
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await lab?.close()
    await rm(home, { recursive: true, force: true })
  })

  test('faults cost nothing, a run ends with a table, and a need decides', async () => {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (line) => {
      if (line.type() === 'error') complaints.push(line.text())
    })
    await page.goto(lab.url)
    const text = (selector: string) =>
      page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent`)
    const until = (selector: string, pattern: RegExp | string, timeout = 20_000) =>
      expect.poll(() => text(selector), { timeout, message: selector }).toMatch(pattern)
    const act = (name: string, fault: string) => page.click(`[data-panel=${name}] [data-do=${fault}]`)
    const figure = (name: string, which: string) => `[data-panel=${name}] [data-figure=${which}]`

    for (const name of ['left', 'right']) await until(figure(name, 'cpu'), /^\d+$/)
    await page.waitForSelector('.picks input')

    // Found by its silence, while everything else goes on.
    await act('left', 'stall')
    await until('[data-panel=left] .silence', /^Silent for /)
    await act('right', 'throttle')
    await until(figure('right', 'note'), /^Throttled/)
    await act('right', 'cut')
    await until(figure('right', 'reconnects'), '1')

    await page.evaluate(
      `for (const box of document.querySelectorAll('.picks input')) box.checked = box.value === 'latency'`,
    )
    await page.click('.go [type=submit]')
    await until('.go [role=status]', /^Done\.$/, 40_000)
    await until('.result .meta', /^this browser, Firefox \d+ · 2 rounds$/)
    expect(
      await page.evaluate(`document.querySelectorAll('.result tbody tr:not(.case, .verdict)').length`),
    ).toBe(12)

    await page.type('[name=up]', '50')
    await until('.choice b', "'ws'")

    await until(figure('left', 'note'), /^Back after /, 30_000)
    for (const name of ['left', 'right']) {
      await until(figure(name, 'state'), 'open')
      for (const which of ['lost', 'twice', 'disordered', 'gaps']) {
        expect(await text(figure(name, which)), `${name}.${which}`).toBe('0')
      }
    }
    expect(
      complaints.filter((complaint) => !/connection to|can.t establish|was interrupted/i.test(complaint)),
    ).toEqual([])
    await page.close()
  }, 90_000)
})
