import type { Message } from '@eitherway/core'

/*
 * A record is what is stored of a message: a byte that is 1 for bytes and 0 for text, the event's length in a byte (0: it is
 * named after its channel), the event, the data. A batch is one record after the other, each after a head: the channel's length in
 * a byte, the channel, the record's length in four.
 */

/** A message on its way into Redis. */
export interface Packed {
  readonly channel: string
  readonly head: Buffer
  readonly record: Buffer
}

/** @param channel - and `event`: checked names, of at most 255 bytes. */
export function pack(channel: string, event: string, data: string | Uint8Array): Packed {
  const name = event === channel ? '' : event
  const nameBytes = Buffer.byteLength(name)
  const dataBytes = typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength
  const channelBytes = Buffer.byteLength(channel)
  const whole = Buffer.allocUnsafe(channelBytes + 5 + 2 + nameBytes + dataBytes)
  const head = whole.subarray(0, channelBytes + 5)
  const record = whole.subarray(channelBytes + 5)
  head[0] = channelBytes
  head.write(channel, 1)
  head.writeUInt32BE(record.byteLength, 1 + channelBytes)
  record[0] = typeof data === 'string' ? 0 : 1
  record[1] = nameBytes
  record.write(name, 2)
  if (typeof data === 'string') record.write(data, 2 + nameBytes)
  else record.set(data, 2 + nameBytes)
  return { channel, head, record }
}

/** @param id - of the message whose record stands in these bytes. */
export function unpack(
  bytes: Buffer,
  channel: string,
  id: string,
  from = 0,
  to: number = bytes.length,
): Message {
  const dataAt = from + 2 + (bytes[from + 1] as number)
  const event = dataAt === from + 2 ? channel : bytes.toString('utf8', from + 2, dataAt)
  // Copied, so that a message that is kept does not keep the batch that it came with.
  const data =
    bytes[from] === 0 ? bytes.toString('utf8', dataAt, to) : new Uint8Array(bytes.subarray(dataAt, to))
  const message: Message = { id, event, data }
  return Object.freeze(message)
}

/** Hands out the messages of a batch, in order. @param idOf - the id of the nth of them. */
export function eachOf(
  batch: Buffer,
  idOf: (at: number) => string,
  hear: (channel: string, message: Message) => void,
): void {
  for (let at = 0, from = 0; from < batch.length; at += 1) {
    const channelTo = from + 1 + (batch[from] as number)
    const channel = batch.toString('utf8', from + 1, channelTo)
    const to = channelTo + 4 + batch.readUInt32BE(channelTo)
    hear(channel, unpack(batch, channel, idOf(at), channelTo + 4, to))
    from = to
  }
}
