import type { House } from './contender.ts'

/** Counts what one raw client is sent, from the first byte of the answer on, in whatever pieces it comes. */
export interface Tally {
  /** Whether the stream has begun: its answer's head has come, and says so. */
  readonly open: boolean
  /** Messages of the application: no heartbeats, nothing of the protocol's own. */
  readonly messages: number
  /** Of the stream, without the answer's head. */
  readonly bytes: number
  /** @throws Error when this is not what a server of this kind sends. */
  push(chunk: Buffer, end?: number): void
}

/** Takes a part of a chunk. */
type Take = (chunk: Buffer, from: number, to: number) => void

/**
 * Counts for one client. No library: the load generator has to cost less than what it loads.
 *
 * @param house - ours marks its own events, so that they are not counted.
 * @param answer - writes what the protocol owes the server.
 */
export function createTally(
  transport: 'sse' | 'ws',
  house: House,
  answer: (bytes: Uint8Array) => void,
): Tally {
  let head = ''
  let open = false
  let messages = 0
  let bytes = 0
  const count = (): void => {
    messages += 1
  }
  const take = transport === 'sse' ? createChunks(createBlocks(count)) : createFrames(house, count, answer)

  /** @returns where the stream begins in this chunk. */
  function takeHead(chunk: Buffer, to: number): number {
    const before = head.length
    head += chunk.toString('latin1', 0, to)
    const end = head.indexOf('\r\n\r\n')
    if (end === -1) {
      if (head.length > maxHeadLength) throw new Error('the answer has no end of its head')
      return to
    }
    const status = Number(head.slice(9, 12))
    if (status !== (transport === 'sse' ? 200 : 101)) throw new Error(`the answer has the status ${status}`)
    if (transport === 'sse' && !/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) {
      throw new Error('the answer is not chunked')
    }
    open = true
    head = ''
    return end + 4 - before
  }

  return {
    get open() {
      return open
    },
    get messages() {
      return messages
    },
    get bytes() {
      return bytes
    },
    push(chunk, end = chunk.length) {
      const from = open ? 0 : takeHead(chunk, end)
      bytes += end - from
      if (from < end) take(chunk, from, end)
    },
  }
}

const maxHeadLength = 16_384
const lf = 0x0a
const cr = 0x0d
const tilde = 0x7e

/** Undoes the chunks of HTTP/1.1. @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
function createChunks(take: Take): Take {
  let size = ''
  /** Of the chunk that is read; 0 while its size is. */
  let left = 0
  /** Of the line end behind a chunk. */
  let tail = 0
  return (chunk, from, to) => {
    for (let at = from; at < to; ) {
      if (tail > 0) {
        if (chunk[at] !== (tail === 2 ? cr : lf)) throw new Error('a chunk is longer than it says')
        tail -= 1
        at += 1
      } else if (left > 0) {
        const end = Math.min(to, at + left)
        take(chunk, at, end)
        left -= end - at
        at = end
        if (left === 0) tail = 2
      } else {
        const byte = chunk[at] as number
        at += 1
        if (byte !== lf) size += String.fromCharCode(byte)
        else {
          left = /^[0-9a-f]+\r$/i.test(size) ? Number.parseInt(size, 16) : 0
          if (left === 0) throw new Error('the stream has ended')
          size = ''
        }
      }
    }
  }
}

/** So much of a line tells what it is. */
const fieldLength = 'event: ~'.length

/** Counts the blocks of an event stream that are messages. A CR alone as a line end is none here: no stage sends it. */
function createBlocks(count: () => void): Take {
  let field = ''
  let hasData = false
  let isReserved = false

  function endLine(): void {
    if (field === '' || field === '\r') {
      if (hasData && !isReserved) count()
      hasData = false
      isReserved = false
    } else if (field.startsWith('data:') || field === 'data' || field === 'data\r') {
      hasData = true
    } else if (field.startsWith('event:')) {
      isReserved = field.startsWith('~', field[6] === ' ' ? 7 : 6)
    }
    field = ''
  }

  return (chunk, from, to) => {
    for (let at = from; at < to; ) {
      const found = chunk.indexOf(lf, at)
      const end = found === -1 || found >= to ? to : found
      const room = fieldLength - field.length
      if (room > 0 && end > at) field += chunk.toString('latin1', at, Math.min(end, at + room))
      if (end === to) return
      endLine()
      at = end + 1
    }
  }
}

const opcodes = { close: 8, ping: 9, pong: 10 } as const

/** Counts the messages of a WebSocket. @see https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
function createFrames(house: House, count: () => void, answer: (bytes: Uint8Array) => void): Take {
  let step: 'first' | 'second' | 'length' | 'payload' = 'first'
  let isFinal = true
  let opcode = 0
  let lengthBytes = 0
  let left = 0
  let control: number[] = []
  /** Ours begins with the id, LF and the event, whose first character tells. */
  let seeks: 'id' | 'event' | 'nothing' = 'nothing'
  let isReserved = false

  function begin(): void {
    step = 'payload'
    control = []
    if (opcode === 1 || opcode === 2) {
      seeks = house === 'ours' ? 'id' : 'nothing'
      isReserved = false
    } else if (opcode > opcodes.pong || (opcode > 2 && opcode < opcodes.close)) {
      throw new Error(`there is no opcode ${opcode}`)
    }
    if (left === 0) end()
  }

  function look(chunk: Buffer, from: number, to: number): void {
    if (opcode >= opcodes.close) {
      for (let at = from; at < to; at += 1) control.push(chunk[at] as number)
      return
    }
    let at = from
    if (seeks === 'id') {
      const found = chunk.indexOf(lf, from)
      if (found === -1 || found >= to) return
      seeks = 'event'
      at = found + 1
    }
    if (seeks === 'event' && at < to) {
      isReserved = chunk[at] === tilde
      seeks = 'nothing'
    }
  }

  function end(): void {
    step = 'first'
    if (opcode === opcodes.close) {
      throw new Error(`closed with ${(control[0] ?? 0) * 256 + (control[1] ?? 0)}`)
    }
    // The mask may be of zeros: there is nobody between who could be deceived.
    if (opcode === opcodes.ping) answer(Uint8Array.of(0x8a, 0x80 | control.length, 0, 0, 0, 0, ...control))
    if (opcode >= opcodes.close || !isFinal) return
    if (seeks !== 'nothing') throw new Error('a message has no id and no event')
    if (!isReserved) count()
  }

  return (chunk, from, to) => {
    for (let at = from; at < to; ) {
      if (step === 'payload') {
        const stop = Math.min(to, at + left)
        look(chunk, at, stop)
        left -= stop - at
        at = stop
        if (left === 0) end()
        continue
      }
      const byte = chunk[at] as number
      at += 1
      if (step === 'first') {
        if ((byte & 0x70) !== 0) throw new Error('a frame is compressed, which nobody asked for')
        isFinal = (byte & 0x80) !== 0
        opcode = byte & 0x0f
        step = 'second'
      } else if (step === 'second') {
        if ((byte & 0x80) !== 0) throw new Error('a server must not mask')
        lengthBytes = byte === 127 ? 8 : byte === 126 ? 2 : 0
        left = lengthBytes === 0 ? byte : 0
        if (lengthBytes === 0) begin()
        else step = 'length'
      } else {
        left = left * 256 + byte
        lengthBytes -= 1
        if (lengthBytes === 0) begin()
      }
    }
  }
}
