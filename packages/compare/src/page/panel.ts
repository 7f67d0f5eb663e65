import type { Clock, Offset } from './clock.ts'
import { type Feed, type Flag, pauseMs, plotMs, silenceMs } from './feed.ts'
import { find } from './find.ts'
import { bytes, decimal, ms, none, whole } from './format.ts'
import { breakLine } from './line.ts'
import { createPlot } from './plot.ts'

/** One side of the page. */
export interface Panel {
  /** Brings all words and numbers up to date. */
  show(now: number): void
  /** Brings the plots up to date. */
  draw(now: number): void
}

/** A panel shows its figures here, and again in the table that compares the two. */
type Figures = Readonly<Record<string, string>>

const titles: Readonly<Record<Flag, string>> = { sse: 'Server-Sent Events', ws: 'WebSocket' }

const oneWayNote = 'This client is one-way, so it has no send. Flip the flag to ws, and this box works.'
const twoWayNote = 'Say something, and the server sends it back to this panel alone.'

/** Fills one side of the page. @param name - `left` or `right`. */
export function createPanel(root: HTMLElement, name: string, feed: Feed, clock: Clock): Panel {
  const { page, write } = writer(root, name)
  const cut = find(root, '[data-do=cut]', HTMLButtonElement)
  const stall = find(root, '[data-do=stall]', HTMLButtonElement)
  const throttle = find(root, '[data-do=throttle]', HTMLButtonElement)
  const silence = find(root, '.silence', HTMLElement)
  const form = find(root, 'form', HTMLFormElement)
  const input = find(form, 'input', HTMLInputElement)
  const send = find(form, 'button', HTMLButtonElement)
  const cores = find(root, '.cores', HTMLElement)
  const cpuPlot = createPlot(find(root, '[data-plot=cpu]', HTMLElement), {
    label: 'Processor load of the server’s host over the last 30 seconds, in percent',
    kind: 'line',
    spanMs: plotMs,
    range: () => [0, 100],
    ticks: () => [0, 50, 100],
  })
  const latencyPlot = createPlot(find(root, '[data-plot=latency]', HTMLElement), {
    label: 'Latency of each message of the last 30 seconds, in milliseconds',
    kind: 'dots',
    spanMs: plotMs,
    logarithmic: true,
    // Whole decades, and the same ones in both panels until something is really slow: so they can be compared.
    range: (largest) => [lowestMs, 10 ** Math.max(3, Math.ceil(Math.log10(largest || 1)))],
    ticks: (low, high) => decades(low, high),
  })

  const radios = root.querySelectorAll<HTMLInputElement>('input[type=radio]')
  for (const radio of radios) {
    radio.name = `flag-${name}`
    radio.checked = radio.value === feed.flag
    radio.addEventListener('change', async () => {
      await feed.switchTo(radio.value as Flag)
      // It may have stayed as it was.
      for (const one of radios) one.checked = one.value === feed.flag
    })
  }
  cut.addEventListener('click', () => void feed.cut())
  stall.addEventListener('click', () => void feed.stall(!feed.isStalled))
  throttle.addEventListener('click', () => void feed.throttle(!feed.isThrottled))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const text = input.value.trim()
    if (text === '') return
    input.value = ''
    void feed.say(text)
  })

  function show(now: number): void {
    const { client, flag, vitals } = feed
    for (const element of page) {
      element.dataset['flag'] = flag
      element.dataset['state'] = client.state
    }
    const twoWay = client.direction === 'two-way'
    cut.disabled = client.state !== 'open'
    stall.disabled = client.state !== 'open'
    press(stall, feed.isStalled)
    press(throttle, feed.isThrottled)
    showSilence(silence, feed, now)
    input.disabled = !twoWay
    send.disabled = !twoWay
    write(figuresOf(feed, clock.offset(now), now))
    const isCurrent = feed.isCurrent(now)
    if (vitals !== undefined) showCores(cores, isCurrent ? vitals.cores : vitals.cores.map(() => 0))
  }

  return {
    show,
    draw(now) {
      const offset = clock.offset(now)
      if (offset === undefined) return
      const times = feed.points.map(({ at }) => at)
      const cpu = breakLine(
        times,
        feed.points.map((point) => point.cpu),
        pauseMs,
      )
      cpuPlot.draw(now + offset.ms, cpu.times, cpu.values)
      latencyPlot.draw(
        now + offset.ms,
        times,
        feed.points.map(({ skewedMs }) => Math.max(lowestMs, skewedMs + offset.ms)),
      )
    },
  }
}

function press(button: HTMLButtonElement, isPressed: boolean): void {
  const pressed = String(isPressed)
  if (button.getAttribute('aria-pressed') !== pressed) button.setAttribute('aria-pressed', pressed)
}

/** Counts, and so is no live region: the note says in one sentence what has begun, and what came of it. */
function showSilence(host: HTMLElement, { isStalled, heardAt }: Feed, now: number): void {
  const silentMs = Math.min(silenceMs, now - heardAt)
  host.dataset['on'] = String(isStalled)
  find(host, 'span', HTMLElement).textContent = isStalled
    ? `Silent for ${(silentMs / 1000).toFixed(1)} s of ${silenceMs / 1000} s`
    : ''
  host.style.setProperty('--share', String(isStalled ? silentMs / silenceMs : 0))
}

/** Below it the clocks tell nothing, and a logarithm needs an end. */
const lowestMs = 0.1

function decades(low: number, high: number): number[] {
  const ticks = []
  for (let tick = low; tick <= high * 1.01; tick *= 10) ticks.push(Number(tick.toPrecision(1)))
  return ticks
}

function figuresOf(feed: Feed, offset: Offset | undefined, now: number): Figures {
  const { client, flag, latency, sequence, wire } = feed
  // What the host was when the link went says nothing of what it is.
  const { vitals, load } = feed.isCurrent(now) ? feed : { vitals: undefined, load: undefined }
  const latencyOf = (share: number) => {
    const skewedMs = latency.quantile(share, now)
    return skewedMs === undefined || offset === undefined ? undefined : skewedMs + offset.ms
  }
  return {
    title: titles[flag],
    flag: `'${flag}'`,
    direction: client.direction,
    state: client.state,
    rate: latency.rate(now).toFixed(1),
    median: ms(latencyOf(0.5)),
    p99: ms(latencyOf(0.99)),
    error: `± ${ms(offset?.errorMs)}`,
    perMessage: decimal(wire.bytesPerMessage, 0),
    bytes: bytes(wire.bytes),
    reconnects: whole(feed.reconnects),
    gaps: whole(feed.gaps),
    lost: whole(sequence.lost),
    twice: whole(sequence.twice),
    disordered: whole(sequence.disordered),
    lastEventId: client.lastEventId || none,
    cpu: decimal(vitals?.cpu, 0),
    memory:
      vitals === undefined ? none : `${bytes(vitals.memoryUsedBytes)} of ${bytes(vitals.memoryTotalBytes)}`,
    load: load?.averages.map((average) => average.toFixed(2)).join('  ') ?? none,
    loopDelay: load === undefined ? none : `${ms(load.loopDelayMs)} ms`,
    note: feed.note,
    echo: client.direction === 'two-way' ? feed.echo || twoWayNote : oneWayNote,
  }
}

/** Finds where the figures go: `data-figure` in the panel, `data-cell` anywhere else, e.g. `left.median`. */
function writer(root: HTMLElement, name: string): { page: HTMLElement[]; write(figures: Figures): void } {
  const places = new Map<Element, string>()
  for (const element of root.querySelectorAll<HTMLElement>('[data-figure]')) {
    places.set(element, element.dataset['figure'] ?? '')
  }
  for (const element of document.querySelectorAll<HTMLElement>(`[data-cell^="${name}."]`)) {
    places.set(element, (element.dataset['cell'] ?? '').slice(name.length + 1))
  }
  return {
    page: [root, ...document.querySelectorAll<HTMLElement>(`[data-side="${name}"]`)],
    write(figures) {
      for (const [element, figure] of places) {
        const text = figures[figure] ?? ''
        // A live region would speak again, and a selection would be lost.
        if (element.textContent !== text) element.textContent = text
      }
    },
  }
}

function showCores(host: HTMLElement, cores: readonly number[]): void {
  while (host.childElementCount < cores.length) host.append(document.createElement('i'))
  cores.forEach((percent, index) => {
    const bar = host.children[index]
    if (bar instanceof HTMLElement) bar.style.setProperty('--share', String(percent / 100))
  })
}
