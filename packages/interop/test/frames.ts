/** How a frame differs from what a client should send. */
export interface FrameOptions {
  readonly fin?: boolean
  readonly masked?: boolean
  /** The three reserved bits: 4 says "compressed". */
  readonly rsv?: number
  /** What the head announces, where that is not the truth. */
  readonly announced?: bigint
}

/** A frame of WebSocket as a client sends it: masked, here with zeros, which leaves the payload readable. */
export function maskedFrame(
  opcode: number,
  payload: Uint8Array | string = '',
  { fin = true, masked = true, rsv = 0, announced }: FrameOptions = {},
): Buffer {
  const data = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : Buffer.from(payload)
  const length = announced ?? BigInt(data.byteLength)
  const mask = masked ? 0x80 : 0
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  if (length < 126n) head.push(mask | Number(length))
  else if (length < 65_536n) head.push(mask | 126, Number(length >> 8n), Number(length & 0xffn))
  else {
    head.push(mask | 127)
    for (let shift = 56n; shift >= 0n; shift -= 8n) head.push(Number((length >> shift) & 0xffn))
  }
  return Buffer.concat([Buffer.from(head), Buffer.alloc(masked ? 4 : 0), data])
}
