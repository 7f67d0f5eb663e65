import {
  type Frame,
  linked,
  type Message,
  type OneWayConnection,
  type TwoWayConnection,
} from '@eitherway/core'
import type { Hub } from '@eitherway/server'

/** A link to a hub in memory, read frame by frame. */
export interface Reader {
  readonly connection: OneWayConnection | TwoWayConnection
  /** The next frame of any kind. */
  next(): Promise<Frame>
  /** The next message, whatever else comes before it. */
  message(): Promise<Message>
  /** The next frame of a kind. */
  frame<T extends Frame['type']>(type: T): Promise<Extract<Frame, { type: T }>>
}

export interface ReaderOptions {
  readonly direction?: 'one-way' | 'two-way'
  readonly channels?: readonly string[]
  readonly lastEventId?: string
}

/** Links to the hub and waits for its greeting, so that what is published from here on arrives. */
export async function join(
  hub: Hub,
  options: ReaderOptions = {},
): Promise<Reader & { readonly hello: Frame }> {
  const reader = await link(hub, options)
  return { ...reader, hello: await reader.frame('hello') }
}

export async function link(
  hub: Hub,
  { direction = 'one-way', channels = [], lastEventId = '' }: ReaderOptions = {},
): Promise<Reader> {
  const { signal } = new AbortController()
  const connection = await linked(hub.accept, { direction }).connect(new URL('http://test/live'), {
    channels,
    lastEventId,
    signal,
  })
  const iterator = connection[Symbol.asyncIterator]()
  async function next(): Promise<Frame> {
    const { done, value } = await iterator.next()
    if (done) throw new Error(`the link has ended: ${JSON.stringify(await connection.closed)}`)
    return value
  }
  async function frame<T extends Frame['type']>(type: T): Promise<Extract<Frame, { type: T }>> {
    for (;;) {
      const found = await next()
      if (found.type === type) return found as Extract<Frame, { type: T }>
    }
  }
  return { connection, next, frame, message: async () => (await frame('message')).message }
}
