import { addressOf } from './address.ts'
import { type Close, checkClose, closeCode } from './close.ts'
import { createEnding } from './ending.ts'
import { ConnectError, ProtocolError } from './errors.ts'
import { type Codec, checkSize, defaultMaxMessageBytes, type Frame, fromTriple, toTriple } from './frame.ts'
import { byteLength, costOf, type Message } from './message.ts'
import { createQueue } from './queue.ts'
import { checkToken } from './token.ts'
import type {
  Accept,
  Connection,
  ConnectOptions,
  Direction,
  ServerConnection,
  Transport,
} from './transport.ts'

/** Settings of {@link linked}. */
export interface LinkedOptions<D extends Direction> {
  readonly direction: D
}

/**
 * A transport inside one process: whoever connects is linked straight to `accept`. A full transport, both ends, without
 * a socket: for tests of an application, and the reference that the conformance suite is held against.
 *
 * @example
 * ```ts
 * const client = connect('http://test/live', { transport: linked(hub.accept, { direction: 'two-way' }) })
 * ```
 */
export function linked<D extends Direction>(accept: Accept, { direction }: LinkedOptions<D>): Transport<D> {
  return {
    name: 'linked',
    direction,
    async connect(url, options) {
      options.signal.throwIfAborted()
      if (options.token !== undefined) checkToken(options.token)
      // A network answers later, never within the call.
      await Promise.resolve()
      options.signal.throwIfAborted()
      return link(accept, direction, url, options) as Connection<D>
    },
  }
}

function link(accept: Accept, direction: Direction, url: URL, options: ConnectOptions): Connection {
  const { maxMessageBytes = defaultMaxMessageBytes } = options.limits ?? {}
  const down = createQueue<Frame>()
  const up = createQueue<Message>()
  const decoder = codec.decoder({ maxMessageBytes })
  let bytesWritten = 0
  const ending = createEnding(() => {
    options.signal.removeEventListener('abort', onAbort)
    down.end()
    up.end()
  })
  const { closed } = ending
  const finish = (close: Close) => ending.finish(close)
  const onAbort = () => {
    down.drop()
    finish({ code: closeCode.normal, reason: 'aborted' })
  }
  options.signal.addEventListener('abort', onAbort)

  const ends = {
    closed,
    close(close: Close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      finish(close)
    },
  }

  const accepted = {
    ...ends,
    encoder: codec,
    url: addressOf(url, 'http', options),
    headers: new Headers(),
    token: options.token,
    remote: undefined,
    channels: [...new Set(options.channels)],
    lastEventId: options.lastEventId,
    get bytesWritten() {
      return bytesWritten
    },
    get queuedBytes() {
      return down.bytes
    },
    write(chunk: string | Uint8Array) {
      if (ending.close !== undefined) return 0
      const size = byteLength(chunk)
      bytesWritten += size
      try {
        for (const frame of decoder.push(chunk)) down.push(frame, size)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        finish({ code: error.closeCode, reason: error.message })
      }
      return down.bytes
    },
    drained: () => down.below(1),
  }
  // Assigned, not spread: spreading would freeze `bytesWritten` at its first value.
  const server: ServerConnection = Object.assign(
    accepted,
    direction === 'one-way' ? { direction } : { direction, messages: up },
  )

  const iteration = {
    ...ends,
    close(close?: Close) {
      ends.close(close)
      down.drop()
    },
    [Symbol.asyncIterator]: () => down[Symbol.asyncIterator](),
  }
  accept(server)
  if (direction === 'one-way') return { ...iteration, direction }
  return {
    ...iteration,
    direction,
    async send(message) {
      if (ending.close !== undefined) {
        const { code, reason } = ending.close
        throw new ConnectError(`the link has ended (${code}${reason && ` ${reason}`})`, { retryable: true })
      }
      up.push(message, costOf(message))
      await up.below(highWaterBytes)
    },
  }
}

/** What may wait to be read by the other side before a `send` holds back. */
const highWaterBytes = 64 * 1024

/** The link's wire: one JSON text for each frame. @internal */
export const codec: Codec = {
  encode(frame) {
    const { id, event, data } = frame.type === 'message' ? frame.message : toTriple(frame)
    return JSON.stringify([id, event, typeof data === 'string' ? data : [...data]])
  },
  decoder({ maxMessageBytes = defaultMaxMessageBytes } = {}) {
    return {
      push(chunk) {
        const [id, event, data] = JSON.parse(chunk as string) as [string, string, string | number[]]
        const content = typeof data === 'string' ? data : Uint8Array.from(data)
        checkSize(content, maxMessageBytes)
        return [fromTriple({ id, event, data: content })]
      },
    }
  },
}
