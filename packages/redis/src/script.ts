import { createHash } from 'node:crypto'
import type { Argument } from './client.ts'
import { replyCode } from './errors.ts'
import type { Knowledge } from './knowledge.ts'
import type { Link } from './link.ts'
import type { Settings } from './options.ts'

/** Runs in Redis, in one step. */
export interface Script {
  run(link: Link, keys: readonly string[], args: readonly Argument[], timeoutMs: number): Promise<unknown>
}

/** @param text - Lua, as Redis 7 and Valkey run it. */
export function createScript(text: string): Script {
  const sha = createHash('sha1').update(text).digest('hex')
  return {
    async run(link, keys, args, timeoutMs) {
      const rest = [String(keys.length), ...keys, ...args]
      try {
        return await link.send(['EVALSHA', sha, ...rest], timeoutMs)
      } catch (error) {
        if (replyCode(error) !== 'NOSCRIPT') throw error
        return await link.send(['EVAL', text, ...rest], timeoutMs)
      }
    },
  }
}

/** What all that asks Redis about the hub has. */
export interface Asking {
  readonly settings: Settings
  readonly link: Link
  readonly knowledge: Knowledge
  readonly hasEnded: () => boolean
}

/** Runs a script that is told first what is known here. */
export async function runKnowing(
  script: Script,
  { link, knowledge }: Pick<Asking, 'link' | 'knowledge'>,
  keys: readonly string[],
  args: readonly Argument[],
  timeoutMs: number,
): Promise<unknown> {
  try {
    const reply = await script.run(link, keys, [...knowledge.args(), ...args], timeoutMs)
    knowledge.hear(undefined)
    return reply
  } catch (error) {
    knowledge.hear(error)
    throw error
  }
}
