import { byteLength, checkName, kind, show } from '@eitherway/core'
import { PublishError, replyCode } from './errors.ts'
import { publishLua } from './lua.ts'
import { persist } from './patience.ts'
import { fromEntryId, idsOf } from './position.ts'
import { type Group, maxBatch, pack } from './record.ts'
import { type Asking, createScript, runKnowing } from './script.ts'

/** What one process publishes: all that comes within one turn, or while Redis is at work, in one step. */
export interface Publishing {
  /** @returns its id, once it is stored. @throws (by rejection) TypeError; PublishError. */
  publish(channel: string, event: string, data: string | Uint8Array): Promise<string>
  /** Fails what waits, and whatever comes. */
  end(): void
}

/** What it needs to know of the world. */
export interface PublishingOptions extends Asking {
  /** Names this process among all that publish. */
  readonly writer: string
  /** Before it is fulfilled nothing is stored. */
  readonly ready: () => Promise<unknown>
}

/** What is stored in one step, or not at all. */
interface Batch {
  readonly groups: Map<string, Group>
  count: number
  /** Of data. */
  bytes: number
  /** In memory. */
  cost: number
  /** No more is added from then on: nobody's time is to be much shorter than the others'. */
  readonly openUntil: number
  /** When it is given up. */
  readonly until: number
  /** Fulfils with what makes the id of a place. */
  readonly stored: Promise<(place: number) => string>
  resolve(idOf: (place: number) => string): void
  reject(error: Error): void
}

/** A batch has about so many bytes of data. */
const maxBatchBytes = 256 * 1024

/** What the log keeps for nodes that lag behind. */
const maxLogBytes = String(16 * 1024 * 1024)

const script = createScript(publishLua)

/** Makes one. One batch is under way at a time: what comes meanwhile is the next. */
export function createPublishing(options: PublishingOptions): Publishing {
  const { settings, knowledge, writer, ready } = options
  const { keys, timeoutMs, maxQueuedBytes } = settings
  const queue: Batch[] = []
  let bytes = 0
  let batches = 0
  let isAtWork = false
  let hasEnded = false
  let timer: ReturnType<typeof setTimeout> | undefined

  function publish(channel: string, event: string, data: string | Uint8Array): Promise<string> {
    checkName('channel', channel)
    if (event !== channel) checkName('event', event)
    if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
      throw new TypeError(`\`data\` of event ${show(event)} must be text or a Uint8Array, got ${kind(data)}`)
    }
    if (hasEnded) throw refused('the broker is closed; nothing was published')
    const dataBytes = byteLength(data)
    const cost = dataBytes + 300
    if (bytes > 0 && bytes + cost > maxQueuedBytes) {
      throw refused(
        `${bytes} bytes wait to be stored in Redis, and \`maxQueuedBytes\` is ${maxQueuedBytes}; nothing was published: ` +
          'await what was published before',
      )
    }
    bytes += cost
    const batch = openBatch()
    const place = batch.count
    batch.count += 1
    batch.bytes += dataBytes
    batch.cost += cost
    let group = batch.groups.get(channel)
    if (group === undefined) {
      group = { places: [], events: [], data: [], dataBytes: [] }
      batch.groups.set(channel, group)
    }
    group.places.push(place)
    group.events.push(event)
    group.data.push(data)
    group.dataBytes.push(dataBytes)
    return batch.stored.then((idOf) => idOf(place))
  }

  /** The last that waits, or another behind it. */
  function openBatch(): Batch {
    const last = queue.at(-1)
    const now = performance.now()
    if (last !== undefined && last.count < maxBatch && last.bytes < maxBatchBytes && now < last.openUntil) {
      return last
    }
    let settle: Pick<Batch, 'resolve' | 'reject'> | undefined
    const stored = new Promise<(place: number) => string>((resolve, reject) => {
      settle = { resolve, reject }
    })
    const batch: Batch = {
      groups: new Map(),
      count: 0,
      bytes: 0,
      cost: 0,
      openUntil: now + timeoutMs / 50,
      until: now + timeoutMs,
      stored,
      ...(settle as unknown as Pick<Batch, 'resolve' | 'reject'>),
    }
    queue.push(batch)
    if (queue.length === 1) watch()
    if (!isAtWork) {
      isAtWork = true
      // After all other microtasks, those included that they add: who awaits each of a burst has it in one batch as well.
      queueMicrotask(() => process.nextTick(() => void work()))
    }
    return batch
  }

  /** Those who wait for their turn wait no longer than the others. */
  function watch(): void {
    clearTimeout(timer)
    const [first] = queue
    if (first === undefined) return
    timer = setTimeout(
      () => {
        const now = performance.now()
        const error = refused(`Redis took nothing for ${timeoutMs} ms; nothing was published`)
        giveUp((batch) => batch.until <= now, error)
        watch()
      },
      Math.max(1, first.until - performance.now()),
    )
  }

  /** The oldest, as long as that holds of them. */
  function giveUp(isOver: (batch: Batch) => boolean, error: Error): void {
    const left = queue.findIndex((batch) => !isOver(batch))
    for (const batch of queue.splice(0, left === -1 ? queue.length : left)) {
      bytes -= batch.cost
      batch.reject(error)
    }
  }

  async function work(): Promise<void> {
    try {
      await ready()
    } catch (cause) {
      giveUp(() => true, refused(`Redis could not be asked where it stands; nothing was published`, cause))
    }
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
      watch()
      await store(batch)
    }
    isAtWork = false
  }

  async function store(batch: Batch): Promise<void> {
    batches += 1
    const number = String(batches)
    const groups = [...batch.groups].map(([channel, group]) => pack(channel, group))
    const names = [keys.meta, keys.log, keys.logs, keys.fresh, keys.writer(writer)]
    for (const channel of batch.groups.keys()) names.push(keys.channel(channel))
    const { maxMessages, maxBytes, maxTotalBytes, maxAgeMs } = settings
    const outcome = await persist(
      Math.max(1, batch.until - performance.now()),
      async (ms) => {
        const args = [
          ...[maxMessages, maxBytes, maxTotalBytes, maxAgeMs, maxLogBytes],
          ...[number, String(batch.count)],
          ...groups,
        ]
        const reply = String(await runKnowing(script, options, names, args, ms))
        const last = fromEntryId(reply)
        if (last === undefined) throw new Error(`Redis answered ${reply} where the id of a message should be`)
        return last
      },
      () => hasEnded,
    )
    bytes -= batch.cost
    if (!('value' in outcome)) {
      batch.reject(errorOf(outcome.cause, outcome.mayBeDone))
      return
    }
    knowledge.store(outcome.value)
    const idOf = idsOf(outcome.value.epoch)
    const first = outcome.value.number - batch.count + 1
    batch.resolve((place) => idOf(first + place))
  }

  function errorOf(cause: unknown, mayBePublished: boolean): PublishError {
    const said = cause instanceof Error ? cause.message : String(cause)
    if (replyCode(cause) === 'OOM') {
      return refused('Redis is full (maxmemory), and keeps nothing more; nothing was published', cause)
    }
    if (!mayBePublished) return refused(`Redis did not store it: ${said}; nothing was published`, cause)
    return new PublishError(
      `Redis did not confirm it within ${timeoutMs} ms: ${said}; it may have been published`,
      { mayBePublished, cause },
    )
  }

  return {
    publish(channel, event, data) {
      try {
        return publish(channel, event, data)
      } catch (error) {
        // What is wrong with the arguments is told the same way.
        return Promise.reject(error)
      }
    },
    end() {
      hasEnded = true
      clearTimeout(timer)
      giveUp(() => true, refused('the broker is closed; nothing was published'))
    },
  }
}

function refused(message: string, cause?: unknown): PublishError {
  return new PublishError(message, { mayBePublished: false, ...(cause === undefined ? {} : { cause }) })
}
