import type { Refusal } from '@eitherway/core'

/** What all bodies that are being read cost, which has a bound together. */
export interface Budget {
  bytes: number
  readonly readings: Set<Reading>
}

interface Reading {
  bytes: number
  /** Reads it no further. A second call changes nothing. */
  end(outcome: string | Refusal): void
}

/** What one body may be. */
export interface BodyBounds {
  readonly maxBytes: number
  /** How long it may take to come, in milliseconds. */
  readonly bodyMs: number
  readonly budget: Budget
}

/** What all bodies that are being read at one time may cost, in bytes. */
const maxReadingBytes = 64 * 1024 * 1024

/** What a piece costs beside its bytes, which may be one: it stays a piece until all of the text is there. */
const pieceBytes = 32

/** Pieces in which a body may come whatever their size. Beyond, they hold so many bytes on average, as any network makes them. */
const freePieces = 1_000
const leastPieceBytes = 16

/**
 * Reads the text of a body, or says why not. Where all bodies together are too much, the largest is given up: whoever sends little
 * is not kept from it by those who send much, and slowly.
 *
 * It leaves the iteration where it stands, on purpose: to return from that of a request destroys the socket, with the refusal
 * that was to be sent on it.
 */
export function readBody(
  body: AsyncIterable<Uint8Array>,
  { maxBytes, bodyMs, budget }: BodyBounds,
): Promise<string | Refusal> {
  return new Promise((resolve) => {
    let isOver = false
    let text = ''
    const reading: Reading = {
      bytes: 0,
      end(outcome) {
        if (isOver) return
        isOver = true
        // Whoever sends no more would keep it.
        text = ''
        clearTimeout(timer)
        budget.readings.delete(reading)
        budget.bytes -= reading.bytes
        resolve(outcome)
      },
    }
    const timer = setTimeout(
      () => reading.end({ status: 408, reason: `a body may take ${bodyMs} ms to come` }),
      bodyMs,
    )
    budget.readings.add(reading)

    // On purpose no race with the time for each piece: a promise that is still open keeps whoever waits for it.
    async function read(): Promise<string | Refusal> {
      const decoder = new TextDecoder('utf-8', { fatal: true })
      const chunks = body[Symbol.asyncIterator]()
      let bytes = 0
      let pieces = 0
      while (!isOver) {
        const { done, value } = await chunks.next()
        if (isOver) break
        try {
          if (done === true) return text + decoder.decode()
          text += decoder.decode(value, { stream: true })
        } catch {
          // The decoder's word for it, a TypeError, says no more.
          return { status: 400, reason: 'the body is not UTF-8' }
        }
        bytes += value.byteLength
        if (bytes > maxBytes) return tooLarge(maxBytes)
        pieces += 1
        if (pieces > freePieces + bytes / leastPieceBytes) return inCrumbs
        count(budget, reading, value.byteLength + pieceBytes)
      }
      return ''
    }

    read().then(reading.end, () => reading.end({ status: 400, reason: 'the body broke off' }))
  })
}

const inCrumbs: Refusal = {
  status: 400,
  reason: `the body comes in over ${freePieces} pieces of less than ${leastPieceBytes} bytes on average`,
}

function count(budget: Budget, reading: Reading, bytes: number): void {
  reading.bytes += bytes
  budget.bytes += bytes
  while (budget.bytes > maxReadingBytes) {
    let largest = reading
    for (const each of budget.readings) if (each.bytes > largest.bytes) largest = each
    largest.end({ status: 503, reason: 'too much is being sent at once', retryAfterMs: 1000 })
  }
}

export function tooLarge(maxBytes: number): Refusal {
  return {
    status: 413,
    reason: `a body is at most ${maxBytes} bytes; send less at once, or raise \`maxMessageBytes\` for a larger message`,
  }
}
