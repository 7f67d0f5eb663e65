import type { Close, Handler, Listener, Received, State } from '@eitherway/client'
import { type Batch, type Cell, createBatch, createCell } from './cell.ts'
import { createHold } from './hold.ts'

/** A client, as far as the hooks need one: with any contract, or none. */
export interface HookedClient
  extends Pick<Listener, 'state' | 'transport' | 'onState' | 'onGap' | 'close'>,
    AsyncIterable<Received> {
  readonly on: (event: never, handler: never) => () => void
}

/** Hears an event of a client whose contract is not known here. @internal */
export function hear<T>(client: HookedClient, event: string, handler: Handler<T>): () => void {
  return client.on(event as never, handler as never)
}

/** How things stand with the link. */
export interface ConnectionState {
  readonly state: State
  /** Why the last link was lost, until there is one again; for `closed`, why it is over. */
  readonly reason: Close | undefined
}

/** What the hooks below one provider read: its client, which may not be there yet. @internal */
export interface Source<C extends HookedClient> {
  readonly batch: Batch
  readonly client: Cell<C | undefined>
  readonly connection: Cell<ConnectionState>
  /** Fulfils with the client when there is one. */
  readonly made: () => Promise<C>
  /** Runs for the client, in the turn in which it is made or at once. @returns its undo. */
  onClient(attach: (client: C) => () => void): () => void
  /** The last message of an event, the same for all who read it. */
  last(event: string): Last
  /** There is a client as long as anybody holds it. */
  readonly hold: () => () => void
}

/** The last message of an event, as long as anybody reads it. @internal */
export type Last = Pick<Cell<Received | undefined>, 'shown' | 'subscribe'>

/** Before there is a client, and on the server. @internal */
export const connecting: ConnectionState = { state: 'connecting', reason: undefined }

/**
 * Makes a source without a client.
 *
 * @param make - runs when it is first held.
 * @param isOwned - whether the client is closed when nobody holds it any more.
 * @internal
 */
export function createSource<C extends HookedClient>(make: () => C, isOwned: boolean): Source<C> {
  const batch = createBatch()
  const client = createCell<C | undefined>(undefined, batch)
  const connection = createCell(connecting, batch)
  const attached = new Map<(client: C) => () => void, () => void>()
  const lasts = new Map<string, Last>()
  let settle: (client: C) => void
  let made: Promise<C>
  function renew(): void {
    made = new Promise((resolve) => {
      settle = resolve
    })
  }
  renew()

  const source: Source<C> = {
    batch,
    client,
    connection,
    made: () => made,
    onClient(attach) {
      const present = client.latest()
      attached.set(attach, present === undefined ? nothing : attach(present))
      return () => {
        attached.get(attach)?.()
        attached.delete(attach)
      }
    },
    last(event) {
      const last = lasts.get(event) ?? createLast(source, event)
      lasts.set(event, last)
      return last
    },
    hold: createHold(() => {
      const present = make()
      const off = present.onState((state, reason) => connection.set({ state, reason }))
      connection.set({ state: present.state, reason: undefined })
      client.set(present)
      // Still in the turn of `connect`, so that none misses a message.
      for (const attach of attached.keys()) attached.set(attach, attach(present))
      settle(present)
      return () => {
        off()
        for (const [attach, undo] of attached) {
          undo()
          attached.set(attach, nothing)
        }
        if (isOwned) void present.close()
        client.reset(undefined)
        connection.reset(connecting)
        renew()
      }
    }),
  }
  return source
}

function nothing(): void {
  // There is no client to leave.
}

function createLast<C extends HookedClient>(source: Source<C>, event: string): Last {
  const cell = createCell<Received | undefined>(undefined, source.batch)
  const hold = createHold(() => {
    const off = source.onClient((client) => hear(client, event, (_, message) => cell.set(message)))
    return () => {
      off()
      // What came meanwhile is unknown, so this may be the last one no longer.
      cell.reset(undefined)
    }
  })
  return { shown: cell.shown, subscribe: (listener) => subscribeAndHold(cell, hold, listener) }
}

/** @internal */
export function subscribeAndHold(
  cell: Pick<Cell<unknown>, 'subscribe'>,
  hold: () => () => void,
  listener: () => void,
): () => void {
  const off = cell.subscribe(listener)
  const release = hold()
  return () => {
    off()
    release()
  }
}
