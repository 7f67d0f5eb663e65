import { byteLength, type History, type HistoryBounds, type Message } from '@eitherway/core'
import { historyLua } from './lua.ts'
import { persist } from './patience.ts'
import { fromEntryId, fromId, isAfter, type Position, toEntryId, toId } from './position.ts'
import { unpack } from './record.ts'
import { type Asking, createScript, runKnowing } from './script.ts'

const script = createScript(historyLua)

/** Reads a page of what followed `after` in these channels. @returns it, and where it ends. */
export async function readHistory(
  asking: Asking,
  channels: readonly string[],
  after: string,
  { maxBytes, until }: HistoryBounds,
): Promise<{ readonly history: History; readonly upTo: Position }> {
  const { settings, hasEnded } = asking
  const { keys, maxAgeMs, timeoutMs } = settings
  const names = [keys.meta, keys.log, keys.logs, keys.fresh, ...channels.map(keys.channel)]
  // What is none of ours is none of Redis's either; it still has to say where it stands.
  const from = fromId(after) ?? { epoch: Number.MAX_SAFE_INTEGER, number: 0 }
  const end = until === undefined ? undefined : fromId(until)
  const outcome = await persist(
    timeoutMs,
    (ms) => {
      const args = [maxAgeMs, from.epoch, from.number].map(String)
      args.push(end === undefined ? '' : toEntryId(end), String(maxBytes ?? Number.MAX_SAFE_INTEGER))
      return runKnowing(script, asking, names, args, ms)
    },
    hasEnded,
  )
  if (!('value' in outcome)) {
    throw new Error(`history could not be read from Redis within ${timeoutMs} ms: ${String(outcome.cause)}`, {
      cause: outcome.cause,
    })
  }
  const [upToId, wrong, lost, more, ...found] = outcome.value as Buffer[]
  const upTo = fromEntryId(String(upToId))
  if (upTo === undefined) throw new Error(`Redis answered ${String(upToId)} where an id should be`)
  const position = toId(upTo)
  const reason = String(wrong)
  if (reason !== '') {
    return {
      history: { messages: [], gap: { reason: reason as 'epoch' | 'unknown', channels }, position },
      upTo,
    }
  }
  const messages: Message[] = []
  let size = 0
  let isCut = String(more) !== ''
  let readUpTo = upTo
  for (let at = 0; at < found.length; ) {
    const id = String(found[at])
    const first = Number(found[at + 1])
    const groups: Buffer[] = []
    for (; String(found[at]) === id; at += 3) groups.push(found[at + 2] as Buffer)
    const last = fromEntryId(id) as Position
    const batch = unpack(Buffer.concat(groups), (place) => toId({ epoch: last.epoch, number: first + place }))
    const wanted = batch.filter(({ place }) => {
      const position = { epoch: last.epoch, number: first + place }
      return isAfter(position, from) && !isAfter(position, upTo)
    })
    for (const { message } of wanted) {
      if (size >= (maxBytes ?? Number.MAX_SAFE_INTEGER) && messages.length > 0) {
        isCut = true
        break
      }
      size += byteLength(message.data) + 64
      messages.push(message)
    }
    readUpTo = last
  }
  const places = String(lost)
  const gap =
    places === ''
      ? {}
      : {
          gap: {
            reason: 'evicted' as const,
            channels: places.split(' ').map((place) => channels[Number(place)] as string),
          },
        }
  const next = isCut ? { next: messages.at(-1)?.id ?? toId(readUpTo) } : {}
  return { history: { messages, ...gap, position, ...next }, upTo }
}
