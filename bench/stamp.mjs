/** Instants are written in so many digits of nanoseconds. */
const digits = 17
const size = digits + 2
const at = 64

/**
 * A message that tells when it should have been sent.
 * @param {number} nanoseconds - of `process.hrtime`
 * @param {string} padding
 */
export const stamped = (nanoseconds, padding) => `@${String(nanoseconds).padStart(digits, '0')}@${padding}`

/** Finds the stamps in what one connection receives, whatever the wire. */
export class StampReader {
  #carry = Buffer.alloc(0)

  /**
   * @param {Buffer} chunk
   * @param {(nanoseconds: number) => void} hear
   */
  read(chunk, hear) {
    const bytes = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk])
    let from = bytes.indexOf(at)
    while (from !== -1 && from + size <= bytes.length) {
      // A length of WebSocket may be written with the same byte.
      const isStamp = bytes[from + size - 1] === at
      if (isStamp) hear(Number(bytes.toString('latin1', from + 1, from + 1 + digits)))
      from = bytes.indexOf(at, from + (isStamp ? size : 1))
    }
    this.#carry = from === -1 ? Buffer.alloc(0) : Buffer.from(bytes.subarray(from))
  }
}
