import type { Presence } from '@eitherway/core'
import type { Link } from './link.ts'
import { countLua, tellLua } from './lua-nodes.ts'
import type { Settings } from './options.ts'
import { persist } from './patience.ts'
import { createScript } from './script.ts'

/** How many follow each channel here, told to the other nodes. */
export interface NodePresence extends Presence {
  /** Says that this node lives, and what has changed. To be called every few seconds. */
  tell(): Promise<void>
  /** Redis may hold what was said some time ago: all is told anew. */
  renew(): void
}

/** A node that was not heard of for so long counts no more. */
export const nodeTtlMs = 15_000

/** So many are told at once. */
const maxTold = 2_000
/** What changes within so long is told together. */
const gatherMs = 50

const telling = createScript(tellLua)
const counting = createScript(countLua)

/** Makes one, of no followers. */
export function createPresence(
  { keys, timeoutMs }: Settings,
  link: Link,
  node: string,
  hasEnded: () => boolean,
): NodePresence {
  const counts = new Map<string, number>()
  let changed = new Set<string>()
  /** Whether anything was told since it was told from the beginning. */
  let hasTold = false
  let isWhole = false
  let renewals = 0
  let current: Promise<void> | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  /** One at a time: a count must not arrive before the one that it replaces. */
  function tell(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    current ??= send()
      // What failed is told again by the next heartbeat, and not at once: Redis may be away.
      .then(() => {
        if (changed.size > 0 || !isWhole) schedule()
      })
      .finally(() => {
        current = undefined
      })
    return current
  }

  function schedule(): void {
    if (hasEnded()) return
    timer ??= setTimeout(() => {
      // The next heartbeat tells it again.
      tell().catch(() => undefined)
    }, gatherMs)
  }

  async function send(): Promise<void> {
    const told = changed
    const before = renewals
    changed = new Set()
    try {
      const first = isWhole ? [...told] : [...counts.keys()]
      for (let from = 0; from === 0 || from < first.length; from += maxTold) {
        const part = first.slice(from, from + maxTold)
        const isFirst = !isWhole && from === 0
        const reply = await telling.run(
          link,
          [keys.nodes, keys.presence(node)],
          [
            ...[node, String(nodeTtlMs), isFirst ? '1' : '0', hasTold && !isFirst ? '1' : '0'],
            ...part.flatMap((channel) => [channel, String(counts.get(channel) ?? 0)]),
          ],
          timeoutMs,
        )
        // Redis has lost it: from the beginning, which it takes in any case.
        if (Number(reply) === 0) {
          isWhole = false
          await send()
          return
        }
        if (isFirst) hasTold = false
        hasTold ||= part.some((channel) => counts.has(channel))
        if (counts.size === 0) hasTold = false
      }
      isWhole = before === renewals
    } catch (error) {
      isWhole = false
      hasTold = false
      for (const channel of told) changed.add(channel)
      throw error
    }
  }

  return {
    add(channel, change) {
      const count = (counts.get(channel) ?? 0) + change
      if (count > 0) counts.set(channel, count)
      else counts.delete(channel)
      changed.add(channel)
      schedule()
    },
    async count(channel) {
      const args = [node, String(nodeTtlMs), keys.presence(''), channel]
      const outcome = await persist(timeoutMs, (ms) => counting.run(link, [keys.nodes], args, ms), hasEnded)
      if (!('value' in outcome)) {
        throw new Error(`other nodes could not be counted: ${String(outcome.cause)}`, {
          cause: outcome.cause,
        })
      }
      return (counts.get(channel) ?? 0) + Number(outcome.value)
    },
    tell,
    renew() {
      renewals += 1
      isWhole = false
      schedule()
    },
  }
}
