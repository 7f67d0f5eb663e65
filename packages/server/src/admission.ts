import { type Arrival, checkName, type Refusal, show } from '@eitherway/core'

/** Who somebody is, to the application. */
export interface Authorized<Context> {
  /** Whatever the application wants to know of this peer later: `peer.context`. */
  readonly context: Context
  /**
   * When that ends, in milliseconds since 1970, as `Date.now()` counts. The peer is closed then (4010) and may come back with
   * new credentials; it misses nothing. @defaultValue never
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

/** Decides on a request: who it is from, or why it gets no link. At once where the application answers at once. */
export type Judge<Context> = (
  request: Arrival,
) => Authorized<Context> | Refusal | Promise<Authorized<Context> | Refusal>

/** @param tell - hears what went wrong in the application's part. */
export function createJudge<Context>(
  { authorize, authorizeChannel, admitMs = 10_000 }: AdmissionOptions<Context>,
  tell: (error: unknown) => void,
): Judge<Context> {
  if (!Number.isInteger(admitMs) || admitMs < 1 || admitMs > 300_000) {
    throw new TypeError(`\`admitMs\` must be a whole number from 1 to 300000, got ${String(admitMs)}`)
  }

  function failed(error: unknown): Refusal {
    tell(error)
    return { status: 500, reason: 'who may connect could not be decided' }
  }

  /** In the order of the channels, and none after one that is refused. */
  function checkChannels(
    who: Authorized<Context>,
    channels: readonly string[],
    from = 0,
  ): Authorized<Context> | Refusal | Promise<Authorized<Context> | Refusal> {
    if (authorizeChannel === undefined) return who
    for (let at = from; at < channels.length; at += 1) {
      const channel = channels[at] as string
      const verdict = authorizeChannel(who.context, channel)
      if (verdict instanceof Promise) {
        return verdict.then((settled) => refusalOf(channel, settled) ?? checkChannels(who, channels, at + 1))
      }
      const refusal = refusalOf(channel, verdict)
      if (refusal !== undefined) return refusal
    }
    return who
  }

  function judge(request: Arrival): Authorized<Context> | Refusal | Promise<Authorized<Context> | Refusal> {
    const who = authorize === undefined ? (anyone as Authorized<Context>) : authorize(request)
    if (!(who instanceof Promise)) return decided(who, request)
    return who.then((settled) => decided(settled, request))
  }

  function decided(who: Authorized<Context> | Refusal, request: Arrival) {
    const checked = checkAnswer(who)
    return 'status' in checked ? checked : checkChannels(checked, request.channels)
  }

  return (request) => {
    const malnamed = namesRefusal(request.channels)
    if (malnamed !== undefined) return malnamed
    if (authorize === undefined && authorizeChannel === undefined) return anyone as Authorized<Context>
    try {
      const verdict = judge(request)
      return verdict instanceof Promise ? inTime(verdict.catch(failed), admitMs) : verdict
    } catch (error) {
      return failed(error)
    }
  }
}

const anyone: Authorized<undefined> = { context: undefined }

function namesRefusal(channels: readonly string[]): Refusal | undefined {
  try {
    for (const channel of channels) checkName('channel', channel)
  } catch (error) {
    return { status: 400, reason: (error as Error).message }
  }
  return undefined
}

/** Nothing that is neither lets anybody in: who forgot to return is told so. */
function checkAnswer<Context>(answer: Authorized<Context> | Refusal): Authorized<Context> | Refusal {
  if (typeof answer === 'object' && answer !== null) {
    if ('status' in answer) return checkRefusal(answer)
    if ('context' in answer) {
      const { expiresAt } = answer
      if (expiresAt === undefined || Number.isFinite(expiresAt)) return answer
      throw new TypeError(`\`expiresAt\` must be milliseconds since 1970, got ${String(expiresAt)}`)
    }
  }
  throw new TypeError(
    '`authorize` must return `{ context }`, or a refusal with `status` and `reason`; it returned neither',
  )
}

function checkRefusal(refusal: Refusal): Refusal {
  const { status, reason } = refusal
  if (!Number.isInteger(status) || status < 400 || status > 599) {
    throw new TypeError(`a refusal's \`status\` must be 400 to 599, got ${String(status)}`)
  }
  if (typeof reason !== 'string') throw new TypeError("a refusal's `reason` must be a string")
  return refusal
}

function refusalOf(channel: string, verdict: boolean | Refusal): Refusal | undefined {
  if (verdict === true) return undefined
  if (verdict === false) return { status: 403, reason: `the channel ${show(channel)} is not open to you` }
  if (typeof verdict === 'object' && verdict !== null) return checkRefusal(verdict)
  throw new TypeError('`authorizeChannel` must return true, false or a refusal; it returned neither')
}

function inTime<T>(verdict: Promise<T>, ms: number): Promise<T | Refusal> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<Refusal>((resolve) => {
    timer = setTimeout(() => {
      resolve({ status: 503, reason: 'who may connect was not decided in time', retryAfterMs: 1000 })
    }, ms)
  })
  return Promise.race([verdict, late]).finally(() => clearTimeout(timer))
}
