import type { Received } from '@eitherway/client'
import { type Cell, createCell } from './cell.ts'
import { createHold } from './hold.ts'
import { type HookedClient, hear, type Source, subscribeAndHold } from './source.ts'

/** Takes one message into the state: pure, as a reducer of React. */
export type MessageReducer<S, T> = (state: S, message: Received<T>) => S

/** Reads the state from elsewhere: from an answer of the server, say. `signal` aborts when the outcome is not wanted any more. */
export type ReadState<S> = (signal: AbortSignal) => S | Promise<S>

/** What a reduced state is made with; the last render's counts. @internal */
export interface Ways<S, T> {
  reducer: MessageReducer<S, T>
  read: ReadState<S> | undefined
}

/** A state, or why it could not be read. @internal */
export interface Outcome<S> {
  readonly state: S
  readonly failure?: { readonly error: unknown }
}

/** A state that is reduced from messages as long as its component is mounted. @internal */
export interface Reduced<S, T> extends Pick<Cell<Outcome<S>>, 'shown' | 'subscribe'> {
  readonly first: Outcome<S>
  readonly ways: Ways<S, T>
}

/** What may wait while the state is read; beyond, it is read anew, which has them all. */
const maxWaiting = 10_000

/** Makes one that nobody reads yet. @internal */
export function createReduced<C extends HookedClient, S, T>(
  source: Source<C>,
  event: string,
  initial: S,
  ways: Ways<S, T>,
): Reduced<S, T> {
  const first: Outcome<S> = { state: initial }
  const cell = createCell(first, source.batch)
  const hold = createHold(() => {
    const off = source.onClient(attach)
    return () => {
      off()
      cell.reset(first)
    }
  })

  function attach(client: C): () => void {
    /** What came since the reading began. */
    let waiting: Received<T>[] = []
    /** Whether the state is not what the messages go on from. */
    let isStale = ways.read !== undefined
    let reading: AbortController | undefined

    async function readAnew(): Promise<void> {
      reading?.abort()
      const current = new AbortController()
      reading = current
      isStale = true
      waiting = []
      try {
        const state = await ways.read?.(current.signal)
        if (current !== reading) return
        isStale = false
        reading = undefined
        cell.set({ state: waiting.reduce(ways.reducer, state as S) })
      } catch (error) {
        if (current !== reading) return
        reading = undefined
        // Without a link nothing else could be read either: the next one tries again.
        if (client.state === 'open') cell.set({ state: cell.latest().state, failure: { error } })
      }
    }

    const undos = [
      hear<T>(client, event, (_, message) => {
        if (!isStale) cell.set({ state: ways.reducer(cell.latest().state, message) })
        else if (waiting.push(message) > maxWaiting) void readAnew()
      }),
      client.onState((state) => {
        if (state === 'open' && isStale && reading === undefined) void readAnew()
      }),
      client.onGap(() => {
        if (ways.read !== undefined) void readAnew()
      }),
      () => {
        reading?.abort()
        reading = undefined
      },
    ]
    if (isStale && client.state === 'open') void readAnew()
    return () => {
      for (const undo of undos) undo()
    }
  }

  return {
    first,
    ways,
    shown: cell.shown,
    subscribe: (listener) => subscribeAndHold(cell, hold, listener),
  }
}
