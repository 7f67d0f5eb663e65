import type { Kind } from '../../parcel.ts'

/**
 * Data of exactly so many bytes, the same in each run, so that compression has the same work in each: text as a feed of
 * prices has it; bytes without any pattern, as pictures and sound have them that are compressed already. Both begin with the
 * number, as a parcel does.
 */
export function dataOf(seq: number, bytes: number, kind: Kind): string | Uint8Array {
  const next = createNumbers(seq)
  if (kind === 'text') {
    let text = `${seq} `
    while (text.length < bytes) text += tick(next)
    return text.slice(0, bytes)
  }
  const data = Uint8Array.from({ length: bytes }, () => next() & 0xff)
  new DataView(data.buffer).setUint32(0, seq)
  return data
}

const symbols = ['EURUSD', 'GBPUSD', 'USDJPY', 'AUDCAD', 'USDCHF', 'NZDUSD', 'EURGBP', 'EURSEK']

function tick(next: () => number): string {
  const symbol = symbols[next() % symbols.length] ?? ''
  const bid = 1 + (next() % 50_000) / 100_000
  const ask = bid + (1 + (next() % 20)) / 100_000
  return `{"symbol":"${symbol}","bid":${bid.toFixed(5)},"ask":${ask.toFixed(5)},"size":${(next() % 500) * 1000}} `
}

/** Numbers that look random, by xorshift. */
function createNumbers(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state >>> 8
  }
}
