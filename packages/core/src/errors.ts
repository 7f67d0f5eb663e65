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
