import {
  type Close,
  ConnectError,
  type Contract,
  callMessage,
  checkOptions,
  checkRequestName,
  type Format,
  failureOf,
  type Message,
  readCall,
  show,
  type TwoWayConnection,
} from '@eitherway/core'
import { checkMs } from './options.ts'
import type { Outbox } from './outbox.ts'

/** Settings of one `request`. */
export interface RequestOptions {
  /** Gives the request up: its promise rejects with the signal's reason, and the signal of the server's handler aborts. */
  readonly signal?: AbortSignal
  /** How long to wait for the answer, the wait for a link included, in milliseconds; 0 for as long as it takes. @defaultValue 30,000 */
  readonly timeoutMs?: number
}

/** Settings of {@link createCalls}. */
export interface CallsOptions {
  readonly format: Format
  readonly check: Contract['check']
  readonly outbox: Outbox
  /** The last request that this link was to answer is settled. */
  readonly onAnswered: (connection: TwoWayConnection) => void
}

/** The requests of a client that wait for their answers. */
export interface Calls {
  request(name: string, data: unknown, options?: RequestOptions): Promise<unknown>
  /** @returns whether the message is a word of a call, which is nobody else's. */
  hear(message: Message): boolean
  /** Whether this link owes an answer. */
  isAwaited(connection: object | undefined): boolean
  /** This link brings no more. */
  gone(connection: object, close: Close): void
  /** There will be no link again. */
  end(close: Close): void
}

interface Pending {
  readonly name: string
  /** The link that has it. */
  link: TwoWayConnection | undefined
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** How many requests may wait at once for their answers. */
const maxPending = 1_000

/** Makes the requests of a client, of which there are none yet. @internal */
export function createCalls({ format, check, outbox, onAnswered }: CallsOptions): Calls {
  const pending = new Map<number, Pending>()
  let last = 0

  const isAwaited: Calls['isAwaited'] = (connection) => {
    for (const { link } of pending.values()) if (link !== undefined && link === connection) return true
    return false
  }

  function start(name: string, data: Message['data'], signal: AbortSignal | undefined, timeoutMs: number) {
    last += 1
    const number = last
    return new Promise<unknown>((resolve, reject) => {
      const settled = new AbortController()
      const settle = () => {
        if (!pending.delete(number)) return false
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        // Also out of the outbox, where it may wait for another link.
        settled.abort()
        if (call.link !== undefined && !isAwaited(call.link)) onAnswered(call.link)
        return true
      }
      const call: Pending = {
        name,
        link: undefined,
        resolve(value) {
          if (settle()) resolve(value)
        },
        reject(error) {
          if (settle()) reject(error)
        },
      }
      const giveUp = (reason: unknown) => {
        // To the link that has the request, and no other: on the next one it means nothing.
        call.link?.send(callMessage({ type: 'abort', number })).catch(() => {
          // The link has ended, and the handler's signal with it.
        })
        call.reject(reason)
      }
      const onAbort = () => giveUp(signal?.reason)
      const timer =
        timeoutMs === 0 ? undefined : setTimeout(() => giveUp(timeoutError(call, timeoutMs)), timeoutMs)
      signal?.addEventListener('abort', onAbort)
      pending.set(number, call)
      outbox
        .send(callMessage({ type: 'request', number, name, data }), settled.signal, (link) => {
          call.link = link
        })
        .catch(call.reject)
    })
  }

  return {
    async request(name, data = null, options = {}) {
      checkRequestName(name)
      checkOptions<RequestOptions>('request', options, { signal: true, timeoutMs: true })
      const { signal, timeoutMs = 30_000 } = options
      checkMs('timeoutMs', timeoutMs)
      const encoded = format.encode(data)
      signal?.throwIfAborted()
      if (pending.size >= maxPending) {
        throw new ConnectError(`${maxPending} requests wait for their answers already; await some of them`, {
          retryable: true,
        })
      }
      return await start(name, encoded, signal, timeoutMs)
    },
    hear(message) {
      const { event } = message
      if (!event.startsWith('~')) return false
      const answer = readCall(message)
      const call = answer === undefined ? undefined : pending.get(answer.number)
      // What was given up, and what no link has yet.
      if (call?.link === undefined) return true
      try {
        if (answer?.type === 'reply') {
          const data = format.decode(answer.data)
          // One that is checked for a while is answered all the same: what becomes of its link is no matter any more.
          call.resolve(check === undefined ? data : check('output', call.name, data))
        } else if (answer?.type === 'failure') call.reject(failureOf(answer.data))
      } catch (error) {
        call.reject(error)
      }
      return true
    },
    isAwaited,
    gone(connection, { code, reason }) {
      for (const call of [...pending.values()]) {
        if (call.link !== connection) continue
        call.reject(
          new ConnectError(
            `the link was lost (${code}${reason && ` ${reason}`}) before ${show(call.name)} was answered; the server may or may not have done what was asked`,
            { retryable: true, closeCode: code },
          ),
        )
      }
    },
    end({ code, reason }) {
      for (const call of [...pending.values()]) {
        call.reject(
          new ConnectError(
            `the client is closed (${code}${reason && ` ${reason}`}) and ${show(call.name)} is not answered; ${fateOf(call)}`,
            { retryable: false, closeCode: code },
          ),
        )
      }
    },
  }
}

const fateOf = ({ link }: Pending) =>
  link === undefined ? 'it was not sent' : 'the server may or may not have done what was asked'

/** As `AbortSignal.timeout` has it. */
function timeoutError(call: Pending, timeoutMs: number): DOMException {
  return new DOMException(
    `${show(call.name)} was not answered within ${timeoutMs} ms; ${fateOf(call)}`,
    'TimeoutError',
  )
}
