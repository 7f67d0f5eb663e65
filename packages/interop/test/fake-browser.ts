import type { BroadcastLike, LocksLike } from '@eitherway/client/tabs'
import { type Close, createEnding, type OneWayConnection, type Transport } from '@eitherway/core'

/** A tab of a browser that is played: its locks, its channels to other tabs and its links, and what may befall it. */
export interface FakeTab {
  readonly locks: LocksLike
  readonly broadcast: (name: string) => BroadcastLike
  /** A transport whose links end with the tab, and bring nothing while it is frozen. */
  over(transport: Transport<'one-way'>): Transport<'one-way'>
  /** Nothing happens in it any more, without a word before. */
  freeze(): void
  /** What was to happen in the meantime happens now. */
  thaw(): void
  /** It is gone: its locks are free, its links are cut, and nothing is heard of it again. */
  crash(): void
  /** Breaks its links without a goodbye. */
  cut(): void
  /** Whether it has a lock. */
  readonly leads: boolean
}

interface Grant {
  readonly tab: Process
  readonly hold: () => Promise<void>
  settle(error?: unknown): void
}

/** What runs a tab: tasks, which wait while it is frozen. */
interface Process {
  isFrozen: boolean
  isGone: boolean
  readonly waiting: (() => void)[]
}

/** Plays a browser whose tabs share locks and channels as the standards have it; what is said takes its time. */
export function createFakeBrowser(random: () => number): { newTab(): FakeTab } {
  const held = new Map<string, Grant>()
  const queues = new Map<string, Grant[]>()
  const channels = new Map<string, Set<Ear>>()

  interface Ear {
    readonly tab: Process
    readonly listeners: ((event: { readonly data: unknown }) => void)[]
  }

  /** Runs in a tab, as a task of its own. */
  function task(tab: Process, run: () => void): void {
    if (tab.isGone) return
    if (tab.isFrozen) tab.waiting.push(run)
    else run()
  }

  /** What comes this way arrives in the order in which it was sent, after a while. */
  function createWay(tab: Process): (run: () => void) => void {
    let last = 0
    return (run) => {
      last = Math.max(last, Date.now() + Math.floor(random() * 8))
      setTimeout(() => task(tab, run), last - Date.now())
    }
  }

  function grantNext(name: string): void {
    if (held.has(name)) return
    const next = queues.get(name)?.shift()
    if (next !== undefined) grant(name, next)
  }

  function grant(name: string, next: Grant): void {
    held.set(name, next)
    createWay(next.tab)(() => {
      void next.hold().then(() =>
        task(next.tab, () => {
          next.settle()
          if (held.get(name) !== next) return
          held.delete(name)
          grantNext(name)
        }),
      )
    })
  }

  return {
    newTab() {
      const tab: Process = { isFrozen: false, isGone: false, waiting: [] }
      const links = new Set<(close: Close) => void>()
      const cut = () => {
        for (const end of links) end({ code: 1006, reason: 'cut' })
      }

      const locks: LocksLike = {
        request: (name, { signal, steal = false }, hold) =>
          new Promise((resolve, reject) => {
            const tell = createWay(tab)
            const mine: Grant = {
              tab,
              hold,
              settle: (error) => (error === undefined ? resolve(undefined) : tell(() => reject(error))),
            }
            task(tab, () => {
              const queue = queues.get(name) ?? []
              queues.set(name, queue)
              if (steal) {
                held.get(name)?.settle(new DOMException('stolen', 'AbortError'))
                grant(name, mine)
                return
              }
              queue.push(mine)
              signal?.addEventListener('abort', () => {
                task(tab, () => {
                  const waiting = queues.get(name) ?? []
                  if (!waiting.includes(mine)) return
                  queues.set(
                    name,
                    waiting.filter((other) => other !== mine),
                  )
                  mine.settle(signal.reason)
                })
              })
              grantNext(name)
            })
          }),
      }

      function broadcast(name: string): BroadcastLike {
        const all = channels.get(name) ?? new Set()
        channels.set(name, all)
        const ear: Ear = { tab, listeners: [] }
        const ways = new Map<Ear, (run: () => void) => void>()
        all.add(ear)
        return {
          postMessage(message) {
            const data = structuredClone(message)
            task(tab, () => {
              for (const other of all) {
                if (other === ear) continue
                const way = ways.get(other) ?? createWay(other.tab)
                ways.set(other, way)
                way(() => {
                  for (const listener of all.has(other) ? other.listeners : []) listener({ data })
                })
              }
            })
          },
          addEventListener: (_, listener) => ear.listeners.push(listener),
          close: () => all.delete(ear),
        }
      }

      return {
        locks,
        broadcast,
        over: (transport) => ({
          ...transport,
          async connect(url, options) {
            const arrive = createWay(tab)
            const turn = () => new Promise<void>((resolve) => arrive(resolve))
            await turn()
            const inner = await transport.connect(url, options)
            const ending = createEnding(() => {
              links.delete(finish)
              inner.close()
            })
            const finish = (close: Close) => ending.finish(close)
            links.add(finish)
            void inner.closed.then(finish)
            return {
              ...inner,
              closed: ending.closed,
              close: (close = { code: 1000, reason: '' }) => finish(close),
              [Symbol.asyncIterator]() {
                const frames = inner[Symbol.asyncIterator]()
                return {
                  async next() {
                    const result = await frames.next()
                    await turn()
                    return result
                  },
                }
              },
            } satisfies OneWayConnection
          },
        }),
        freeze() {
          tab.isFrozen = true
        },
        thaw() {
          tab.isFrozen = false
          for (const run of tab.waiting.splice(0)) run()
        },
        crash() {
          tab.isGone = true
          cut()
          for (const [name, queue] of queues) {
            queues.set(
              name,
              queue.filter((grant) => grant.tab !== tab),
            )
          }
          for (const [name, grant] of held) {
            if (grant.tab !== tab) continue
            held.delete(name)
            grantNext(name)
          }
        },
        cut,
        get leads() {
          return [...held.values()].some((grant) => grant.tab === tab)
        },
      }
    },
  }
}
