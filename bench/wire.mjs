/** @typedef {'raw' | 'ws' | 'sse' | 'eitherway.ws' | 'eitherway.sse' | 'socket.io'} Dialect */

/**
 * What all connections of a load generator have received together.
 * @typedef {object} Tally
 * @property {number} greeted - connections that have had their first message, or ours its greeting
 * @property {number} units - what came after: messages; of the raw wire, which has none, bytes
 * @property {number} bytes - all of it, heads and greetings too
 * @property {string} [failure] - what a server should not have sent
 */

/**
 * Takes what one connection received, cheaply and exactly.
 * @typedef {{ read(chunk: Buffer): void }} Reader
 */

/** What a client asks with. */
const paths = /** @type {const} */ ({
  raw: '/',
  ws: '/',
  sse: '/',
  'eitherway.ws': '/live?channel=bench',
  'eitherway.sse': '/live?channel=bench',
  'socket.io': '/socket.io/?EIO=4&transport=websocket',
})

/**
 * The request of a client, written by hand.
 * @param {Dialect} dialect
 * @param {string} lastEventId - where it comes back from, or `''`
 */
export function requestOf(dialect, lastEventId) {
  const isSse = dialect.endsWith('sse')
  const query = lastEventId !== '' && !isSse ? `&lastEventId=${encodeURIComponent(lastEventId)}` : ''
  const lines = [`GET ${paths[dialect]}${query} HTTP/1.1`, 'Host: 127.0.0.1']
  if (isSse) lines.push('Accept: text/event-stream')
  if (isSse && lastEventId !== '') lines.push(`Last-Event-ID: ${lastEventId}`)
  if (!isSse && dialect !== 'raw') {
    lines.push('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13')
    lines.push('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
  }
  if (dialect === 'eitherway.ws') lines.push('Sec-WebSocket-Protocol: eitherway.v1')
  return `${lines.join('\r\n')}\r\n\r\n`
}

/**
 * @param {Dialect} dialect
 * @param {Tally} tally
 * @param {(bytes: Buffer) => void} answer - writes to the server
 * @param {number} greetingBytes - what the raw wire sends first
 * @returns {Reader}
 */
export function createReader(dialect, tally, answer, greetingBytes) {
  if (dialect === 'raw') return new RawReader(tally, greetingBytes)
  if (dialect.endsWith('sse')) return new BlockReader(tally)
  return new FrameReader(dialect, tally, answer)
}

/** Counts bytes. */
class RawReader {
  /**
   * @param {Tally} tally
   * @param {number} greetingBytes
   */
  constructor(tally, greetingBytes) {
    this.tally = tally
    this.missing = greetingBytes
  }

  /** @param {Buffer} chunk */
  read({ length }) {
    this.tally.bytes += length
    if (this.missing === 0) {
      this.tally.units += length
      return
    }
    this.missing -= length
    if (this.missing > 0) return
    this.tally.greeted++
    this.tally.units -= this.missing
    this.missing = 0
  }
}

const nothing = Buffer.alloc(0)
const lineFeed = 10

/** So much of a frame's payload tells what it is; control frames are never longer. */
const peekBytes = 125

/** Hops from head to head of the frames of WebSocket. */
class FrameReader {
  /**
   * @param {Dialect} dialect
   * @param {Tally} tally
   * @param {(bytes: Buffer) => void} answer
   */
  constructor(dialect, tally, answer) {
    this.dialect = dialect
    this.tally = tally
    this.answer = answer
    this.carry = nothing
    this.skip = 0
    this.isUpgraded = false
    this.isGreeted = false
  }

  /** @param {Buffer} chunk */
  read(chunk) {
    this.tally.bytes += chunk.length
    const bytes = this.carry.length === 0 ? chunk : Buffer.concat([this.carry, chunk])
    let at = 0
    if (!this.isUpgraded) {
      at = this.#upgrade(bytes)
      this.isUpgraded = at > 0
    }
    while (this.isUpgraded) {
      const step = Math.min(this.skip, bytes.length - at)
      at += step
      this.skip -= step
      const frameBytes = this.#take(bytes, at)
      if (frameBytes === 0) break
      this.skip = frameBytes
    }
    // A copy: the chunk's memory is read into again.
    this.carry = at === bytes.length ? nothing : Buffer.from(bytes.subarray(at))
  }

  /**
   * @param {Buffer} bytes
   * @returns {number} where the frames begin; 0 while that is not known
   */
  #upgrade(bytes) {
    const end = bytes.indexOf('\r\n\r\n')
    if (end === -1) return 0
    const status = bytes.toString('latin1', 9, 12)
    if (status !== '101') this.tally.failure ??= `the upgrade was answered with ${status}`
    return end + 4
  }

  /**
   * @param {Buffer} bytes
   * @param {number} at
   * @returns {number} the size of the frame that begins there; 0 where too little of it has come
   */
  #take(bytes, at) {
    const left = bytes.length - at
    if (left < 2) return 0
    const short = /** @type {number} */ (bytes[at + 1]) & 127
    const headBytes = short < 126 ? 2 : short === 126 ? 4 : 10
    if (left < headBytes) return 0
    let size = short
    if (short === 126) size = bytes.readUInt16BE(at + 2)
    else if (short === 127) size = Number(bytes.readBigUInt64BE(at + 2))
    if (left < headBytes + Math.min(size, peekBytes)) return 0
    const payload = at + headBytes
    const opcode = /** @type {number} */ (bytes[at]) & 15
    if (opcode === 1 || opcode === 2) this.#message(bytes, payload, size)
    else if (opcode === 9) this.answer(clientFrame(10, bytes.subarray(payload, payload + size)))
    else if (opcode === 8) this.tally.failure ??= 'the server closed a connection'
    return headBytes + size
  }

  /**
   * @param {Buffer} bytes
   * @param {number} at
   * @param {number} size
   */
  #message(bytes, at, size) {
    if (this.dialect === 'socket.io') {
      const kind = bytes.toString('latin1', at, at + Math.min(size, 2))
      if (kind[0] === '0') this.answer(clientFrame(1, Buffer.from('40')))
      if (kind === '2') this.answer(clientFrame(1, Buffer.from('3')))
      if (kind !== '42') return
    }
    if (this.dialect === 'eitherway.ws') {
      const event = bytes.indexOf(lineFeed, at) + 1
      if (bytes[event] === tilde) {
        if (bytes.toString('latin1', event, event + 6) === '~hello') this.#greet()
        return
      }
    }
    if (this.isGreeted) this.tally.units++
    else this.#greet()
  }

  #greet() {
    if (!this.isGreeted) this.tally.greeted++
    this.isGreeted = true
  }
}

const tilde = 126

/** As much of a line as tells what it is: `event: ~hello`. */
const lineBytes = 13

/**
 * Counts the blocks of an event stream that have data. The lines of chunked encoding and of the head look like no field,
 * so they need no reading of their own; a chunk's end within a field's name would be miscounted, and thereby be seen.
 */
class BlockReader {
  /** @param {Tally} tally */
  constructor(tally) {
    this.tally = tally
    this.carry = nothing
    this.isInLine = false
    this.hasData = false
    this.isReserved = false
    this.isHello = false
    this.isAnswered = false
    this.isGreeted = false
  }

  /** @param {Buffer} chunk */
  read(chunk) {
    this.tally.bytes += chunk.length
    const bytes = this.carry.length === 0 ? chunk : Buffer.concat([this.carry, chunk])
    this.carry = nothing
    let at = 0
    while (at < bytes.length) {
      const end = bytes.indexOf(lineFeed, at)
      if (!this.isInLine) {
        if (end === -1 && bytes.length - at < lineBytes) {
          this.carry = Buffer.from(bytes.subarray(at))
          return
        }
        if (end === at) this.#block()
        else this.#line(bytes, at)
      }
      this.isInLine = end === -1
      if (end === -1) return
      at = end + 1
    }
  }

  /**
   * @param {Buffer} bytes
   * @param {number} at
   */
  #line(bytes, at) {
    const first = bytes[at]
    if (!this.isAnswered) {
      this.isAnswered = true
      const status = bytes.toString('latin1', at + 9, at + 12)
      if (status !== '200') this.tally.failure ??= `the request was answered with ${status}`
    } else if (first === letterD && bytes[at + 3] === letterA && bytes[at + 4] === colon) {
      this.hasData = true
    } else if (first === letterE && bytes[at + 7] === tilde) {
      this.isReserved = true
      this.isHello = bytes.toString('latin1', at + 7, at + lineBytes) === '~hello'
    }
  }

  #block() {
    if (this.isHello || (this.hasData && !this.isReserved)) {
      if (this.isGreeted) this.tally.units++
      else this.tally.greeted++
      this.isGreeted = true
    }
    this.hasData = false
    this.isReserved = false
    this.isHello = false
  }
}

const letterA = 97
const letterD = 100
const letterE = 101
const colon = 58

/**
 * A frame as clients must send it: masked, here with zeroes.
 * @param {number} opcode
 * @param {Buffer} payload - up to 125 bytes
 */
function clientFrame(opcode, payload) {
  return Buffer.concat([Buffer.of(0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0), payload])
}
