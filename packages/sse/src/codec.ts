import {
  type Codec,
  checkSize,
  type Decoder,
  defaultEvent,
  defaultMaxMessageBytes,
  type Frame,
  fromTriple,
  type Limits,
  ProtocolError,
  type Triple,
  toTriple,
} from '@eitherway/core'
import { createParser } from 'eventsource-parser'

/**
 * Server-Sent Events, as the HTML standard has them: any `EventSource` reads what this writes, and this reads what any
 * server writes.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export const codec: Codec = { encode, decoder: createDecoder }

function encode(frame: Frame): string {
  switch (frame.type) {
    case 'message':
      return block(frame.message)
    case 'heartbeat':
      return ':\n\n'
    case 'retry':
      // On purpose without the empty line that ends a block: [spec] the field takes effect as its line is read, and so it
      // joins the block that follows.
      return `retry: ${frame.retryMs}\n`
    default:
      return block(toTriple(frame))
  }
}

function block({ id, event, data }: Triple): string {
  const fields = id === '' ? `event: ${event}\n` : `id: ${id}\nevent: ${event}\n`
  const text = typeof data === 'string' && !needsUrl(data) ? data : toDataUrl(data)
  if (!text.includes('\n')) return `${fields}data: ${text}\n\n`
  return `${fields}data: ${text.replaceAll('\n', '\ndata: ')}\n\n`
}

// What the lines of an event stream cannot carry travels as a `data:` URL (RFC 2397), which describes itself: bytes, and
// text with a CR, which every reader would turn into LF. Text that already looks like such a URL is wrapped as well, or it
// would be unwrapped at the other end.
const bytesUrl = 'data:application/octet-stream;base64,'
const textUrl = 'data:text/plain;charset=utf-8;base64,'

function needsUrl(text: string): boolean {
  return (
    text.includes('\r') ||
    (text.startsWith('data:') && (text.startsWith(bytesUrl) || text.startsWith(textUrl)))
  )
}

function toDataUrl(data: string | Uint8Array): string {
  return typeof data === 'string' ? textUrl + toBase64(utf8.encode(data)) : bytesUrl + toBase64(data)
}

function fromDataUrl(text: string): string | Uint8Array {
  if (!text.startsWith('data:')) return text
  if (text.startsWith(bytesUrl)) return fromBase64(text.slice(bytesUrl.length)) ?? text
  if (!text.startsWith(textUrl)) return text
  const bytes = fromBase64(text.slice(textUrl.length))
  return bytes === undefined ? text : keepBom.decode(bytes)
}

const utf8 = new TextEncoder()
const keepBom = new TextDecoder('utf-8', { ignoreBOM: true })

// In slices: a call takes only so many arguments, and one character at a time is slow.
function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.byteLength; at += 8192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
  }
  return btoa(binary)
}

/** `undefined` for what is no base64: another server's text that only begins like ours. */
function fromBase64(text: string): Uint8Array | undefined {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    return undefined
  }
  // A loop: `Uint8Array.from` with a function takes thirty times as long.
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = binary.charCodeAt(at)
  return bytes
}

/** What a reader of streams takes. @internal */
export interface DecoderLimits extends Limits {
  /**
   * Lines that bring no message: comments, `retry`, and fields that are unknown or have no meaning. Beyond it the stream is broken.
   *
   * @defaultValue no limit, as the standard has it
   */
  readonly maxStrayLines?: number
}

/** A client imports this alone: what only a server writes stays out of pages. @internal */
export function createDecoder({
  maxMessageBytes = defaultMaxMessageBytes,
  maxStrayLines = Number.POSITIVE_INFINITY,
}: DecoderLimits = {}): Decoder {
  let strayLines = 0
  let frames: Frame[] = []
  /** The id of a block that may turn out to hold nothing else. */
  let pending: string | undefined
  let failure: ProtocolError | undefined

  // [spec] a block without data dispatches nothing and still moves the position.
  function settlePosition(): void {
    if (pending === undefined) return
    frames.push({ type: 'position', id: pending })
    pending = undefined
  }

  function countStray(): void {
    strayLines += 1
    if (strayLines > maxStrayLines) throw new ProtocolError(`over ${maxStrayLines} lines bring no message`)
  }

  const utf8Decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let isStart = true

  // [spec] one byte order mark at the start goes. By hand, because the TextDecoder of Node 24 takes a second one as well when
  // the first comes in pieces.
  function toText(bytes: Uint8Array): string {
    const text = utf8Decoder.decode(bytes, { stream: true })
    if (!isStart || text === '') return text
    isStart = false
    return text.startsWith('\uFEFF') ? text.slice(1) : text
  }

  const parser = createParser({
    // Counted in characters, of which base64 needs four for three bytes; the exact limit is checked on the message.
    maxBufferSize: Math.ceil((maxMessageBytes * 4) / 3) + 1024,
    onId(id) {
      settlePosition()
      pending = id
    },
    onEvent({ id, event = defaultEvent, data }) {
      // What is pending is then of a block before, and counts also where this one is broken.
      if (id === undefined) settlePosition()
      const content = fromDataUrl(data)
      checkSize(content, maxMessageBytes)
      const frame = fromTriple({ id: id ?? '', event, data: content })
      // Not every frame has room for the id of its block. [spec] `id:` without a value sets the position back to the
      // beginning, where a message's own `''` leaves it.
      if (idOf(frame) === '') settlePosition()
      pending = undefined
      frames.push(frame)
    },
    onRetry(retryMs) {
      countStray()
      settlePosition()
      frames.push({ type: 'retry', retryMs })
    },
    onComment() {
      countStray()
      settlePosition()
      frames.push({ type: 'heartbeat' })
    },
    onError(error) {
      if (error.type !== 'max-buffer-size-exceeded') {
        countStray()
        return
      }
      failure = new ProtocolError(
        `a message is over the limit of ${maxMessageBytes} bytes; raise the receiver's \`maxMessageBytes\` if it is expected`,
        { closeCode: 1009, cause: error },
      )
    },
  })
  // This tells the parser that the one mark which the standard allows is gone, or it would take another.
  parser.feed('\uFEFF')

  return {
    push(chunk) {
      frames = []
      try {
        parser.feed(typeof chunk === 'string' ? chunk : toText(chunk))
        if (failure !== undefined) {
          settlePosition()
          throw failure
        }
      } catch (error) {
        if (error instanceof ProtocolError) error.frames = frames
        throw error
      }
      settlePosition()
      return frames
    },
  }
}

function idOf(frame: Frame): string {
  if (frame.type === 'message') return frame.message.id
  return 'id' in frame ? frame.id : ''
}
