import { type Client, connect } from '@eitherway/client'
import type { Gap } from '@eitherway/core'
import type { Meter } from '../lab.ts'
import type { Stamp } from '../publishing.ts'
import { createSequence, type Sequence } from '../sequence.ts'
import type { Load, Vitals } from '../vitals.ts'
import type { Clock } from './clock.ts'
import { bytes } from './format.ts'
import { pageMs } from './probe.ts'
import { createWindow, type SlidingWindow } from './stats.ts'
import { createWire, type Wire } from './wire.ts'

/** The one word that differs. */
export type Flag = 'sse' | 'ws'

/** One message as the plots need it. */
export interface Point {
  /** The server's clock when it was published. */
  readonly at: number
  readonly cpu: number
  /** Time to this page, by two clocks: the server's offset is still in it. */
  readonly skewedMs: number
}

/** What one panel shows: a client, and what is measured on it. */
export interface Feed {
  readonly client: Client
  readonly flag: Flag
  /** Whether nothing gets through its present link, and nobody was told. */
  readonly isStalled: boolean
  /** Whether its links are slowed down, this one and those to come. */
  readonly isThrottled: boolean
  /** Since when nothing was heard, on the page's clock. */
  readonly heardAt: number
  readonly latency: SlidingWindow
  readonly sequence: Sequence
  readonly wire: Wire
  readonly points: readonly Point[]
  /** The latest reading, which may be of long ago: see `isCurrent`. */
  readonly vitals: Vitals | undefined
  readonly load: Load | undefined
  /** Whether the latest readings still say how the host is now. */
  isCurrent(now: number): boolean
  readonly reconnects: number
  /** How often the client was told that messages are gone for good. */
  readonly gaps: number
  /** The latest thing that happened to the link, for people. */
  readonly note: string
  /** What became of the latest chat message, for people. */
  readonly echo: string
  /** Flips the flag of the running client: nothing is lost, nothing comes twice. Where the other does not come about, it stays. */
  switchTo(flag: Flag): Promise<void>
  /** Has the server destroy this panel's socket. */
  cut(): Promise<void>
  /** Lets nothing through the link any more, or ends the link that was stalled. */
  stall(on: boolean): Promise<void>
  /** Slows the panel's links down, until it is told otherwise. */
  throttle(on: boolean): Promise<void>
  say(text: string): Promise<void>
  readMeter(): Promise<void>
}

const channels = ['vitals', 'load']

const gapNotes: Readonly<Record<Gap['reason'], string>> = {
  epoch: 'The server has begun anew',
  evicted: 'History does not reach back that far',
  slow: 'This page read too slowly',
  unknown: 'The server does not know where this client was',
}

/** How far the plots look back. */
export const plotMs = 30_000
/** What the figures are taken over. */
const figuresMs = 10_000
/** Longer than this without a reading, and nobody knows how the host was meanwhile. */
export const pauseMs = 1000
/** After so long a silence the client takes the link for dead: ten seconds more than the server's heartbeat. */
export const silenceMs = 15_000

/** Starts a feed. @param panel - tells the server whose connection is whose. */
export function createFeed(panel: string, first: Flag, clock: Clock): Feed {
  const query = new URLSearchParams({ panel })
  const latency = createWindow(figuresMs, pageMs())
  const sequence = createSequence()
  const wire = createWire()
  let points: Point[] = []
  let vitals: Vitals | undefined
  let load: Load | undefined
  let heardAt = pageMs()
  let isStalled = false
  let isThrottled = false
  let reconnects = 0
  let gaps = 0
  let note = ''
  let echo = ''
  let said = { number: 0, at: 0, pending: false }
  /** Since when there has been no link. */
  let awaySince: number | undefined
  /** The link that has just come back, and how many messages it has brought that were published before. */
  let comeback: { openedAt: number; awayMs: number; missed: number } | undefined
  let flag = first
  const client: Client = connect(`/live?${query}`, { transport: flag, channels })

  client.on<Stamp & Vitals>('vitals', (reading) => {
    vitals = reading
    const skewedMs = receive(reading)
    points.push({ at: reading.at, cpu: reading.cpu, skewedMs })
    if (points.length % 100 === 0) points = points.filter(({ at }) => reading.at - at < 1.1 * plotMs)
  })
  client.on<Stamp & Load>('load', (reading) => {
    load = reading
    receive(reading)
  })
  client.on<{ number: number; text: string }>('chat', ({ number, text }) => {
    if (number === said.number) settle(`“${text}” came back after ${(pageMs() - said.at).toFixed(1)} ms.`)
  })
  let hasBeenOpen = false
  client.onState((state, reason) => {
    const now = pageMs()
    if (state === 'waiting') {
      isStalled = false
      awaySince ??= now
      comeback = undefined
      if (said.pending) settle('The link went before the echo came, and an answer to one peer is not stored.')
      note = `Lost: ${reason?.reason || `code ${reason?.code}`}. It will come back by itself.`
    } else if (state === 'open') {
      if (hasBeenOpen) reconnects += 1
      else note = 'Connected.'
      heardAt = now
      if (awaySince !== undefined) comeback = { openedAt: now, awayMs: now - awaySince, missed: 0 }
      hasBeenOpen = true
      awaySince = undefined
    } else if (state === 'closed') {
      note = `Closed for good: ${reason?.reason || `code ${reason?.code}`}.`
    }
  })
  client.onGap(({ reason }) => {
    gaps += 1
    sequence.restart()
    note = `${gapNotes[reason]}. The client is told of the gap, and the stream goes on.`
    comeback = undefined
  })

  async function post<T>(path: string, on = ''): Promise<T> {
    const response = await fetch(`${path}?${query}${on && `&on=${on}`}`, { method: 'POST' })
    return (await response.json()) as T
  }

  function settle(outcome: string): void {
    said = { ...said, pending: false }
    echo = outcome
  }

  /** @returns how long the message was under way, the clocks' offset included. */
  function receive({ seq, at }: Stamp): number {
    const now = pageMs()
    heardAt = now
    sequence.add(seq)
    latency.add(now, now - at)
    if (comeback !== undefined) {
      const offset = clock.offset(now)?.ms ?? 0
      if (at - offset < comeback.openedAt) {
        comeback.missed += 1
      } else {
        const { awayMs, missed } = comeback
        note = `Back after ${(awayMs / 1000).toFixed(2)} s, and caught up on ${missed} ${missed === 1 ? 'message' : 'messages'}.`
        comeback = undefined
      }
    }
    return now - at
  }

  return {
    get client() {
      return client
    },
    get flag() {
      return flag
    },
    latency,
    sequence,
    wire,
    get isStalled() {
      return isStalled
    },
    get isThrottled() {
      return isThrottled
    },
    get heardAt() {
      return heardAt
    },
    get points() {
      return points
    },
    get vitals() {
      return vitals
    },
    get load() {
      return load
    },
    isCurrent: (now) => client.state === 'open' && now - heardAt <= pauseMs,
    get reconnects() {
      return reconnects
    },
    get gaps() {
      return gaps
    },
    get note() {
      return note
    },
    get echo() {
      return echo
    },
    async switchTo(next) {
      if (next === flag) return
      const since = pageMs()
      note = `Changing over to '${next}' …`
      try {
        await client.switchTo(next)
      } catch (error) {
        note = `Still on '${flag}': ${(error as Error).message}.`
        return
      }
      flag = next
      isStalled = false
      echo = ''
      note = `On '${next}' after ${((pageMs() - since) / 1000).toFixed(2)} s, without a break.`
    },
    async cut() {
      try {
        await post('/cut')
      } catch {
        note = 'The server did not answer, so nothing was cut.'
      }
    },
    async stall(on) {
      try {
        if (!on) {
          await post('/release')
          return
        }
        const { stalled } = await post<{ stalled: boolean }>('/stall')
        isStalled = stalled
        if (stalled)
          note = 'Stalled: the network swallows every byte and tells nobody. The client has to find out.'
      } catch {
        note = 'The server did not answer, so nothing was changed.'
      }
    },
    async throttle(on) {
      try {
        const { bytesPerSecond } = await post<{ bytesPerSecond: number | null }>('/throttle', String(on))
        isThrottled = bytesPerSecond !== null
        note = isThrottled
          ? `Throttled to ${bytes(bytesPerSecond ?? 0)} a second, after a reconnect as well.`
          : 'At full speed again.'
      } catch {
        note = 'The server did not answer, so nothing was changed.'
      }
    },
    async say(text) {
      if (client.direction !== 'two-way') return
      said = { number: said.number + 1, at: pageMs(), pending: client.state === 'open' }
      const { number } = said
      echo = said.pending ? 'Sent.' : 'It leaves as soon as the link is back.'
      try {
        await client.send('chat', { number, text })
      } catch (error) {
        if (number === said.number) settle(`Not sent: ${(error as Error).message}.`)
      }
    },
    async readMeter() {
      const response = await fetch(`/meter?${query}`, { cache: 'no-store' })
      const meter = (await response.json()) as Meter | null
      if (meter !== null) wire.add(pageMs(), meter)
    },
  }
}
