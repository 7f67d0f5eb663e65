import { type Close, ConnectError, costOf, type Message, type TwoWayConnection } from '@eitherway/core'
import { closedError } from './errors.ts'

/** What waits to be sent, in order, over as many links as it takes. */
export interface Outbox {
  /** @param onLink - hears which link has the message, and that it is none again where that one did not take it. */
  send(
    message: Message,
    signal?: AbortSignal,
    onLink?: (connection: TwoWayConnection | undefined) => void,
  ): Promise<void>
  /** There is a link. */
  attach(connection: TwoWayConnection): void
  /** There is none any more. */
  detach(): void
  /** What waits is not going to be sent. */
  refuse(error: ConnectError): void
  /** There will be none again. */
  end(close: Close): void
}

interface Entry {
  readonly message: Message
  readonly bytes: number
  /** Whether a link has it: it may arrive, so nobody can say any more that it was not sent. */
  handed: boolean
  readonly signal: AbortSignal | undefined
  readonly onLink: ((connection: TwoWayConnection | undefined) => void) | undefined
  resolve(): void
  reject(error: unknown): void
}

/** Makes an empty outbox. @internal */
export function createOutbox(maxBytes: number): Outbox {
  const entries: Entry[] = []
  let bytes = 0
  let connection: TwoWayConnection | undefined
  let sending = false
  let ended: Close | undefined

  function remove(entry: Entry): boolean {
    const at = entries.indexOf(entry)
    if (at === -1) return false
    entries.splice(at, 1)
    bytes -= entry.bytes
    return true
  }

  async function pump(): Promise<void> {
    if (sending) return
    sending = true
    for (;;) {
      const [entry] = entries
      const current = connection
      if (entry === undefined || current === undefined) break
      try {
        entry.handed = true
        entry.onLink?.(current)
        await current.send(entry.message)
        if (remove(entry)) entry.resolve()
      } catch (error) {
        entry.handed = false
        entry.onLink?.(undefined)
        // The link had ended before it took the message, so the next one may.
        if (error instanceof ConnectError) {
          if (connection === current) connection = undefined
          // Given up meanwhile, when nobody could say yet that it was not sent.
          if (entry.signal?.aborted && remove(entry)) entry.reject(entry.signal.reason)
        } else if (remove(entry)) {
          entry.reject(error)
        }
      }
    }
    sending = false
  }

  function refuse(error: ConnectError): void {
    for (const entry of [...entries]) {
      if (!remove(entry)) continue
      if (entry.handed) entry.resolve()
      else entry.reject(error)
    }
  }

  return {
    refuse,
    send(message, signal, onLink) {
      return new Promise<void>((resolve, reject) => {
        signal?.throwIfAborted()
        if (ended !== undefined) throw closedError(ended, notSent)
        const size = costOf(message)
        if (entries.length > 0 && bytes + size > maxBytes) {
          throw new ConnectError(
            `${bytes} bytes wait to be sent already; await each \`send\`, or raise \`maxQueuedBytes\``,
            {
              retryable: true,
            },
          )
        }
        const onAbort = () => {
          if (!entry.handed && remove(entry)) entry.reject(signal?.reason)
        }
        const release = () => signal?.removeEventListener('abort', onAbort)
        const entry: Entry = {
          message,
          bytes: size,
          handed: false,
          signal,
          onLink,
          resolve() {
            release()
            resolve()
          },
          reject(error) {
            release()
            reject(error)
          },
        }
        signal?.addEventListener('abort', onAbort)
        entries.push(entry)
        bytes += size
        void pump()
      })
    },
    attach(next) {
      connection = next
      void pump()
    },
    detach() {
      connection = undefined
    },
    end(close) {
      ended = close
      connection = undefined
      refuse(closedError(close, notSent))
    },
  }
}

const notSent = '; the message was not sent'
