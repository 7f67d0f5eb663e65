import type { Refusal } from '@eitherway/core'

/** The bytes of all bodies that are being read, which have a bound together. */
export interface Budget {
  bytes: number
}

/** What one body may be. */
export interface BodyBounds {
  readonly maxBytes: number
  /** How long it may take to come, in milliseconds. */
  readonly bodyMs: number
  readonly budget: Budget
}

/** The bytes of all bodies that are being read at one time. */
const maxReadingBytes = 64 * 1024 * 1024

/**
 * Reads the text of a body, or says why not.
 *
 * It leaves the iteration where it stands, on purpose: to return from that of a request destroys the socket, with the refusal
 * that was to be sent on it.
 */
export async function readBody(
  body: AsyncIterable<Uint8Array>,
  { maxBytes, bodyMs, budget }: BodyBounds,
): Promise<string | Refusal> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const chunks = body[Symbol.asyncIterator]()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), bodyMs)
  })
  let bytes = 0
  let text = ''
  try {
    for (;;) {
      const next = await Promise.race([chunks.next().catch(() => 'broken' as const), late])
      if (next === 'late') return { status: 408, reason: `a body may take ${bodyMs} ms to come` }
      if (next === 'broken') return { status: 400, reason: 'the body broke off' }
      if (next.done === true) return text + decoder.decode()
      bytes += next.value.byteLength
      budget.bytes += next.value.byteLength
      if (bytes > maxBytes) return tooLarge(maxBytes)
      if (budget.bytes > maxReadingBytes) {
        return { status: 503, reason: 'too much is being sent at once', retryAfterMs: 1000 }
      }
      text += decoder.decode(next.value, { stream: true })
    }
  } catch {
    // The decoder's word for it, a TypeError, says no more.
    return { status: 400, reason: 'the body is not UTF-8' }
  } finally {
    clearTimeout(timer)
    budget.bytes -= bytes
  }
}

export function tooLarge(maxBytes: number): Refusal {
  return {
    status: 413,
    reason: `a body is at most ${maxBytes} bytes; send less at once, or raise \`maxMessageBytes\` for a larger message`,
  }
}
