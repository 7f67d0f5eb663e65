import { createClock } from './clock.ts'
import { createAdvice, createExport, showAnswers, showResults } from './conclude.ts'
import { createFeed, type Flag } from './feed.ts'
import { find } from './find.ts'
import { ms } from './format.ts'
import { createLabClient } from './lab.ts'
import { createMeasuring } from './measure.ts'
import { createPanel } from './panel.ts'
import { pageMs, probeClock } from './probe.ts'
import { createRecord } from './record.ts'
import { createRestart } from './restart.ts'

const sides: readonly (readonly [name: string, flag: Flag])[] = [
  ['left', 'sse'],
  ['right', 'ws'],
]

const clock = createClock()
const template = find(document, '#panel', HTMLTemplateElement)
const panels = find(document, '#panels', HTMLElement)
const clockError = find(document, '#clock-error', HTMLElement)

const feeds = sides.map(([, flag]) => createFeed(newToken(), flag, clock))
const views = sides.map(([name], index) => {
  const feed = feeds[index]
  if (feed === undefined) throw new Error(`no feed for the ${name} panel`)
  const root = find(template.content.cloneNode(true) as DocumentFragment, 'article', HTMLElement)
  root.dataset['panel'] = name
  panels.append(root)
  return createPanel(root, name, feed, clock)
})
find(document, '#origin', HTMLElement).textContent = location.origin

const calm = matchMedia('(prefers-reduced-motion: reduce)')
const showMs = 250
const drawMs = 66
const calmMs = 1000

let shownAt = 0
let drawnAt = 0
function frame(): void {
  const now = pageMs()
  if (now - drawnAt >= (calm.matches ? calmMs : drawMs)) {
    drawnAt = now
    for (const view of views) view.draw(now)
  }
  if (now - shownAt >= (calm.matches ? calmMs : showMs)) {
    shownAt = now
    for (const view of views) view.show(now)
    clockError.textContent = ms(clock.offset(now)?.errorMs)
  }
  requestAnimationFrame(frame)
}
frame()

createRestart(find(document, '#server', HTMLElement))
const page = newToken()
const lab = createLabClient(page)
void ask(async () => {
  const catalogue = await lab.catalogue()
  const { machine, scenarios } = catalogue
  const record = createRecord(
    machine,
    scenarios.map(({ name }) => name),
  )
  showResults(find(document, '#results', HTMLElement), record)
  showAnswers(find(document, '#answers', HTMLElement), record, machine)
  createAdvice(find(document, '#advice', HTMLElement), record)
  createExport(find(document, '#save', HTMLElement), record)
  createMeasuring(find(document, '#measure', HTMLElement), catalogue, lab, record, page)
})

// While nobody looks, nothing is asked: browsers starve the timers of hidden pages, and late answers tell little.
every(1000, () => Promise.all(feeds.map((feed) => feed.readMeter())))
for (let probe = 0; probe < 8; probe += 1) await ask(askClock)
every(2000, askClock)

async function askClock(): Promise<void> {
  clock.add(await probeClock())
}

function every(periodMs: number, question: () => Promise<unknown>): void {
  setInterval(() => {
    if (!document.hidden) void ask(question)
  }, periodMs)
}

async function ask(question: () => Promise<unknown>): Promise<void> {
  try {
    await question()
  } catch {
    // The server is away. The panels say so, and the next question may be answered.
  }
}

/** Not `crypto.randomUUID`, which a page has only over HTTPS or from its own machine. */
function newToken(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}
