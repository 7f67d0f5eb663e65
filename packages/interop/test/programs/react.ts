import { connect, type OneWayClient, type TwoWayClient } from '@eitherway/client'
import { createHooks } from '@eitherway/react'
import {
  createElement as h,
  Profiler,
  type ReactElement,
  StrictMode,
  startTransition,
  useEffect,
  useLayoutEffect,
  useState,
} from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { print } from './print.ts'

/** Settings of the page. */
export interface PageSettings {
  readonly url: string
  readonly transport: 'sse' | 'ws'
  /** Where the state is read, if it is. */
  readonly stateUrl?: string
  /** What the server rendered, to be hydrated. */
  readonly html?: string
}

let makes = 0
type Page = OneWayClient | TwoWayClient
const { Provider, useConnection, useLastMessage, useReduced, useGap, useSend, useClient } = createHooks<
  TwoWayClient,
  { news: number; chat: string }
>()

/** A page of one client: it tells what its components show, in records. */
export function App({ url, transport, stateUrl }: PageSettings): ReactElement {
  const make = () => {
    makes += 1
    return connect(url, { transport, channels: ['news'] }) as Page as TwoWayClient
  }
  const parts = [
    h(Status, { key: 'status' }),
    h(Last, { key: 'last' }),
    h(All, { key: 'all', stateUrl }),
    h(Idle, { key: 'idle' }),
    h(Crowd, { key: 'crowd' }),
  ]
  return h(Provider, { connect: make }, ...parts)
}

function Status() {
  const { state, reason } = useConnection()
  const send = useSend()
  const client = useClient()
  useEffect(() => print({ state, code: reason?.code ?? null }), [state, reason])
  useEffect(() => {
    Object.assign(globalThis, { send })
  }, [send])
  useEffect(() => {
    if (client !== undefined) Object.assign(globalThis, { client })
  }, [client])
  return h('p', null, state)
}

function Last() {
  const last = useLastMessage('news')
  useEffect(() => print({ last: last?.data ?? null }), [last])
  return h('p', null, last?.data ?? 'none')
}

const append = (all: readonly number[], { data }: { data: number }) => [...all, data]
const nothingYet: readonly number[] = []
let renders = 0
let idles = 0

function All({ stateUrl }: { stateUrl: string | undefined }) {
  const read =
    stateUrl === undefined
      ? undefined
      : async (signal: AbortSignal) => (await (await fetch(stateUrl, { signal })).json()) as readonly number[]
  const all = useReduced('news', append, nothingYet, read)
  useGap(() => print({ gap: true }))
  useEffect(() => print({ all }), [all])
  const onRender = () => {
    renders += 1
  }
  return h(Profiler, { id: 'all', onRender }, h('p', null, all.join()))
}

/** Reads an event that nobody publishes: it never renders again. */
function Idle() {
  useLastMessage('chat')
  useEffect(() => {
    idles += 1
  })
  return null
}

/** What the members of a crowd showed: in one commit, all of them the same. */
const shown: string[] = []
const begun = new Set<string>()

/** Many slow readers that a transition brings: React leaves off between them, and messages come. */
function Crowd() {
  const [count, setCount] = useState(0)
  useEffect(() => {
    Object.assign(globalThis, { gather: (size: number) => startTransition(() => setCount(size)) })
  }, [])
  useLayoutEffect(() => {
    if (count > 0) print({ crowd: [...new Set(shown)].length, size: shown.length, met: begun.size })
  }, [count])
  return h('div', null, ...Array.from({ length: count }, (_, at) => h(Member, { key: at })))
}

function Member() {
  const last = useLastMessage('news')
  const { state } = useConnection()
  const text = `${state} ${last?.data}`
  begun.add(text)
  // Until a message has come meanwhile there is much time for one.
  const until = performance.now() + (begun.size < 2 ? 20 : 2)
  while (performance.now() < until) {
    // Slow on purpose.
  }
  useLayoutEffect(() => {
    shown.push(text)
  })
  return h('i', null, text)
}

/** Starts the page. Globals: `send`, `client`, `gather(count)`, `unmount()`, `renders()`, `idles()`, `makes()`. */
export function start(settings: PageSettings): void {
  const { html } = settings
  console.error = (...complaint: unknown[]) => print({ complaint: complaint.map(String) })
  const place = document.body.appendChild(document.createElement('main'))
  // At the root: within what is mounted with it, React 19 lets it do half of its work.
  const app = h(StrictMode, null, h(App, settings))
  const options = { onRecoverableError: (error: unknown) => print({ complaint: String(error) }) }
  if (html !== undefined) place.innerHTML = html
  const root = html === undefined ? createRoot(place, options) : hydrateRoot(place, app, options)
  if (html === undefined) root.render(app)
  Object.assign(globalThis, {
    unmount: () => root.unmount(),
    renders: () => renders,
    idles: () => idles,
    makes: () => makes,
  })
}
