import { type Client, connect } from '@eitherway/client'
import { shared } from '@eitherway/client/tabs'
import { linked } from '@eitherway/core'
import { seeded } from '@eitherway/core/testing'
import { createHub } from '@eitherway/server'
import { vi } from 'vitest'
import { createFakeBrowser, type FakeTab } from './fake-browser.ts'

/** What a run of many tabs came to. */
export interface TabsRun {
  /** What must not be; none where all is well. */
  readonly problems: readonly string[]
  /** What befell the tabs. */
  readonly trace: readonly string[]
  /** How many hubs' peers were left for all tabs. */
  readonly peers: number
  /** Links that the hub had in all. */
  readonly links: number
}

interface Seated {
  readonly number: number
  readonly tab: FakeTab
  readonly client: Client<'one-way'>
  readonly heard: number[]
  /** What had been published when it was open first. */
  since: number | undefined
  isFrozen: boolean
}

const most = 10

/**
 * Plays a browser in which tabs come, go, crash, freeze and thaw while a hub publishes and cuts links. Asks for fake timers.
 * Whatever happens, each tab hears what was published from its beginning on, once and in order.
 */
export async function simulateTabs(seed: number, steps = 60): Promise<TabsRun> {
  const random = seeded(seed)
  // How long clients wait until they come back.
  const chance = vi.spyOn(Math, 'random').mockImplementation(random)
  const below = (count: number) => Math.floor(random() * count)
  const pick = <T>(items: readonly T[]): T | undefined => items[below(items.length)]
  const hub = createHub({ retryMs: 250, heartbeatMs: 1_000 })
  let links = 0
  hub.onConnect(() => {
    links += 1
  })
  const browser = createFakeBrowser(random)
  const trace: string[] = []
  const problems: string[] = []
  let seats: Seated[] = []
  let published = 0
  let opened = 0

  function check({ number, heard, since }: Seated, isAtEnd: boolean): void {
    const first = heard[0] ?? published
    if (heard.some((value, at) => value !== first + at)) {
      problems.push(`tab ${number} heard ${heard.join(' ')}`)
    }
    if (since !== undefined && heard.length > 0 && first > since) {
      problems.push(`tab ${number} was open at ${since} and first heard ${first}`)
    }
    if (isAtEnd && heard.at(-1) !== published - 1) {
      problems.push(`tab ${number} heard up to ${heard.at(-1)} of ${published - 1}`)
    }
  }

  function open(): void {
    const tab = browser.newTab()
    opened += 1
    const inner = tab.over(linked(hub.accept, { direction: 'one-way' }))
    const client = connect('http://test/live', {
      transport: shared(inner, { user: 'u', locks: tab.locks, broadcast: tab.broadcast }),
      channels: ['a', 'b'],
      silenceMs: 4_000,
      onError: (error) => problems.push(`tab ${opened}: ${String(error)}`),
    })
    const seat: Seated = { number: opened, tab, client, heard: [], since: undefined, isFrozen: false }
    client.onState((state) => {
      if (state === 'open') seat.since ??= published
      trace.push(`  tab ${seat.number} is ${state}`)
    })
    client.onGap(({ reason }) => problems.push(`tab ${seat.number} was told of a gap: ${reason}`))
    for (const channel of ['a', 'b']) {
      client.on<number>(channel, (value) => {
        // Of a tab that is gone nobody hears.
        if (seats.includes(seat)) seat.heard.push(value)
      })
    }
    seats.push(seat)
  }

  function gone(seat: Seated): void {
    seats = seats.filter((other) => other !== seat)
    check(seat, false)
  }

  function crash(seat: Seated): void {
    gone(seat)
    seat.tab.crash()
    void seat.client.close()
  }

  const acts: readonly (readonly [string, (seat: Seated) => void])[] = [
    ['crashes', crash],
    [
      'closes',
      (seat) => {
        gone(seat)
        void seat.client.close()
      },
    ],
    [
      'freezes',
      (seat) => {
        seat.isFrozen = true
        seat.tab.freeze()
      },
    ],
    ['is cut', ({ tab }) => tab.cut()],
  ]

  async function publish(): Promise<void> {
    await hub.publish(pick(['a', 'b']) as string, published)
    published += 1
  }

  async function settle(): Promise<void> {
    await vi.advanceTimersByTimeAsync(60_000)
    await publish()
    await vi.advanceTimersByTimeAsync(1_000)
  }

  for (let step = 0; step < steps; step += 1) {
    const leader = seats.find(({ tab }) => tab.leads)
    const seat = random() < 0.6 ? leader : pick(seats)
    const dice = random()
    if (seats.length < 2 || (dice < 0.3 && seats.length < most)) open()
    else if (dice < 0.55 && seat !== undefined && !seat.isFrozen) {
      const [name, act] = pick(acts) as (typeof acts)[number]
      trace.push(`tab ${seat.number}${seat === leader ? ', the leader,' : ''} ${name}`)
      act(seat)
    } else if (dice < 0.65) {
      const frozen = pick(seats.filter(({ isFrozen }) => isFrozen))
      if (frozen !== undefined) {
        trace.push(`tab ${frozen.number} thaws`)
        frozen.isFrozen = false
        frozen.tab.thaw()
      }
    } else if (dice < 0.7) {
      trace.push('the server lets all go')
      for (const peer of hub.peers) peer.close({ code: 1012, reason: 'restart' })
    } else for (let count = below(20); count > 0; count -= 1) await publish()
    await vi.advanceTimersByTimeAsync(random() < 0.2 ? below(6_000) : below(40))
  }

  // Nobody waits for those who sleep.
  const frozen = seats.filter(({ isFrozen }) => isFrozen)
  await settle()
  for (const seat of seats) if (!frozen.includes(seat)) check(seat, true)
  for (const { tab } of frozen) tab.thaw()
  await settle()
  for (const seat of seats) {
    check(seat, true)
    if (seat.client.state !== 'open') problems.push(`tab ${seat.number} is ${seat.client.state}`)
  }
  const peers = hub.peers.size
  if (peers !== 1) problems.push(`${seats.length} tabs have ${peers} links`)
  for (const { client } of seats) void client.close()
  await hub.close()
  await vi.advanceTimersByTimeAsync(10_000)
  chance.mockRestore()
  return { problems, trace, peers, links }
}
