import { connect } from '@eitherway/client'
import type { Progress } from '../bench.ts'
import type { Catalogue, ScenarioEntry } from '../lab.ts'
import { shareOf } from '../progress-bar.ts'
import type { Place } from '../report.ts'
import type { Step } from '../run.ts'
import type { Run, RunEvent } from '../runs.ts'
import { element } from './element.ts'
import { find } from './find.ts'
import { runInFrame } from './frame.ts'
import type { LabClient } from './lab.ts'
import type { Record } from './record.ts'

/** A run that this page shows. */
interface Shown {
  readonly id: number
  readonly place: Place['kind']
  /** The bar never goes back, although a scenario learns only on its way how much there is to measure. */
  share: number
  readonly stop: () => void
}

const everywhere: Readonly<{ [K in Place['kind']]: string }> = {
  node: 'on the server’s machine only',
  page: 'in a browser only',
}

/**
 * The form that runs scenarios. Runs by Node are told on a channel of our own hub, whichever page began them; a run of this
 * page is the frame's.
 */
export function createMeasuring(
  root: HTMLElement,
  { scenarios }: Catalogue,
  lab: LabClient,
  record: Record,
  page: string,
): void {
  const form = find(root, 'form', HTMLFormElement)
  const picks = find(form, '.picks', HTMLElement)
  const start = find(form, '[type=submit]', HTMLButtonElement)
  const stop = find(form, '[data-do=stop]', HTMLButtonElement)
  const everything = find(form, '[data-do=all]', HTMLButtonElement)
  const bar = find(form, 'progress', HTMLProgressElement)
  const now = find(form, '.now', HTMLElement)
  const status = find(form, '[role=status]', HTMLElement)
  const boxes = new Map(scenarios.map((entry) => [entry, createPick(picks, entry)]))
  let shown: Shown | undefined
  /** Results that were shown already, so that an answer to "what is new?" does not draw them again. */
  const known = new Set<string>()

  const placeOf = () => new FormData(form).get('place') as Place['kind']
  const possible = () => [...boxes].filter(([{ places }]) => places.includes(placeOf()))
  const chosen = () =>
    possible()
      .filter(([, box]) => box.checked)
      .map(([{ name }]) => name)

  function refresh(): void {
    const isRunning = shown !== undefined
    for (const [{ places }, box] of boxes) box.disabled = isRunning || !places.includes(placeOf())
    for (const radio of form.querySelectorAll<HTMLInputElement>('input[type=radio]'))
      radio.disabled = isRunning
    everything.disabled = isRunning
    everything.textContent = possible().every(([, box]) => box.checked) ? 'None' : 'All'
    start.disabled = isRunning || chosen().length === 0
    stop.disabled = !isRunning
    form.dataset['running'] = String(isRunning)
    if (isRunning) return
    bar.value = 0
    now.textContent = ''
  }
  function show(run: Pick<Run, 'id' | 'place'>, onStop: () => void): void {
    if (shown?.id === run.id) return
    shown = { id: run.id, place: run.place, share: 0, stop: onStop }
    status.textContent =
      run.place === 'node' ? 'It runs on the server’s machine.' : 'It runs in this browser.'
    refresh()
  }
  function advance(progress: Progress, step: Step): void {
    if (shown === undefined) return
    shown.share = Math.max(shown.share, shareOf(progress, step))
    bar.value = shown.share
    now.textContent = [`${Math.floor(shown.share * 100)} %`, progress.title, progress.now]
      .filter(Boolean)
      .join(' · ')
  }
  function conclude({
    status: outcome,
    message,
    failures,
  }: Pick<Run, 'status' | 'message' | 'failures'>): void {
    shown = undefined
    const words = {
      running: '',
      done: 'Done.',
      stopped: 'Stopped. What was measured until then stays.',
      failed: `It ended early: ${message}.`,
    }
    status.textContent = [words[outcome], ...failures.map((failure) => `${failure}.`)].join(' ')
    refresh()
  }

  /** Brings the page up to what the lab says of a run by Node. */
  async function catchUp(): Promise<void> {
    const run = await lab.latest()
    if (run === undefined || run.place !== 'node') return
    for (const result of run.results) {
      const key = `${run.id} ${result.scenario}`
      if (!known.has(key)) record.add(result)
      known.add(key)
    }
    if (run.status === 'running') {
      show(run, () => void lab.end(run.id).catch(() => undefined))
      if (run.progress !== undefined && run.step !== undefined) advance(run.progress, run.step)
    } else if (shown?.id === run.id) conclude(run)
  }

  // Not by SSE: a browser has six connections to this server, and both panels may need two of them.
  const client = connect(`/live?${new URLSearchParams({ page })}`, { transport: 'ws', channels: ['runs'] })
  const tryCatchUp = () => void catchUp().catch(() => undefined) // the server is away, and the next link asks again
  client.onState((state) => state === 'open' && tryCatchUp())
  client.on<RunEvent>('runs', (event) => {
    if (event.type === 'progress') {
      if (shown?.id === event.id) advance(event.progress, event.step)
    } else tryCatchUp()
  })

  async function measureHere(run: Run): Promise<void> {
    const over = new AbortController()
    show(run, () => over.abort())
    let failure: string | undefined
    try {
      const access = await lab.stage()
      if (access === undefined) throw new Error('the server to measure did not start')
      const { scenarios: names, quick } = run
      const hear: Parameters<typeof runInFrame>[2] = (message) => {
        if (message.type === 'result') record.add(message.result)
        else if (message.type === 'progress') {
          advance(message.progress, {
            index: Math.max(0, names.indexOf(message.progress.scenario)),
            of: names.length,
          })
        }
      }
      await runInFrame(access, { scenarios: names, quick }, hear, over.signal)
    } catch (error) {
      failure = (error as Error).message
    }
    const isWhole = failure === undefined && !over.signal.aborted
    conclude({
      status: isWhole ? 'done' : failure === undefined ? 'stopped' : 'failed',
      ...(failure !== undefined && { message: failure }),
      failures: [],
    })
    await lab.end(run.id, failure).catch(() => undefined)
  }

  form.addEventListener('change', refresh)
  everything.addEventListener('click', () => {
    const isAll = possible().every(([, box]) => box.checked)
    for (const [, box] of possible()) box.checked = !isAll
    refresh()
  })
  stop.addEventListener('click', () => {
    status.textContent = 'It is told to stop.'
    shown?.stop()
  })
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const quick = new FormData(form).get('depth') === 'quick'
    try {
      const run = await lab.begin({ place: placeOf(), scenarios: chosen(), quick })
      if (run.place === 'page') await measureHere(run)
      else await catchUp()
    } catch (error) {
      status.textContent = `Not begun: ${(error as Error).message}.`
    }
  })
  refresh()
}

function createPick(host: HTMLElement, { name, title, question, places }: ScenarioEntry): HTMLInputElement {
  const box = element('input', { type: 'checkbox', name: 'scenario', value: name, checked: '' })
  const [only] = places
  const where = places.length === 1 && only !== undefined ? [element('small', {}, everywhere[only])] : []
  host.append(
    element(
      'li',
      {},
      element('label', {}, box, element('b', {}, title), element('span', {}, question), ...where),
    ),
  )
  return box
}
