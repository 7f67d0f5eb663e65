import {
  closeCode,
  fitReason,
  isDeeper,
  isNested,
  json,
  type Message,
  ProtocolError,
  type Received,
  readCall,
  type ServerConnection,
  type Waiting,
} from '@eitherway/core'
import { ContractError } from '@eitherway/core/contract'
import { type Calls, requestOf } from './calls.ts'
import type { HubSettings } from './options.ts'
import type { HubPeer } from './peer.ts'
import { createRate, type Rate } from './rate.ts'

/** Messages of one peer against the contract that are told: whoever sends nothing else would fill the log. */
const maxToldBreaks = 10

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
  settings: { format, check, maxMessagesPerSecond, maxDepth },
  now,
  onArrival,
  handle,
  calls,
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
    if (!isInRate(peer, rate)) return false
    if (message.event.startsWith('~')) return await call(peer, message)
    const received = decode(peer, message)
    if (received === undefined) return false
    const agreed = check === undefined ? received : await agreedOn(peer, received, check)
    if (agreed !== undefined) await handle(agreed, peer)
    return true
  }

  /** Whatever is none of ours is passed over: an application's messages have no such event. */
  async function call(peer: HubPeer<Context>, message: Message): Promise<boolean> {
    const called = readCall(message)
    if (called?.type === 'abort') calls.abort(peer, called.number)
    if (called?.type !== 'request') return true
    const received = decode(peer, message)
    if (received === undefined) return false
    await calls.take(peer, requestOf(called, received.data))
    return true
  }

  /** @returns false where the peer may not go on, and is closed. */
  function isInRate(peer: HubPeer<Context>, rate: Rate): boolean {
    if (rate.count()) return true
    const reason = `more than ${maxMessagesPerSecond} messages within a second`
    peer.close({ code: closeCode.tooMany, reason })
    return false
  }

  /** @returns `undefined` where the peer may not go on, and is closed. */
  function decode(peer: HubPeer<Context>, { id, event, data }: Message): Received | undefined {
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

  /** How often a peer has broken the contract, of those few that have. */
  const breaks = new WeakMap<HubPeer<Context>, number>()

  function tellBreak(peer: HubPeer<Context>, error: unknown): void {
    if (error instanceof ContractError) {
      const count = (breaks.get(peer) ?? 0) + 1
      breaks.set(peer, count)
      if (count > maxToldBreaks) return
    }
    tell(error)
  }

  /** @returns `undefined` for what the contract refuses: the peer goes on, and whoever reads the errors learns of it. */
  async function agreedOn(
    peer: HubPeer<Context>,
    received: Received,
    agreed: NonNullable<HubSettings['check']>,
  ): Promise<Received | undefined> {
    try {
      return { ...received, data: await agreed('up', received.event, received.data) }
    } catch (error) {
      tellBreak(peer, error)
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
