import {
  closeCode,
  fitReason,
  isDeeper,
  isNested,
  json,
  type Message,
  ProtocolError,
  type Received,
  type ServerConnection,
  type Waiting,
} from '@eitherway/core'
import type { HubSettings } from './options.ts'
import type { HubPeer } from './peer.ts'
import { createRate, type Rate } from './rate.ts'

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

/** What one peer says, from its first message on. */
export interface Talk {
  readonly waiting: Waiting
  readonly rate: Rate
  /** Somebody is at it, or it is not read any more. */
  isRead: boolean
}

/** Reads what peers send. */
export interface Inbound<Context> {
  /** From here on this peer's messages are handled, those that wait first. */
  listen(peer: HubPeer<Context>, connection: TwoWay): void
  /** Messages of this peer may wait. */
  arrived(peer: HubPeer<Context>, waiting: Waiting): void
}

type TwoWay = Extract<ServerConnection, { direction: 'two-way' }>

/** Reads what peers send: one message after the other, each within its bounds, or the peer is closed. */
export function createInbound<Context>({
  settings: { format, maxMessagesPerSecond, maxDepth },
  now,
  onArrival,
  handle,
  tell,
}: InboundOptions<Context>): Inbound<Context> {
  function read(peer: HubPeer<Context>): void {
    const { talk } = peer
    if (talk === undefined || talk.isRead || !peer.isListenedTo) return
    talk.isRead = true
    readAll(peer, talk).catch(tell)
  }

  async function readAll(peer: HubPeer<Context>, talk: Talk): Promise<void> {
    for (let message = talk.waiting.shift(); message !== undefined; message = talk.waiting.shift()) {
      // Never within the call that tells of it: the transport is in the middle of something.
      await undefined
      if (!(await take(peer, message, talk.rate))) return
    }
    talk.isRead = false
  }

  /** @returns whether the peer may go on. */
  async function take(peer: HubPeer<Context>, message: Message, rate: Rate): Promise<boolean> {
    onArrival()
    const received = check(peer, message, rate)
    if (received === undefined) return false
    await handle(received, peer)
    return true
  }

  /** @returns `undefined` where the peer may not go on, and is closed. */
  function check(peer: HubPeer<Context>, { id, event, data }: Message, rate: Rate): Received | undefined {
    if (!rate.count()) {
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

  /** From a transport that tells of nothing. */
  async function iterate(peer: HubPeer<Context>, messages: AsyncIterable<Message>): Promise<void> {
    const rate = createRate(maxMessagesPerSecond, now)
    for await (const message of messages) if (!(await take(peer, message, rate))) return
  }

  return {
    listen(peer, connection) {
      if (connection.attach === undefined) {
        iterate(peer, connection.messages).catch(tell)
        return
      }
      peer.isListenedTo = true
      read(peer)
    },
    arrived(peer, waiting) {
      peer.talk ??= { waiting, rate: createRate(maxMessagesPerSecond, now), isRead: false }
      read(peer)
    },
  }
}
