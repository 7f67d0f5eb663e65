import type { History, HistoryBounds, Message } from '@eitherway/core'
import { historyLua } from './lua.ts'
import { persist } from './patience.ts'
import { fromEntryId, fromId, type Position, toEntryId, toId } from './position.ts'
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
  for (let at = 0; at < found.length; at += 3) {
    const id = fromEntryId(String(found[at])) as Position
    const channel = channels[Number(found[at + 1])] as string
    messages.push(unpack(found[at + 2] as Buffer, channel, toId(id)))
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
  const next = String(more) === '' ? {} : { next: messages.at(-1)?.id ?? position }
  return { history: { messages, ...gap, position, ...next }, upTo }
}
