import {
  type Contract,
  checkFunction,
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
  readonly check: Contract['check']
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
  /** Until what was delivered has been checked, where that takes its time. */
  readonly checking: Promise<void> | undefined
  /** Nothing will be heard any more: iterations end, handlers are still. */
  end(): void
}

/** Makes an inbox that nobody listens to yet. @internal */
export function createInbox({ format, check, maxQueuedBytes, onError }: InboxOptions): Inbox {
  const handlers = new Map<string, Set<Handler>>()
  const iterations = new Set<Queue<Received>>()
  let ended = false
  let checking: Promise<void> | undefined

  function decode({ id, event, data }: Message): Received | undefined {
    try {
      return { id, event, data: format.decode(data) }
    } catch (cause) {
      const { message } = cause as Error
      onError(new Error(`a message of event ${show(event)} was left out: ${message}`, { cause }))
      return undefined
    }
  }

  /** @returns what to wait for, where a check takes its time. */
  function hear(message: Message): Promise<void> | undefined {
    const received = decode(message)
    if (received === undefined) return undefined
    const bytes = costOf(message)
    if (check === undefined) {
      give(received, bytes)
      return undefined
    }
    try {
      const agreed = check('down', received.event, received.data)
      if (agreed instanceof Promise) {
        return agreed.then((data) => give({ ...received, data }, bytes), onError)
      }
      give({ ...received, data: agreed }, bytes)
    } catch (error) {
      onError(error)
    }
    return undefined
  }

  function give(received: Received, bytes: number): void {
    for (const iteration of iterations) {
      if (iteration.push(received, bytes) <= maxQueuedBytes) continue
      iterations.delete(iteration)
      iteration.end(
        new Error(
          `an iteration was left behind: more than ${maxQueuedBytes} bytes wait to be read; read faster or raise \`maxQueuedBytes\``,
        ),
      )
    }
    const readers = handlers.get(received.event)
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
  }

  return {
    on(event, handler) {
      checkFunction('handler', handler)
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
      if (!handlers.has(message.event) && iterations.size === 0) return
      // What was delivered before is heard before.
      const hearing = checking === undefined ? hear(message) : checking.then(() => hear(message))
      if (hearing === undefined) return
      const last = hearing.then(() => {
        if (checking === last) checking = undefined
      })
      checking = last
    },
    get checking() {
      return checking
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
