import {
  closeCode,
  fitReason,
  isDeeper,
  isNested,
  json,
  type Message,
  ProtocolError,
  type Received,
} from '@eitherway/core'
import type { HubSettings } from './options.ts'
import type { HubPeer } from './peer.ts'
import { createRate } from './rate.ts'

/** What is done with what peers send. */
export interface InboundOptions<Context> {
  readonly settings: Pick<HubSettings, 'format' | 'maxMessagesPerSecond' | 'maxDepth'>
  /** Milliseconds, from whenever. */
  readonly now: () => number
  /** Hears of each message, before anything is made of it. */
  readonly onArrival: () => void
  /** Handles a message that is whole and within its bounds; the next of the same peer waits for it. */
  readonly handle: (message: Received, peer: HubPeer<Context>) => Promise<void>
  /** Hears of what should not happen. */
  readonly tell: (error: unknown) => void
}

/**
 * Reads what peers send: one message after the other, each within its bounds, or the peer is closed.
 *
 * @returns what begins to read from a peer.
 */
export function createInbound<Context>({
  settings: { format, maxMessagesPerSecond, maxDepth },
  now,
  onArrival,
  handle,
  tell,
}: InboundOptions<Context>): (peer: HubPeer<Context>, messages: AsyncIterable<Message>) => void {
  /** No `for await`, whose frame would be kept for each peer that never says a word. */
  function read(peer: HubPeer<Context>, messages: AsyncIterator<Message>): void {
    messages
      .next()
      .then(async ({ done, value }) => {
        if (done) return
        onArrival()
        const received = check(peer, value)
        if (received === undefined) return
        await handle(received, peer)
        read(peer, messages)
      })
      .catch(tell)
  }

  /** @returns `undefined` where the peer may not go on, and is closed. */
  function check(peer: HubPeer<Context>, { id, event, data }: Message): Received | undefined {
    peer.rate ??= createRate(maxMessagesPerSecond, now)
    if (!peer.rate.count()) {
      const reason = `more than ${maxMessagesPerSecond} messages within a second`
      peer.close({ code: closeCode.tooMany, reason })
      return undefined
    }
    try {
      // JSON's text tells it for less, before anything is made of it.
      const isText = format === json && typeof data === 'string'
      if (isText && isDeeper(data, maxDepth)) throw tooDeep()
      const decoded = format.decode(data)
      if (!isText && isNested(decoded, maxDepth)) throw tooDeep()
      return { id, event, data: decoded }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      peer.close({ code: 1007, reason: fitReason(error.message) })
      return undefined
    }
  }

  const tooDeep = () => new ProtocolError(`data may nest ${maxDepth} levels deep here`)

  return (peer, messages) => read(peer, messages[Symbol.asyncIterator]())
}
