/** How the bytes of a link fall into units: an HTTP/1.1 chunk, a WebSocket frame, an HTTP/2 frame. */
export type Framing = 'chunks' | 'websocket' | 'http2'

/** Follows the bytes from a server, so that it is known at each moment whether a unit has come whole. */
export interface Splitter {
  push(bytes: Uint8Array): void
  /** Of the units that came whole, the response's head among them. */
  readonly wholeBytes: number
  /** Of the one that has begun. */
  readonly pendingBytes: number
}

/** Begins at the first byte of a link. @throws Error on `push` where the bytes are not of this framing. */
export function createSplitter(framing: Framing): Splitter {
  const sizeOf = sizes[framing]
  let pending: Buffer = Buffer.alloc(0)
  let wholeBytes = 0
  let isHead = framing !== 'http2'
  return {
    push(bytes) {
      pending = Buffer.concat([pending, bytes])
      for (;;) {
        const size = isHead ? headSize(pending) : sizeOf(pending)
        if (size === undefined || size > pending.length) return
        isHead = false
        wholeBytes += size
        pending = pending.subarray(size)
      }
    },
    get wholeBytes() {
      return wholeBytes
    },
    get pendingBytes() {
      return pending.length
    },
  }
}

/** How long the unit is with which these bytes begin; `undefined` where they do not tell yet. */
const sizes: Readonly<Record<Framing, (bytes: Buffer) => number | undefined>> = {
  chunks: chunkSize,
  websocket: frameSize,
  // [spec] RFC 9113, 4.1: a length of three bytes, then six more of the head.
  http2: (bytes) => (bytes.length < 9 ? undefined : 9 + bytes.readUIntBE(0, 3)),
}

const emptyLine = '\r\n\r\n'
const crlf = '\r\n'

/** Both HTTP/1.1 wires begin with a status line and headers. */
function headSize(bytes: Buffer): number | undefined {
  const end = bytes.indexOf(emptyLine)
  return end < 0 ? undefined : end + emptyLine.length
}

/** [spec] RFC 9112, 7.1: the size in hexadecimal digits, CRLF, the data, CRLF. */
function chunkSize(bytes: Buffer): number | undefined {
  const end = bytes.indexOf(crlf)
  if (end < 0) return undefined
  const digits = bytes.toString('latin1', 0, end)
  if (!/^[0-9a-f]+$/i.test(digits)) throw new Error(`no chunk begins with ${JSON.stringify(digits)}`)
  return end + crlf.length + Number.parseInt(digits, 16) + crlf.length
}

/** [spec] RFC 6455, 5.2: two bytes, a longer length where it does not fit, and no mask from a server. */
function frameSize(bytes: Buffer): number | undefined {
  const length = bytes[1]
  if (length === undefined) return undefined
  if (length > 127) throw new Error('a server does not mask its frames')
  if (length < 126) return 2 + length
  if (length === 126) return bytes.length < 4 ? undefined : 4 + bytes.readUInt16BE(2)
  return bytes.length < 10 ? undefined : 10 + Number(bytes.readBigUInt64BE(2))
}
