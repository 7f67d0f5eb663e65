import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'
import { launch } from 'puppeteer-core'
import { lacks } from './harness.ts'

/** A tab of a browser, driven from outside. */
export interface Tab {
  onLog(tell: (text: string) => void): void
  goto(url: string): Promise<unknown>
  /** Runs a script in the page, and awaits what it returns. */
  evaluate<T>(script: string): Promise<T>
  setOffline(offline: boolean): Promise<void>
  /** Puts another tab before it, and fulfils with its undo. */
  hide(): Promise<() => Promise<void>>
  /** Its process dies. Only where the browser does that on demand. */
  crash?(): Promise<void>
  close(): Promise<void>
}

/** One browser for many tabs. */
export interface Browser {
  /** @param beside - a tab of the same person: the two share storage, locks and connections. */
  newTab(beside?: Tab): Promise<Tab>
  close(): Promise<void>
}

async function openChromium(): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
    ],
  })
  const contexts = new Map<Tab, BrowserContext>()
  return {
    async newTab(beside) {
      const context = (beside && contexts.get(beside)) ?? (await browser.newContext())
      const page = await context.newPage()
      const tab: Tab = {
        onLog: (tell) => page.on('console', (line) => line.type() === 'log' && tell(line.text())),
        goto: (url) => page.goto(url),
        evaluate: (script) => page.evaluate(script),
        setOffline: (offline) => context.setOffline(offline),
        async hide() {
          await page.evaluate("show('hidden')")
          return () => page.evaluate("show('visible')")
        },
        async crash() {
          const session = await context.newCDPSession(page)
          const gone = new Promise<void>((resolve) => page.once('crash', () => resolve()))
          // The process that would answer is the one that dies.
          session.send('Page.crash').catch(() => undefined)
          await gone
        },
        async close() {
          await page.close()
          if (context.pages().length === 0) await context.close()
        },
      }
      contexts.set(tab, context)
      return tab
    },
    close: () => browser.close(),
  }
}

async function openFirefox(): Promise<Browser> {
  // Firefox writes to its home, which need not be writable.
  const home = await mkdtemp(join(tmpdir(), 'eitherway-firefox-'))
  const browser = await launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    env: { ...process.env, HOME: home },
  })
  return {
    async newTab() {
      const page = await browser.newPage()
      return {
        onLog: (tell) => page.on('console', (line) => line.type() === 'log' && tell(line.text())),
        goto: (url) => page.goto(url),
        evaluate: <T>(script: string) => page.evaluate(script) as Promise<T>,
        setOffline: (offline) => page.setOfflineMode(offline),
        async hide() {
          const other = await browser.newPage()
          await other.bringToFront()
          return async () => {
            await other.close()
            await page.bringToFront()
          }
        },
        close: () => page.close(),
      }
    },
    async close() {
      await browser.close()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** The browsers, and whether they are here. */
export const places = [
  { where: 'in Chromium', missing: lacks('chromium'), open: openChromium },
  { where: 'in Firefox', missing: lacks('firefox'), open: openFirefox },
]
