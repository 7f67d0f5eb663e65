import {
  type Agreement,
  addressOf,
  type Contract,
  checkName,
  checkNumber,
  checkOptions,
  type FormatOption,
  type Limits,
  type OptionNames,
  show,
} from '@eitherway/core'
import type { TransportOption } from './transports.ts'

/** Settings of `connect`. All durations in milliseconds. */
export interface ClientOptions<
  T extends TransportOption = TransportOption,
  A extends Agreement | undefined = undefined,
> extends Limits {
  /**
   * The flag: `'sse'` (one-way), `'ws'` (two-way), `'sse+post'` (two-way, where no WebSocket gets through), `'auto'` (whichever
   * of these two gets through), or a transport of your own.
   */
  readonly transport: T
  /** The hub's channels to follow. */
  readonly channels?: readonly string[]
  /** How the application's values become text or bytes. The server names the same one. @defaultValue `'json'` */
  readonly format?: FormatOption
  /**
   * What is agreed on with the server: names and types follow from it. An event or a reply that its schema refuses is not
   * delivered: `onError` is told, or the request rejects. @defaultValue none: any name, and data as it came
   */
  readonly contract?: Contract<A>
  /** The position after which the stream is to go on, as an earlier client had it. @defaultValue `''`: from now */
  readonly lastEventId?: string
  /**
   * Says who the client is, by the bearer token that it returns; asked anew for each link, so that the token may be one that
   * expires. Goes over any transport that carries one, never in the URL.
   *
   * `renew` is true after the server turned the last token away, or said that it counts no longer (401, 4501, 4010): what was
   * kept is worth nothing then. One that is turned away although it was renewed ends the client with 4501. The time that it
   * takes counts to `connectMs`. A failure of it is told to `onError` and is a lost try, which is repeated.
   *
   * @defaultValue no token; a 401 is final
   */
  readonly token?: (options: { readonly renew: boolean }) => string | undefined | Promise<string | undefined>
  /** Closes the client when it aborts. */
  readonly signal?: AbortSignal
  /** Whether to come back after a link was lost. @defaultValue true */
  readonly reconnect?: boolean
  /** How long a link may take to open and, where channels are followed, to bring the server's greeting. @defaultValue 10,000 */
  readonly connectMs?: number
  /**
   * Longest silence before the link is taken for dead; 0 for any.
   *
   * @defaultValue what the server announced as its heartbeat, and ten seconds of grace
   */
  readonly silenceMs?: number
  /** What may wait in one iteration, or to be sent, in bytes. @defaultValue 1 MiB */
  readonly maxQueuedBytes?: number
  /**
   * Hears what went wrong without ending the client: a handler that threw, data that is not of the format.
   *
   * @defaultValue `console.error`
   */
  readonly onError?: (error: unknown) => void
}

const clientNames: OptionNames<ClientOptions> = {
  transport: true,
  channels: true,
  format: true,
  contract: true,
  lastEventId: true,
  token: true,
  signal: true,
  reconnect: true,
  connectMs: true,
  silenceMs: true,
  maxQueuedBytes: true,
  maxMessageBytes: true,
  onError: true,
}

/** @throws TypeError for a setting that is none. */
export function checkClientOptions(options: ClientOptions<TransportOption, Agreement | undefined>): void {
  checkOptions('connect', options, clientNames)
  const { reconnect = true, signal } = options ?? {}
  if (typeof reconnect !== 'boolean') {
    throw new TypeError(`\`reconnect\` must be true or false, got ${show(reconnect)}`)
  }
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new TypeError(`\`signal\` must be an AbortSignal, got ${show(signal)}`)
  }
}

/** A page's URLs may be relative to it. */
export function urlOf(given: string | URL): URL {
  const base = typeof document === 'undefined' ? undefined : document.baseURI
  let url: URL
  try {
    url = new URL(given, base)
  } catch (cause) {
    const advice =
      base === undefined ? '; outside a page it must be absolute, e.g. "http://localhost:8080/live"' : ''
    throw new TypeError(`${show(String(given))} is no URL${advice}`, { cause })
  }
  // Speaks up now about a scheme that no transport has, and not at each try.
  addressOf(url, 'http', { channels: [] })
  return url
}

export function checkMs(name: string, ms: number): number {
  checkNumber(name, ms, 0, maxTimerMs)
  return ms
}

export function checkChannels(names: readonly string[]): readonly string[] {
  // Text is a list of characters, each of them a fine name.
  if (!Array.isArray(names)) throw new TypeError(`\`channels\` must be a list of names, got ${show(names)}`)
  for (const name of names) checkName('channel', name)
  return names
}

/** The longest that a timer can wait; beyond, it would fire at once. */
export const maxTimerMs: number = 2 ** 31 - 1

/** Where nobody hears of errors. */
export function report(error: unknown): void {
  // biome-ignore lint/suspicious/noConsole: where nobody asked to hear of errors, silence would hide them
  console.error(error)
}
