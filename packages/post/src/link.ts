import {
  type Accepted,
  AcceptedLink,
  type Close,
  checkClose,
  closeCode,
  type Encoder,
  type Frame,
  fitReason,
  Inbox,
  type Message,
  type Owner,
  ProtocolError,
  type Queue,
  type Refusal,
  type ServerConnection,
} from '@eitherway/core'
import { createDecoder } from '@eitherway/sse/codec'
import { highWaterBytes } from './wire.ts'

/** What a link has taken up to now. */
export interface Taken {
  /** The number of the last message. */
  readonly seq: number
}

/** Lines of one body that bring no message. An honest client sends none, and to read them takes longer than to send them. */
const maxStrayLines = 1_000

export const gone: Refusal = {
  status: 404,
  reason: 'there is no such link here: it has ended, or its server has; connect again',
}

/** An answer is held back instead: see {@link PostConnection.caughtUp}. */
const unheld = { pause: (): void => undefined, resume: (): void => undefined }

/** A link both ways: a stream down, and what is posted up. All that goes down is the stream's own affair. */
export class PostConnection extends AcceptedLink implements Accepted {
  readonly direction = 'two-way'
  readonly #down: ServerConnection
  readonly #inbox: Inbox
  readonly #maxMessageBytes: number
  /** The number of the last message that was taken. */
  #seq = 0

  constructor(down: ServerConnection, maxMessageBytes: number) {
    super(down)
    this.#down = down
    this.#maxMessageBytes = maxMessageBytes
    this.#inbox = new Inbox({
      maxMessageBytes,
      wire: unheld,
      onArrival: (waiting) => this.tellArrived(waiting),
    })
    void down.closed.then((close) => this.finish(close))
  }

  get messages(): Queue<Message> {
    return this.#inbox.messages
  }
  get encoder(): Encoder {
    return this.#down.encoder
  }
  get bytesWritten(): number {
    return this.#down.bytesWritten
  }
  get queuedBytes(): number {
    return this.#down.queuedBytes
  }

  override attach(owner: Owner): void {
    super.attach(owner)
    if (this.messages.bytes > 0) owner.arrived(this.messages)
  }

  write(chunk: string | Uint8Array): number {
    return this.#down.write(chunk)
  }

  drained(): Promise<void> {
    return this.#down.drained()
  }

  close(close: Close = { code: closeCode.normal, reason: '' }): void {
    checkClose(close)
    if (this.ended !== undefined) return
    this.finish(close)
    this.messages.drop()
    this.#down.close(close)
  }

  /**
   * Takes what was posted, in one turn, so that of two bodies at once neither falls into the other: each message whose number
   * is the next, and none again.
   *
   * @param first - the number of the first message in the text.
   */
  take(first: number, text: string): Taken | Refusal {
    if (this.ended !== undefined) return gone
    if (first > this.#seq + 1) {
      return { status: 409, reason: `message ${first} came, and ${this.#seq + 1} is the next` }
    }
    const { frames, failure } = read(text, this.#maxMessageBytes)
    const isPart = isSmallPart(text, frames, this.#seq + 1 - first)
    let number = first - 1
    for (const frame of frames) {
      if (frame.type === 'close') {
        this.#leave(frame.close)
        return { seq: this.#seq }
      }
      // The protocol's other frames come from servers only; a newer client's are passed over.
      if (frame.type !== 'message') continue
      number += 1
      if (number <= this.#seq) continue
      const broken = this.#inbox.add(isPart ? copyOf(frame.message) : frame.message)
      if (broken !== undefined) return this.#end(broken)
      this.#seq = number
    }
    return failure === undefined ? { seq: this.#seq } : this.#end(failure)
  }

  /** Fulfils when the reader has caught up, or after so long. */
  async caughtUp(ms: number): Promise<void> {
    if (this.messages.bytes <= highWaterBytes) return
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
    })
    await Promise.race([this.messages.below(highWaterBytes / 2), late])
    clearTimeout(timer)
  }

  protected override finish(close: Close): void {
    this.messages.end()
    super.finish(close)
  }

  /** The client's own last word: what it sent before is still to be read. */
  #leave(close: Close): void {
    if (!isSendable(close)) {
      this.close({ code: closeCode.protocolError, reason: `a client does not close with ${close.code}` })
      return
    }
    this.finish(close)
    this.#down.close(close)
  }

  #end(close: Close): Refusal {
    this.close(close)
    return { status: statusOf.get(close.code) ?? 400, reason: close.reason }
  }
}

/** The statuses that say what some codes say; for any other it is 400. */
const statusOf: ReadonlyMap<number, number> = new Map([
  [closeCode.tooBig, 413],
  [closeCode.tooMany, 429],
])

/** Whether most of a text is something else than its messages, without the first so many. */
function isSmallPart(text: string, frames: readonly Frame[], known: number): boolean {
  let rest = text.length / 2
  let number = 0
  for (const frame of frames) {
    if (frame.type !== 'message') continue
    number += 1
    if (number > known) rest -= frame.message.data.length + frame.message.event.length
  }
  return rest > 0
}

/** An engine cuts a piece off a text without a copy, and so keeps all of the text for as long as the piece waits. */
function copyOf({ id, event, data }: Message): Message {
  return {
    id: copyOfText(id),
    event: copyOfText(event),
    data: typeof data === 'string' ? copyOfText(data) : data,
  }
}

const utf8 = new TextEncoder()
const keepBom = new TextDecoder('utf-8', { ignoreBOM: true })
/** It came as UTF-8, and so is the same again. */
const copyOfText = (text: string): string => keepBom.decode(utf8.encode(text))

interface Body {
  readonly frames: readonly Frame[]
  /** What came after them was broken. */
  readonly failure?: Close
}

function read(text: string, maxMessageBytes: number): Body {
  try {
    return { frames: createDecoder({ maxMessageBytes, maxStrayLines }).push(text) }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { frames: error.frames, failure: { code: error.closeCode, reason: fitReason(error.message) } }
  }
}

function isSendable(close: Close): boolean {
  try {
    checkClose(close)
    return true
  } catch {
    // It says no more than that.
    return false
  }
}
