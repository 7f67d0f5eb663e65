import { type Arrival, checkFunction, checkName, checkWhole, kind, type Refusal, show } from '@eitherway/core'

/** Who somebody is, to the application. */
export interface Authorized<Context> {
  /** Whatever the application wants to know of this peer later: `peer.context`. */
  readonly context: Context
  /**
   * When that ends, in milliseconds since 1970, as `Date.now()` counts; a JWT's `exp` is in seconds. Within a second after it the
   * peer is closed (4010) and may come back with new credentials; it misses nothing. @defaultValue never
   */
  readonly expiresAt?: number
}

/** What the application decides about those who come. */
export interface AdmissionOptions<Context> {
  /**
   * Says who a request comes from, or refuses it, before a byte of a stream is sent; the same for every transport. Left out,
   * all are let in, with no context.
   *
   * A failure of it is told to `onError` and refuses the request (500); so does one that takes longer than `admitMs` (503).
   */
  readonly authorize?: (
    request: Arrival,
  ) => Authorized<Context> | Refusal | Promise<Authorized<Context> | Refusal>
  /**
   * Whether this peer may follow a channel; `false` refuses the request (403). Asked for each channel whenever a link is made:
   * at the first connect, at each return, before anything is replayed, and when a client subscribes to more. Left out, every
   * channel is open to all who are let in.
   */
  readonly authorizeChannel?: (
    context: Context,
    channel: string,
  ) => boolean | Refusal | Promise<boolean | Refusal>
  /** How long the two may take together, in milliseconds; 1 to 300,000. @defaultValue 10,000 */
  readonly admitMs?: number
}

/** What `authorize` says of a request. */
type Verdict<Context> = Authorized<Context> | Refusal

/** Decides on a request: who it is from, or why it gets no link. At once where the application answers at once. */
export type Judge<Context> = (request: Arrival) => Verdict<Context> | Promise<Verdict<Context>>

/** @param tell - hears what went wrong in the application's part. */
export function createJudge<Context>(
  { authorize, authorizeChannel, admitMs = 10_000 }: AdmissionOptions<Context>,
  tell: (error: unknown) => void,
): Judge<Context> {
  checkWhole('admitMs', admitMs, 1, 300_000)
  if (authorize !== undefined) checkFunction('authorize', authorize)
  if (authorizeChannel !== undefined) checkFunction('authorizeChannel', authorizeChannel)

  function failed(error: unknown): Refusal {
    tell(error)
    return { status: 500, reason: 'who may connect could not be decided' }
  }

  function judge(request: Arrival, inTime: () => boolean): Verdict<Context> | Promise<Verdict<Context>> {
    const who = authorize === undefined ? (anyone as Authorized<Context>) : authorize(request)
    return isThenable(who)
      ? Promise.resolve(who).then((settled) => judgeChannels(settled, request.channels, inTime))
      : judgeChannels(who, request.channels, inTime)
  }

  function judgeChannels(
    who: Verdict<Context>,
    channels: readonly string[],
    inTime: () => boolean,
  ): Verdict<Context> | Promise<Verdict<Context>> {
    const checked = checkAnswer(who)
    if (authorizeChannel === undefined || 'status' in checked) return checked
    for (const [at, channel] of channels.entries()) {
      const verdict = authorizeChannel(checked.context, channel)
      if (isThenable(verdict)) {
        const ask = (next: string) => authorizeChannel(checked.context, next)
        return slowly(checked, verdict, channels.slice(at), ask, inTime)
      }
      const refusal = refusalOf(channel, verdict)
      if (refusal !== undefined) return refusal
    }
    return checked
  }

  return (request) => {
    const malnamed = namesRefusal(request.channels)
    if (malnamed !== undefined) return malnamed
    if (authorize === undefined && authorizeChannel === undefined) return anyone as Authorized<Context>
    let isLate = false
    try {
      const verdict = judge(request, () => !isLate)
      if (!(verdict instanceof Promise)) return verdict
      return within(admitMs, verdict.catch(failed), () => {
        isLate = true
        return late
      })
    } catch (error) {
      return failed(error)
    }
  }
}

/** One channel after the other, and none after one that is refused, or once it is too late. */
async function slowly<Context>(
  who: Authorized<Context>,
  first: PromiseLike<boolean | Refusal>,
  channels: readonly string[],
  ask: (channel: string) => ReturnType<NonNullable<AdmissionOptions<Context>['authorizeChannel']>>,
  inTime: () => boolean,
): Promise<Verdict<Context>> {
  for (const [at, channel] of channels.entries()) {
    const refusal = refusalOf(channel, await (at === 0 ? first : ask(channel)))
    if (refusal !== undefined) return refusal
    if (!inTime()) return late
  }
  return who
}

const anyone: Authorized<undefined> = { context: undefined }

const late: Refusal = {
  status: 503,
  reason: 'who may connect was not decided in time',
  retryAfterMs: 1000,
}

/** Also a promise of another library, as some for databases return. */
function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function namesRefusal(channels: readonly string[]): Refusal | undefined {
  try {
    for (const channel of channels) checkName('channel', channel)
  } catch (error) {
    return { status: 400, reason: (error as Error).message }
  }
  return undefined
}

/** Nothing that is neither lets anybody in: who forgot to return is told so. */
function checkAnswer<Context>(answer: Verdict<Context>): Verdict<Context> {
  if (typeof answer === 'object' && answer !== null) {
    if ('status' in answer) return checkRefusal(answer)
    if ('context' in answer) {
      const { expiresAt } = answer
      if (expiresAt === undefined || (Number.isFinite(expiresAt) && !isInSeconds(expiresAt))) return answer
      const advice = isInSeconds(expiresAt) ? ", which is in seconds: multiply a JWT's `exp` by 1000" : ''
      throw new TypeError(`\`expiresAt\` must be milliseconds since 1970, got ${show(expiresAt)}${advice}`)
    }
  }
  throw new TypeError(
    '`authorize` must return `{ context }`, or a refusal with `status` and `reason`; it returned neither',
  )
}

/** A time from 2001 on in seconds, which in milliseconds is one before 1974: everybody would be turned away, and nobody told why. */
function isInSeconds(time: number): boolean {
  return time >= 1e9 && time < 1e11
}

function checkRefusal(refusal: Refusal): Refusal {
  const { status, reason, retryAfterMs = 0 } = refusal
  if (!Number.isInteger(status) || status < 400 || status > 599) {
    throw new TypeError(`a refusal's \`status\` must be 400 to 599, got ${show(status)}`)
  }
  if (typeof reason !== 'string')
    throw new TypeError(`a refusal's \`reason\` must be a string, got ${kind(reason)}`)
  if (!Number.isSafeInteger(retryAfterMs) || retryAfterMs < 0) {
    throw new TypeError(
      `a refusal's \`retryAfterMs\` must be a whole number of 0 or more, got ${show(retryAfterMs)}`,
    )
  }
  return refusal
}

function refusalOf(channel: string, verdict: boolean | Refusal): Refusal | undefined {
  if (verdict === true) return undefined
  if (verdict === false) return { status: 403, reason: `the channel ${show(channel)} is not open to you` }
  if (typeof verdict === 'object' && verdict !== null) return checkRefusal(verdict)
  throw new TypeError('`authorizeChannel` must return true, false or a refusal; it returned neither')
}

/** Whichever comes first. */
function within<T>(ms: number, settling: Promise<T>, onLate: () => T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const waiting = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(onLate()), ms)
  })
  return Promise.race([settling, waiting]).finally(() => clearTimeout(timer))
}
