import type { Client } from '@eitherway/client'
import { within } from '@eitherway/core/testing'
import { vi } from 'vitest'

/** What a client has heard. */
export interface Heard<T = unknown> {
  /** So far, in order. */
  readonly all: readonly T[]
  /** All, once there are so many. */
  until(count: number): Promise<readonly T[]>
}

/** Keeps the event and the data of what a client hears of these events. Ask before anything can come. */
export function hear(client: Client, events: readonly string[]): Heard {
  return keep(events, (event, add) => client.on(event, (data) => add([event, data])))
}

/** Keeps the data of what a client hears of one event. Ask before anything can come. */
export function hearData<T>(client: Client, event: string): Heard<T> {
  return keep([event], (_, add) => client.on<T>(event, add))
}

function keep<T>(
  events: readonly string[],
  listen: (event: string, add: (item: T) => void) => void,
): Heard<T> {
  const all: T[] = []
  let wake = () => {}
  for (const event of events) {
    listen(event, (item) => {
      all.push(item)
      wake()
    })
  }
  return {
    all,
    async until(count) {
      const done = (async () => {
        while (all.length < count) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      })()
      await within(done, `${count} messages of ${events.join(' and ')}`, 20_000).catch((error: Error) => {
        throw new Error(`${error.message}, of which ${all.length} came`, { cause: error })
      })
      return all
    },
  }
}

/** Fulfils when the client has a position: from here on nothing is lost. */
export async function positioned(client: Client): Promise<void> {
  await eventually(() => client.lastEventId !== '', 'a position')
}

/** Fulfils when it holds. It is looked at again and again: for what tells nobody that it has changed. */
export async function eventually(holds: () => boolean, what: string, ms = 20_000): Promise<void> {
  await vi.waitFor(
    () => {
      if (!holds()) throw new Error(`${what} did not come within ${ms} ms`)
    },
    { timeout: ms, interval: 1 },
  )
}
