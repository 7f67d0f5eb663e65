import { type Close, closeCode } from './close.ts'
import { costOf, type Message, maxIdBytes, maxNameBytes } from './message.ts'
import { createQueue, type Queue } from './queue.ts'
import type { Waiting } from './transport.ts'

/** What may wait for the application to read before the client is held back. */
const highWaterBytes = 64 * 1024

/**
 * What may wait in any case, or two of the largest messages. A socket that is held back has given some 100 KB to its reader
 * already, which reads all of it: as it came it stays far below this, and inflated it is a thousand times as much.
 */
const maxWaitingBytes = 8 * 1024 * 1024

/** Settings of {@link Inbox}. */
export interface InboxOptions {
  /** Largest message, in bytes. */
  readonly maxMessageBytes: number
  /** Is held back while too much waits. */
  readonly wire: { pause(): void; resume(): void }
  /** Hears of each message. */
  readonly onArrival: (waiting: Waiting) => void
}

/** What one client has sent and nobody has handled yet: it holds the client back, and bounds what waits all the same. */
export class Inbox {
  readonly messages: Queue<Message> = createQueue<Message>()
  readonly #options: InboxOptions
  #isHeldBack = false

  constructor(options: InboxOptions) {
    this.#options = options
  }

  /** @returns why the link has to end; `undefined` where it goes on. */
  add(message: Message): Close | undefined {
    if (message.event.length > maxNameBytes || message.id.length > maxIdBytes) {
      const reason = `an event is at most ${maxNameBytes} bytes, an id ${maxIdBytes}`
      return { code: closeCode.protocolError, reason }
    }
    const { maxMessageBytes, onArrival } = this.#options
    this.messages.push(message, costOf(message))
    // Whoever takes it at once leaves nothing that waits.
    onArrival(this.messages)
    const { bytes } = this.messages
    if (bytes > Math.max(maxWaitingBytes, 2 * maxMessageBytes)) {
      return { code: closeCode.tooMany, reason: `${bytes} bytes wait to be handled` }
    }
    if (bytes > highWaterBytes) void this.#holdBack()
    return undefined
  }

  /**
   * Takes a word of the protocol that is not a server's to hear, such as a newer client's. It waits and counts as a message does, and
   * whoever reads passes it over: what nobody counted would have no rate.
   */
  pass(): Close | undefined {
    return this.add(unheard)
  }

  async #holdBack(): Promise<void> {
    if (this.#isHeldBack) return
    this.#isHeldBack = true
    this.#options.wire.pause()
    await this.messages.below(highWaterBytes / 2)
    this.#isHeldBack = false
    this.#options.wire.resume()
  }
}

const unheard: Message = Object.freeze({ id: '', event: '~', data: '' })
