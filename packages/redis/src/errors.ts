/** A publish that was not confirmed. */
export class PublishError extends Error {
  override readonly name = 'PublishError'
  /**
   * `false`: nothing was published, and it is safe to try again. `true`: nobody can tell, as when the answer was lost; who tries
   * again may publish twice.
   */
  readonly mayBePublished: boolean
  constructor(message: string, options: { readonly mayBePublished: boolean; readonly cause?: unknown }) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.mayBePublished = options.mayBePublished
  }
}

/** Redis did not answer in time. The connection that it was asked on is given up. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
}

/** Whether Redis itself answered with an error, and which: `OOM`, `NOSCRIPT`, … `undefined`: the connection failed. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof TimeoutError) return undefined
  const code = /^([A-Z][A-Z0-9]+) /.exec(error.message)?.[1]
  // Node's own (`ECONNREFUSED`) come as `connect ECONNREFUSED …`, and have a code.
  return 'code' in error && typeof error.code === 'string' && error.code === code ? undefined : code
}

/** Answers of a Redis that is starting, or has been replaced: another connection, or a while, may help. */
const passing = new Set([
  'LOADING',
  'READONLY',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'NOREPLICAS',
  'MISCONF',
  'BUSY',
  'UNBLOCKED',
  'MOVED',
  'ASK',
  'UNSURE',
])

/** Whether it is worth trying again: the connection failed, or Redis says that it will pass. */
export function mayPass(error: unknown): boolean {
  const code = replyCode(error)
  return code === undefined || passing.has(code)
}
