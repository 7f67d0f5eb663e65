import type { Message } from '@eitherway/core'

/*
 * A group is what a batch brings to one channel, as it is stored: the channel's length in a byte, the channel; how many messages, in
 * two bytes; an index, for each the place within the batch in two bytes and the bytes of data up to its end in four; then for each a
 * byte that is 1 for bytes and 0 for text, the event's length in a byte (0: it is named after its channel), the event, the data.
 */

/** A batch has at most so many messages. */
export const maxBatch = 1_000

/** What a batch brings to one channel, a list for each of what is known of a message. */
export interface Group {
  /** Within the batch. */
  readonly places: number[]
  readonly events: string[]
  readonly data: (string | Uint8Array)[]
  readonly dataBytes: number[]
}

/** @param channel - and the events: checked names, of at most 255 bytes. */
export function pack(channel: string, { places, events, data, dataBytes }: Group): Buffer {
  const count = places.length
  const channelBytes = Buffer.byteLength(channel)
  const named = events.map((event) => (event === channel ? 0 : Buffer.byteLength(event)))
  let length = channelBytes + 3 + 8 * count
  for (let at = 0; at < count; at += 1) length += (named[at] as number) + (dataBytes[at] as number)
  const group = Buffer.allocUnsafe(length)
  group[0] = channelBytes
  group.write(channel, 1)
  let index = group.writeUInt16BE(count, channelBytes + 1)
  let to = index + 6 * count
  let bytes = 0
  for (let at = 0; at < count; at += 1) {
    const one = data[at] as string | Uint8Array
    const nameBytes = named[at] as number
    const size = dataBytes[at] as number
    bytes += size
    index = group.writeUInt32BE(bytes, group.writeUInt16BE(places[at] as number, index))
    group[to] = typeof one === 'string' ? 0 : 1
    group[to + 1] = nameBytes
    if (nameBytes > 0) group.write(events[at] as string, to + 2)
    to += 2 + nameBytes
    if (typeof one === 'string') group.write(one, to)
    else group.set(one, to)
    to += size
  }
  return group
}

/** A message of a batch. */
export interface Unpacked {
  /** Within the batch. */
  readonly place: number
  readonly channel: string
  readonly message: Message
}

/**
 * @param groups - of one batch, one after the other.
 * @param idOf - the id of the message at a place.
 * @returns their messages in the order of the batch.
 */
export function unpack(groups: Buffer, idOf: (place: number) => string): Unpacked[] {
  const all: Unpacked[] = []
  let count = 0
  for (let from = 0; from < groups.length; count += 1) from = unpackGroup(groups, from, idOf, all)
  if (count > 1) all.sort((one, other) => one.place - other.place)
  return all
}

/** @returns where the next group begins. */
function unpackGroup(groups: Buffer, from: number, idOf: (place: number) => string, all: Unpacked[]): number {
  const channelTo = from + 1 + (groups[from] as number)
  const channel = groups.toString('utf8', from + 1, channelTo)
  const count = groups.readUInt16BE(channelTo)
  let at = channelTo + 2 + 6 * count
  let bytes = 0
  for (let nth = 0; nth < count; nth += 1) {
    const index = channelTo + 2 + 6 * nth
    const place = groups.readUInt16BE(index)
    const upTo = groups.readUInt32BE(index + 2)
    const dataAt = at + 2 + (groups[at + 1] as number)
    const event = dataAt === at + 2 ? channel : groups.toString('utf8', at + 2, dataAt)
    const to = dataAt + upTo - bytes
    // Copied, so that a message that is kept does not keep the batch that it came with.
    const data =
      groups[at] === 0 ? groups.toString('utf8', dataAt, to) : new Uint8Array(groups.subarray(dataAt, to))
    const message: Message = Object.freeze({ id: idOf(place), event, data })
    all.push({ place, channel, message })
    at = to
    bytes = upTo
  }
  return at
}
