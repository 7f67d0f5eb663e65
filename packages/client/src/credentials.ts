import { ConnectError, closeCode, closeCodeOfStatus, kind } from '@eitherway/core'
import type { ClientOptions } from './options.ts'

/** What one link shows. */
export interface Shown {
  readonly token: string | undefined
  /** Whether it was asked for as a new one, after the last was worth nothing. */
  readonly isRenewed: boolean
}

/** A client's tokens, over all its links. */
export interface Credentials {
  /**
   * What the next link is to show.
   *
   * @throws (by rejection) ConnectError, to be tried again, when the application failed; the signal's reason when aborted.
   */
  show(signal: AbortSignal): Promise<Shown>
  /**
   * Whether a new token may help after such an end; the next link then shows one.
   *
   * @param isRenewed - whether what the link showed was new already: turned away once more, it is the end.
   */
  mayRenew(code: number, isRenewed: boolean): boolean
}

/**
 * Makes the credentials of a client. Without `ask` there are none, and each end is what its code says.
 *
 * @param onError - hears that `ask` failed.
 * @internal
 */
export function createCredentials(
  ask: ClientOptions['token'],
  onError: (error: unknown) => void,
): Credentials | undefined {
  if (ask === undefined) return undefined
  if (typeof ask !== 'function') throw new TypeError(`\`token\` must be a function, got ${kind(ask)}`)
  const askFor = ask
  /** What was shown last is worth nothing, and no new one has been given since. */
  let isDue = false

  async function given(renew: boolean, signal: AbortSignal): Promise<string | undefined> {
    try {
      return await askFor({ renew })
    } catch (cause) {
      if (!signal.aborted) onError(cause)
      // Not with the message of the cause, which becomes the reason of a close: it may hold what it was about.
      throw new ConnectError('`token` failed, and `onError` was told why', { retryable: true, cause })
    }
  }

  return {
    async show(signal) {
      signal.throwIfAborted()
      const renew = isDue
      const token = await unlessAborted(given(renew, signal), signal)
      // One that was asked for before it came due is no answer to that.
      if (renew) isDue = false
      return { token, isRenewed: renew }
    },
    mayRenew(code, isRenewed) {
      const may = code === closeCode.expired || (code === unauthorized && !isRenewed)
      if (may) isDue = true
      return may
    },
  }
}

const unauthorized = closeCodeOfStatus(401)

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
