/** In [0, 1). */
export type Random = () => number

/**
 * A changed copy: bytes are flipped, put in, taken out, doubled, or come from another input or from a dictionary.
 *
 * @param maxBytes - what it may grow to.
 */
export function mutate(
  input: Uint8Array,
  other: Uint8Array,
  words: readonly Uint8Array[],
  random: Random,
  maxBytes: number,
): Uint8Array {
  let bytes = input
  const below = (limit: number) => Math.floor(random() * limit)
  for (let left = 1 + below(1 << below(6)); left > 0; left -= 1) {
    const at = below(bytes.byteLength + 1)
    const end = Math.min(bytes.byteLength, at + 1 + below(1 << below(7)))
    switch (below(8)) {
      case 0:
        bytes = replaced(bytes, at, at + 1, Uint8Array.of(below(256)))
        break
      case 1:
        bytes = replaced(bytes, at, at + 1, Uint8Array.of((bytes[at] ?? 0) ^ (1 << below(8))))
        break
      case 2:
        bytes = replaced(bytes, at, end, new Uint8Array(0))
        break
      case 3:
        bytes = replaced(bytes, end, end, bytes.subarray(at, end))
        break
      case 4:
        bytes = replaced(bytes, at, end, other.subarray(below(other.byteLength + 1)).subarray(0, below(64)))
        break
      case 5:
        bytes = replaced(bytes, at, at, Uint8Array.of(edges[below(edges.length)] as number))
        break
      default:
        bytes = replaced(
          bytes,
          at,
          below(2) === 0 ? at : end,
          words[below(words.length)] ?? new Uint8Array(0),
        )
    }
  }
  return bytes.subarray(0, maxBytes)
}

/** Bytes that mean something somewhere. */
const edges = [
  0, 9, 10, 13, 32, 34, 44, 45, 47, 58, 59, 91, 92, 93, 123, 125, 126, 127, 128, 0xc3, 0xef, 0xff,
]

function replaced(bytes: Uint8Array, from: number, to: number, piece: Uint8Array): Uint8Array {
  const until = Math.max(from, Math.min(to, bytes.byteLength))
  const result = new Uint8Array(from + piece.byteLength + bytes.byteLength - until)
  result.set(bytes.subarray(0, from))
  result.set(piece, from)
  result.set(bytes.subarray(until), from + piece.byteLength)
  return result
}

/** The smallest input found that `fails` still. */
export async function shrink(
  input: Uint8Array,
  fails: (input: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let smallest = input
  for (let size = smallest.byteLength >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < smallest.byteLength; ) {
      const smaller = replaced(smallest, at, at + size, new Uint8Array(0))
      if (await fails(smaller)) smallest = smaller
      else at += size
    }
  }
  return smallest
}
