import { runScenario } from '../bench.ts'
import { bareOf } from '../contenders/bare.ts'
import { ours } from '../contenders/ours.ts'
import { type FromRunner, type Orders, ordersOf, type Run, type ToRunner } from '../runner.ts'
import { scenarios } from '../scenarios/index.ts'
import { pageScenarios } from '../scenarios/page.ts'
import { createStage } from '../stage/ask.ts'
import { provideDisposal } from './disposal.ts'
import { placeOf } from './place.ts'
import { followClock } from './stage-clock.ts'

// Runs scenarios in this browser. In a frame it is told what by the page that holds it; alone it has all in its fragment,
// and whoever drives the browser reads what it tells from `messagesFrom`.

declare global {
  /** Messages from this one on, as soon as there are any; none after a while. */
  var messagesFrom: (from: number) => Promise<readonly FromRunner[]>
}

provideDisposal()
const known = [...new Set([...scenarios, ...pageScenarios])].filter(({ places }) => places.includes('page'))
const contenders = [...ours, ...bareOf({ EventSource, WebSocket })]
const place = placeOf(navigator)

const told: FromRunner[] = []
let wake: () => void = () => undefined
let over: AbortController | undefined

const orders = ordersOf(location.hash)
// The token is for nobody who looks at the address.
history.replaceState(null, '', location.pathname)
const isFramed = window.parent !== window

/** The longest wait for news: whoever waits longer cannot tell it from a page that hangs. */
const newsMs = 10_000

globalThis.messagesFrom = async (from) => {
  if (told.length <= from) {
    await new Promise<void>((resolve) => {
      wake = resolve
      setTimeout(resolve, newsMs)
    })
  }
  return told.slice(from)
}

function tell(message: FromRunner): void {
  document.documentElement.dataset['state'] = message.type
  if (isFramed) {
    if (orders?.parent !== undefined) window.parent.postMessage(message, orders.parent)
    return
  }
  told.push(message)
  wake()
}

async function run({ access }: Orders, { scenarios: names, quick, rounds }: Run): Promise<void> {
  const mine = new AbortController()
  over = mine
  try {
    const unknown = names.filter((name) => !known.some((scenario) => scenario.name === name))
    if (unknown.length > 0) throw new Error(`no scenario of a page is named ${unknown.join(', ')}`)
    const clock = await followClock(access)
    try {
      const { secure } = access.origins
      const here = { direct: location.origin, relay: location.origin }
      const origins = secure === undefined ? here : { ...here, secure }
      const stage = createStage({ ...access, origins }, clock)
      for (const scenario of known) {
        if (!names.includes(scenario.name)) continue
        const result = await runScenario(scenario, {
          stage,
          place,
          contenders,
          quick,
          ...(rounds === undefined ? {} : { rounds }),
          signal: mine.signal,
          onProgress: (progress) => tell({ type: 'progress', progress }),
        })
        tell({ type: 'result', result })
      }
    } finally {
      clock.stop()
    }
    tell({ type: 'done' })
  } catch (error) {
    tell({ type: 'failed', message: (error as Error).message })
  } finally {
    over = undefined
  }
}

document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
  const error = new Error(`the page's own policy (${violatedDirective}) blocked ${blockedURI}`)
  if (over === undefined) tell({ type: 'failed', message: error.message })
  else over.abort(error)
})

if (orders === undefined) {
  tell({ type: 'failed', message: 'the address holds no orders: open the lab, which makes it' })
} else {
  if (isFramed) {
    window.addEventListener('message', ({ origin, source, data }: MessageEvent<ToRunner>) => {
      if (source !== window.parent || origin !== orders.parent) return
      if (data.type === 'stop') over?.abort(new Error('it was stopped'))
      else if (over === undefined) void run(orders, data)
    })
  }
  tell({ type: 'ready' })
  if (orders.run !== undefined) void run(orders, orders.run)
}
