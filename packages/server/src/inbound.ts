import {
  closeCode,
  fitReason,
  isDeeper,
  json,
  type Message,
  ProtocolError,
  type Received,
  readCall,
} from '@eitherway/core'
import { type Calls, requestOf } from './calls.ts'
import type { HubSettings } from './options.ts'
import type { HubPeer } from './peer.ts'
import { createRate } from './rate.ts'

/** What is done with what peers send. */
export interface InboundOptions<Context> {
  readonly settings: Pick<HubSettings, 'format' | 'check' | 'maxMessagesPerSecond' | 'maxDepth'>
  /** Milliseconds, from whenever. */
  readonly now: () => number
  /** Hears of each message, before anything is made of it. */
  readonly onArrival: () => void
  /** Handles a message that is whole and within its bounds; the next of the same peer waits for it. */
  readonly handle: (message: Received, peer: HubPeer<Context>) => Promise<void>
  readonly calls: Calls<Context>
  /** Hears of what should not happen. */
  readonly tell: (error: unknown) => void
}

/**
 * Reads what peers send: one message after the other, each within its bounds, or the peer is closed.
 *
 * @returns what begins to read from a peer.
 */
export function createInbound<Context>({
  settings: { format, check, maxMessagesPerSecond, maxDepth },
  now,
  onArrival,
  handle,
  calls,
  tell,
}: InboundOptions<Context>): (peer: HubPeer<Context>, messages: AsyncIterable<Message>) => void {
  /** No `for await`, whose frame would be kept for each peer that never says a word. */
  function read(peer: HubPeer<Context>, messages: AsyncIterator<Message>): void {
    messages
      .next()
      .then(async ({ done, value }) => {
        if (done) return
        onArrival()
        if (!isInRate(peer)) return
        if (value.event.startsWith('~')) await call(peer, value)
        else {
          const received = decode(peer, value)
          if (received === undefined) return
          const agreed = check === undefined ? received : await agreedOn(received, check)
          if (agreed !== undefined) await handle(agreed, peer)
        }
        read(peer, messages)
      })
      .catch(tell)
  }

  /** Whatever is none of ours is passed over: an application's messages have no such event. */
  async function call(peer: HubPeer<Context>, message: Message): Promise<void> {
    const called = readCall(message)
    if (called?.type === 'abort') calls.abort(peer, called.number)
    if (called?.type !== 'request') return
    const received = decode(peer, message)
    if (received !== undefined) await calls.take(peer, requestOf(called, received.data))
  }

  /** @returns false where the peer may not go on, and is closed. */
  function isInRate(peer: HubPeer<Context>): boolean {
    peer.rate ??= createRate(maxMessagesPerSecond, now)
    if (peer.rate.count()) return true
    const reason = `more than ${maxMessagesPerSecond} messages within a second`
    peer.close({ code: closeCode.tooMany, reason })
    return false
  }

  /** @returns `undefined` where the peer may not go on, and is closed. */
  function decode(peer: HubPeer<Context>, { id, event, data }: Message): Received | undefined {
    if (format === json && typeof data === 'string' && isDeeper(data, maxDepth)) {
      peer.close({ code: 1007, reason: `JSON may nest ${maxDepth} levels deep here` })
      return undefined
    }
    try {
      return { id, event, data: format.decode(data) }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      peer.close({ code: 1007, reason: fitReason(error.message) })
      return undefined
    }
  }

  /** @returns `undefined` for what the contract refuses: the peer goes on, and whoever reads the errors learns of it. */
  async function agreedOn(
    received: Received,
    agreed: NonNullable<HubSettings['check']>,
  ): Promise<Received | undefined> {
    try {
      return { ...received, data: await agreed('up', received.event, received.data) }
    } catch (error) {
      tell(error)
      return undefined
    }
  }

  return (peer, messages) => read(peer, messages[Symbol.asyncIterator]())
}
