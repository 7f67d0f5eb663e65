import { type Argument, openWire, type RedisClient, type Wire } from './client.ts'
import { mayPass, replyCode, TimeoutError } from './errors.ts'

/** A connection that is replaced when it fails. Nothing is sent twice: who asked decides whether to ask again. */
export interface Link {
  /**
   * Sends a command.
   *
   * @throws (by rejection) TimeoutError when no reply comes in time; what the client or Redis throws.
   */
  send(args: readonly Argument[], timeoutMs: number): Promise<unknown>
  /** Ends it for good. What is under way fails. */
  end(): void
}

/**
 * Makes one; it connects when it is first used.
 *
 * A connection that failed once is not used again, so that no command is sent on it later than who asked was told: the
 * libraries keep commands and send them when they are connected again.
 *
 * @param key - any of those that are used on it.
 */
export function createLink(pattern: RedisClient, key: string): Link {
  let wire: Wire | undefined
  let hasEnded = false

  /** Once, however many of its commands fail: a library may do something for each call. */
  function drop(failed: Wire): void {
    if (wire !== failed) return
    wire = undefined
    failed.end()
  }

  return {
    async send(args, timeoutMs) {
      if (hasEnded) throw new Error('the connection to Redis is closed')
      wire ??= openWire(pattern, key)
      const current = wire
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new TimeoutError(`Redis did not answer within ${Math.round(timeoutMs)} ms`)),
          timeoutMs,
        )
      })
      try {
        return await Promise.race([current.send(args), late])
      } catch (error) {
        if (mayPass(error) && replyCode(error) !== 'UNSURE') drop(current)
        throw error
      } finally {
        clearTimeout(timer)
      }
    },
    end() {
      hasEnded = true
      if (wire !== undefined) drop(wire)
    },
  }
}
