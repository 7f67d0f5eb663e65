/** What the stage publishes: a number that counts, and when it was to leave. */
export interface Parcel {
  readonly seq: number
  /** The stage's clock at the moment when it was to leave, in milliseconds; `NaN` where there was no room for it. */
  readonly at: number
}

/** How a parcel travels. */
export type Kind = 'text' | 'binary'

/** The least that holds both numbers. */
const fullTextBytes = 32
const fullBinaryBytes = 16

/** Packs a parcel into exactly so many bytes. Below {@link fullTextBytes} there is no room for the time. */
export function pack({ seq, at }: Parcel, bytes: number, kind: Kind): string | Uint8Array {
  if (kind === 'text') {
    const head = bytes < fullTextBytes ? `${seq} ` : `${seq} ${at.toFixed(3)} `
    return head.slice(0, bytes).padEnd(bytes, filler)
  }
  const data = new Uint8Array(bytes).fill(0x78)
  const view = new DataView(data.buffer)
  if (bytes >= 4) view.setUint32(0, seq)
  if (bytes >= fullBinaryBytes) view.setFloat64(8, at)
  return data
}

/** Words as an application's text has them: neither all the same nor noise, so that compression has its usual work. */
const filler =
  'the quick brown fox jumps over the lazy dog; EURUSD 1.0842, GBPUSD 1.2671, USDJPY 151.38 {"bid":1.0841,"ask":1.0843} '

/** Reads a parcel back. */
export function unpack(data: string | Uint8Array): Parcel {
  if (typeof data === 'string') {
    const [seq, at] = data.split(' ', 2)
    return { seq: Number(seq), at: data.length < fullTextBytes ? Number.NaN : Number(at) }
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return {
    seq: data.length < 4 ? Number.NaN : view.getUint32(0),
    at: data.length < fullBinaryBytes ? Number.NaN : view.getFloat64(8),
  }
}

/** Tells an echo from a parcel where a frame has no name. */
export const echoMark = 'echo '
