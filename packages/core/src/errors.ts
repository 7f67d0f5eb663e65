import { closeCode } from './close.ts'
import type { Frame } from './frame.ts'

/** The other side broke the protocol, or a limit of this side. The link that carried it is closed with `closeCode`. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  /** What the connection is closed with, e.g. 1009 for a message over the limit. */
  readonly closeCode: number
  /** The good frames that the same slice had completed before: set by the decoder that met it. */
  frames: readonly Frame[] = []
  constructor(message: string, options: { closeCode?: number; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.closeCode = options.closeCode ?? closeCode.protocolError
  }
}

/** What a {@link ConnectError} knows beyond its message. */
export interface ConnectErrorOptions {
  /** Whether a later try may succeed. */
  readonly retryable: boolean
  /** The code that says the same as the refusal: see `closeCodeOfStatus`. */
  readonly closeCode?: number
  /** The HTTP status, where there was an answer and the platform shows it. */
  readonly status?: number
  /** How long the server asks to wait before the next try, in milliseconds: its `Retry-After`. */
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/** The network's, or the server's refusal: no connection came about, or the one that was there ended under a `send`. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  readonly retryable: boolean
  readonly closeCode: number
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  constructor(message: string, options: ConnectErrorOptions) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.retryable = options.retryable
    this.closeCode = options.closeCode ?? (options.retryable ? closeCode.abnormal : closeCode.protocolError)
    this.status = options.status
    this.retryAfterMs = options.retryAfterMs
  }
}

/** What a {@link RequestError} says beyond its message. */
export interface RequestErrorOptions {
  /** For programs, e.g. `sold-out`. Of ours are `unknown`, `failed` and `invalid`. */
  readonly code: string
  /** Whatever helps the other side, of what JSON can hold. */
  readonly data?: unknown
  readonly cause?: unknown
}

/**
 * Why a request has no answer. Thrown in a handler of the server's, it crosses whole, but for its stack and cause: the client
 * that asked is thrown the same. Any other error of a handler crosses as `failed`, without a word of it.
 *
 * Of ours are the codes `unknown`, no handler has that name; `failed`, the handler did; `invalid`, what was asked breaks the
 * contract.
 */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly code: string
  readonly data: unknown
  constructor(message: string, options: RequestErrorOptions) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = options.code
    this.data = options.data
  }
}
