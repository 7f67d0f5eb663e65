import {
  costOf,
  createQueue,
  type Format,
  type Message,
  type Queue,
  type Received,
  show,
} from '@eitherway/core'
import type { Handler } from './client.ts'

/** Settings of {@link createInbox}. */
export interface InboxOptions {
  readonly format: Format
  /** What may wait in one iteration, in bytes. */
  readonly maxQueuedBytes: number
  readonly onError: (error: unknown) => void
}

/** Who hears what arrives: the handlers of its event, and every iteration. */
export interface Inbox {
  on(event: string, handler: Handler): () => void
  iterate(): AsyncIterator<Received>
  deliver(message: Message): void
  /** Whether an iteration has more than half of what may wait in it. */
  readonly isBehind: boolean
  /** Nothing will be heard any more: iterations end, handlers are still. */
  end(): void
}

/** Makes an inbox that nobody listens to yet. @internal */
export function createInbox({ format, maxQueuedBytes, onError }: InboxOptions): Inbox {
  const handlers = new Map<string, Set<Handler>>()
  const iterations = new Set<Queue<Received>>()
  let ended = false

  function decode({ id, event, data }: Message): Received | undefined {
    try {
      return { id, event, data: format.decode(data) }
    } catch (cause) {
      const { message } = cause as Error
      onError(new Error(`a message of event ${show(event)} was left out: ${message}`, { cause }))
      return undefined
    }
  }

  return {
    on(event, handler) {
      const readers = handlers.get(event) ?? new Set()
      handlers.set(event, readers.add(handler))
      return () => {
        readers.delete(handler)
        if (readers.size === 0 && handlers.get(event) === readers) handlers.delete(event)
      }
    },
    iterate() {
      const iteration = createQueue<Received>(() => iterations.delete(iteration))
      if (ended) iteration.end()
      else iterations.add(iteration)
      return iteration[Symbol.asyncIterator]()
    },
    deliver(message) {
      const readers = handlers.get(message.event)
      if (readers === undefined && iterations.size === 0) return
      const received = decode(message)
      if (received === undefined) return
      for (const iteration of iterations) {
        if (iteration.push(received, costOf(message)) <= maxQueuedBytes) continue
        iterations.delete(iteration)
        iteration.end(
          new Error(
            `an iteration was left behind: more than ${maxQueuedBytes} bytes wait to be read; read faster or raise \`maxQueuedBytes\``,
          ),
        )
      }
      for (const handler of [...(readers ?? [])]) {
        // An earlier one may have closed the client or taken this one off.
        if (ended || !readers?.has(handler)) continue
        try {
          const result = handler(received.data, received)
          if (result instanceof Promise) result.catch(onError)
        } catch (error) {
          onError(error)
        }
      }
    },
    get isBehind() {
      for (const { bytes } of iterations) if (bytes > maxQueuedBytes / 2) return true
      return false
    },
    end() {
      ended = true
      for (const iteration of iterations) iteration.end()
    },
  }
}
