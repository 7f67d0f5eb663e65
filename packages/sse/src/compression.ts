import { constants, crc32, deflateRawSync } from 'node:zlib'
import type { Encoder } from '@eitherway/core'
import { codec } from './codec.ts'

/**
 * A part of an event stream that is the same for all who get it, and, made when it is first asked for, what it is in a gzip
 * stream. It ends where a byte does and leans on nothing before it, so one deflate serves every stream, whatever came
 * earlier in each.
 */
class Section extends Uint8Array {
  readonly #thresholdBytes: number
  #sealed: Sealed | undefined

  constructor(bytes: Uint8Array<ArrayBuffer>, thresholdBytes: number) {
    super(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#thresholdBytes = thresholdBytes
  }

  get sealed(): Sealed {
    this.#sealed ??= seal(this, this.#thresholdBytes)
    return this.#sealed
  }

  /** A slice of it is bytes and no more. */
  static get [Symbol.species](): Uint8ArrayConstructor {
    return Uint8Array
  }
}

/** A section as gzip streams have it. */
interface Sealed {
  /** As a chunk of HTTP/1.1. */
  readonly chunk: Buffer
  /** The same without the chunk's frame. */
  readonly blocks: Buffer
  /** Of what was compressed. */
  readonly crc: number
  /** What it makes of the checksum of all that came before. */
  readonly shift: number
}

/** Writes sections: what is smaller than the threshold is stored in them as it is. */
export function createSections(thresholdBytes: number): Encoder {
  return {
    encode: (frame) => new Section(Buffer.from(codec.encode(frame)), thresholdBytes),
    join: (chunks) => new Section(Buffer.concat(chunks as readonly Uint8Array[]), thresholdBytes),
  }
}

/**
 * The gzip stream of one connection: what is its own of it, which is the ends and a checksum. The rest it has in common
 * with all others.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1952
 */
export class Gzip {
  readonly #isChunked: boolean
  #crc = 0
  #size = 0
  #hasBegun = false

  /** @param isChunked - whether what it returns is framed as chunks of HTTP/1.1. */
  constructor(isChunked: boolean) {
    this.#isChunked = isChunked
  }

  /** Goes on by one chunk of the event stream, or ends with it. @returns what to write. */
  next(chunk: string | Uint8Array, isLast = false): Uint8Array {
    const section = chunk instanceof Section ? chunk : new Section(Buffer.from(chunk), Infinity)
    const { sealed, length } = section
    this.#crc = multiply(sealed.shift, this.#crc) ^ sealed.crc
    this.#size = (this.#size + length) >>> 0
    if (this.#hasBegun && !isLast) return this.#isChunked ? sealed.chunk : sealed.blocks
    const parts = this.#hasBegun ? [sealed.blocks] : [header, sealed.blocks]
    this.#hasBegun = true
    if (isLast) parts.push(this.#trailer())
    return this.#isChunked ? toChunk(parts) : Buffer.concat(parts)
  }

  #trailer(): Buffer {
    const trailer = Buffer.from([...emptyLastBlock, 0, 0, 0, 0, 0, 0, 0, 0])
    trailer.writeInt32LE(this.#crc, emptyLastBlock.length)
    trailer.writeUInt32LE(this.#size, emptyLastBlock.length + 4)
    return trailer
  }
}

/** Deflate, no flags, no time, no level, of no system in particular. */
const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])

/** [RFC 1951] 3.2.6: a last block of fixed codes that holds its end and nothing else. */
const emptyLastBlock = [3, 0]

/** JSON compresses no worse than with the full window, of 15 bits, and the largest at two thirds of the CPU. */
const windowBits = 12

/** [RFC 1951] 3.2.4: a stored block holds so much. */
const maxStoredBytes = 65_535

function seal(bytes: Uint8Array, thresholdBytes: number): Sealed {
  const chunk = toChunk(blocksOf(bytes, thresholdBytes))
  return {
    chunk,
    blocks: chunk.subarray(chunk.indexOf(10) + 1, -2),
    crc: crc32(bytes),
    shift: shiftOf(bytes.length),
  }
}

function blocksOf(bytes: Uint8Array, thresholdBytes: number): readonly Uint8Array[] {
  const { length } = bytes
  const stored = [Buffer.from([0, length, length >> 8, ~length, ~length >> 8]), bytes]
  if (length < thresholdBytes && length <= maxStoredBytes) return stored
  const deflated = deflateRawSync(bytes, { windowBits, finishFlush: constants.Z_FULL_FLUSH })
  return deflated.length < length + 5 || length > maxStoredBytes ? [deflated] : stored
}

/** @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
function toChunk(parts: readonly Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  return Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`), ...parts, Buffer.from('\r\n')])
}

// A checksum of gzip is a polynomial over GF(2), the highest power in the lowest bit. That of two texts one behind the other
// is the first's, times x to the power of the second's bits, plus the second's: so no byte need be looked at once for each
// stream. As `crc32_combine` of zlib does it.

/** The product modulo the polynomial of CRC-32. */
function multiply(a: number, b: number): number {
  let product = 0
  for (let rest = a, factor = b; rest !== 0; rest <<= 1) {
    if (rest < 0) product ^= factor
    factor = factor & 1 ? (factor >>> 1) ^ 0xedb88320 : factor >>> 1
  }
  return product
}

const one = 1 << 31
const x8 = 1 << 23

/** x to the power of eight for each byte. */
function shiftOf(bytes: number): number {
  let power = one
  for (let rest = bytes, square = x8; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(square, power)
    square = multiply(square, square)
  }
  return power
}

/**
 * Whether the client takes gzip, and does not like its bytes better as they are.
 *
 * @param accepted - the header `Accept-Encoding`. Without one nothing is compressed: who asks for nothing may be a script.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
 */
export function acceptsGzip(accepted: string | undefined): boolean {
  const weights = new Map<string, number>()
  for (const item of accepted?.split(',') ?? []) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
    // A weight that is none is refused: plain bytes are always understood.
    weights.set(coding, /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0)
  }
  const gzip = weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0
  return gzip > 0 && gzip >= (weights.get('identity') ?? 0)
}
