import { byteLength, checkName, kind, show } from '@eitherway/core'
import { PublishError, replyCode } from './errors.ts'
import { publishLua } from './lua.ts'
import { persist } from './patience.ts'
import { fromEntryId, idsOf } from './position.ts'
import { maxBatch, type Outbound, type Placed, pack } from './record.ts'
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

interface Waiting extends Outbound {
  readonly channel: string
  readonly cost: number
  readonly until: number
  resolve(id: string): void
  reject(error: Error): void
}

/** A batch has about so many bytes. */
const maxBatchBytes = 256 * 1024

/** What the log keeps for nodes that lag behind. */
const maxLogBytes = String(16 * 1024 * 1024)

const script = createScript(publishLua)

/** Makes one. One batch is under way at a time: what comes meanwhile is the next. */
export function createPublishing(options: PublishingOptions): Publishing {
  const { settings, knowledge, writer, ready } = options
  const { keys, timeoutMs, maxQueuedBytes } = settings
  let queue: Waiting[] = []
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
    return new Promise((resolve, reject) => {
      queue.push({
        channel,
        event,
        data,
        dataBytes,
        cost,
        until: performance.now() + timeoutMs,
        resolve,
        reject,
      })
      if (queue.length === 1) watch()
      if (isAtWork) return
      isAtWork = true
      // After all other microtasks, those included that they add: who awaits each of a burst has it in one batch as well.
      queueMicrotask(() => process.nextTick(() => void work()))
    })
  }

  /** Those who wait for their turn wait no longer than the others. */
  function watch(): void {
    clearTimeout(timer)
    const [first] = queue
    if (first === undefined) return
    timer = setTimeout(
      () => {
        const now = performance.now()
        const late = queue.findIndex(({ until }) => until > now)
        const given = queue.splice(0, late === -1 ? queue.length : late)
        for (const waiting of given) bytes -= waiting.cost
        const error = refused(`Redis took nothing for ${timeoutMs} ms; nothing was published`)
        for (const waiting of given) waiting.reject(error)
        watch()
      },
      Math.max(1, first.until - performance.now()),
    )
  }

  async function work(): Promise<void> {
    try {
      await ready()
    } catch (cause) {
      const error = refused(`Redis could not be asked where it stands; nothing was published`, cause)
      for (const waiting of take(queue.length)) waiting.reject(error)
    }
    while (queue.length > 0) await store(takeBatch())
    isAtWork = false
  }

  function take(count: number): Waiting[] {
    const batch = queue.slice(0, count)
    queue = queue.slice(count)
    watch()
    return batch
  }

  function takeBatch(): Waiting[] {
    let count = 0
    for (let size = 0; count < queue.length && count < maxBatch && size < maxBatchBytes; count += 1) {
      size += (queue[count] as Waiting).cost
    }
    return take(count)
  }

  async function store(batch: Waiting[]): Promise<void> {
    batches += 1
    const number = batches
    const channels = new Map<string, Placed<Outbound>[]>()
    for (const [place, message] of batch.entries()) {
      const all = channels.get(message.channel)
      if (all === undefined) channels.set(message.channel, [{ place, message }])
      else all.push({ place, message })
    }
    const groups = [...channels].map(([channel, all]) => pack(channel, all))
    const names = [keys.meta, keys.log, keys.logs, keys.fresh, keys.writer(writer)]
    for (const channel of channels.keys()) names.push(keys.channel(channel))
    const { maxMessages, maxBytes, maxTotalBytes, maxAgeMs } = settings
    const outcome = await persist(
      Math.max(1, (batch[0] as Waiting).until - performance.now()),
      async (ms) => {
        const args = [
          ...[maxMessages, maxBytes, maxTotalBytes, maxAgeMs, maxLogBytes],
          ...[String(number), String(batch.length)],
          ...groups,
        ]
        const reply = String(await runKnowing(script, options, names, args, ms))
        const last = fromEntryId(reply)
        if (last === undefined) throw new Error(`Redis answered ${reply} where the id of a message should be`)
        return last
      },
      () => hasEnded,
    )
    for (const { cost } of batch) bytes -= cost
    if ('value' in outcome) {
      const { epoch, number: last } = outcome.value
      knowledge.store(outcome.value)
      const idOf = idsOf(epoch)
      let at = last - batch.length
      for (const { resolve } of batch) {
        at += 1
        resolve(idOf(at))
      }
      return
    }
    const error = errorOf(outcome.cause, outcome.mayBeDone)
    for (const { reject } of batch) reject(error)
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
      const error = refused('the broker is closed; nothing was published')
      for (const waiting of queue.splice(0)) {
        bytes -= waiting.cost
        waiting.reject(error)
      }
    },
  }
}

function refused(message: string, cause?: unknown): PublishError {
  return new PublishError(message, { mayBePublished: false, ...(cause === undefined ? {} : { cause }) })
}
