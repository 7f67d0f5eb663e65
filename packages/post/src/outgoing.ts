import { byteLength, type Close, closeCode, closeCodeOfStatus, fitReason } from '@eitherway/core'
import { highWaterBytes } from './wire.ts'

/** What became of one POST. */
export type Outcome =
  /** The server has all messages up to this number. */
  | { readonly seq: number }
  /** It will not take them, also at another try. */
  | { readonly status: number; readonly reason: string }
  /** Nobody knows whether it has them. */
  | { readonly failure: string; readonly retryAfterMs?: number | undefined }

/** One POST: a body, the number of its first message, and whether the page may be gone before its answer comes. */
export interface Batch {
  readonly body: string
  readonly seq: number
  readonly keepalive: boolean
  readonly signal: AbortSignal
}

/** The world as the way up needs it. */
export interface OutgoingOptions {
  /** Posts a batch. Never rejects. */
  readonly post: (batch: Batch) => Promise<Outcome>
  /** Hears that nothing can be sent any more, and what the link ends with unless its stream says otherwise. */
  readonly onOver: (close: Close) => void
  /** Milliseconds, from whenever. */
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
}

/** A link's way up. */
export interface Outgoing {
  /** Whether it takes no more. */
  readonly isOver: boolean
  /** Takes an encoded message. Fulfils when there is room for another, or it is over. */
  send(block: string): Promise<void>
  /** Posts what waits, and this last word behind it. Fulfils when the server has it, or some seconds later without. */
  close(block: string): Promise<void>
  /** Ends it at once. */
  stop(): void
}

/** For how long a batch that does not get through is tried again, in milliseconds. */
export const giveUpMs = 60_000

/** The window in which a first repeat falls, and the largest: it doubles with each. */
const windowMs = 250
const maxWindowMs = 5_000

/** For how long a last word is. */
const closeMs = 5_000

/** A browser lets a page leave behind 64 KiB in all. */
const maxKeepaliveBytes = 32 * 1024

interface Delivery {
  readonly body: string
  readonly seq: number
  /** The number that the server has to name, or the batch did not get through. */
  readonly least: number
  readonly forMs: number
  readonly isLast?: boolean
}

/** Makes a way up: batches, one under way at a time, each repeated with the same number until the server has it. */
export function createOutgoing({ post, onOver, now, random }: OutgoingOptions): Outgoing {
  /** Those that the server is not known to have, in order. */
  let blocks: string[] = []
  let bytes = 0
  /** The number of the first of them. */
  let first = 1
  let isPosting = false
  let isOver = false
  const abort = new AbortController()
  let waiting: (() => void)[] = []

  function release(): void {
    if (bytes > highWaterBytes && !isOver) return
    const released = waiting
    waiting = []
    for (const resolve of released) resolve()
  }

  function end(): void {
    isOver = true
    release()
  }

  function has(seq: number): void {
    const known = Math.min(Math.max(seq - first + 1, 0), blocks.length)
    for (const block of blocks.slice(0, known)) bytes -= byteLength(block)
    blocks = blocks.slice(known)
    first += known
    release()
  }

  /** As many as fit, and at least one. */
  function next(): string {
    let length = 0
    let size = 0
    for (const block of blocks) {
      size += byteLength(block)
      if (length > 0 && size > highWaterBytes) break
      length += 1
    }
    return blocks.slice(0, length).join('')
  }

  async function pump(): Promise<void> {
    if (isPosting) return
    isPosting = true
    // What is sent in the same turn goes in one body.
    await undefined
    while (blocks.length > 0 && !isOver) {
      const close = await deliver({ body: next(), seq: first, least: first, forMs: giveUpMs })
      if (close === undefined || isOver) continue
      end()
      onOver(close)
    }
    isPosting = false
  }

  /** @returns why it cannot be delivered. */
  async function deliver({ body, seq, least, forMs, isLast = false }: Delivery): Promise<Close | undefined> {
    const until = now() + forMs
    const keepalive = isLast && byteLength(body) <= maxKeepaliveBytes
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await post({ body, seq, keepalive, signal: abort.signal })
      // The last word has taken it along.
      if (isOver && !isLast) return undefined
      if ('status' in outcome) return closeOf(outcome)
      if ('seq' in outcome && outcome.seq >= least) {
        has(outcome.seq)
        return undefined
      }
      const { failure, retryAfterMs = 0 } =
        'failure' in outcome ? outcome : { failure: 'the server took nothing of it' }
      // Soon at first: most that fails is a connection that was let go in the moment in which it was used again.
      const waitMs = retryAfterMs + random() * Math.min(maxWindowMs, windowMs * 2 ** Math.min(attempt, 30))
      if (now() + waitMs > until || abort.signal.aborted) {
        const reason = fitReason(`nothing could be sent for ${forMs} ms: ${failure}`)
        return { code: closeCode.abnormal, reason }
      }
      await wait(waitMs, abort.signal)
    }
  }

  return {
    get isOver() {
      return isOver
    },
    async send(block) {
      blocks.push(block)
      bytes += byteLength(block)
      void pump()
      if (bytes <= highWaterBytes) return
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    },
    async close(block) {
      if (isOver) return
      end()
      // With all that may be on its way already, of which the server takes nothing twice: no answer has to be waited for.
      const body = blocks.join('') + block
      await deliver({ body, seq: first, least: first - 1, forMs: closeMs, isLast: true })
      abort.abort()
    },
    stop() {
      end()
      abort.abort()
    },
  }
}

/** A link that is unknown has ended, and the next one may not. */
function closeOf({ status, reason }: { status: number; reason: string }): Close {
  const code = status === 404 ? closeCode.abnormal : closeCodeOfStatus(status)
  return {
    code,
    reason: fitReason(`the server answered ${status} to what was sent${reason && `: ${reason}`}`),
  }
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
