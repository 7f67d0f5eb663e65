import { type Close, ConnectError, type ConnectOptions, type Message, ProtocolError } from '@eitherway/core'

/** The transports whose clients a remote has. */
export type TransportName = 'sse' | 'ws' | 'sse+post'

/** What a remote is asked to do. Each question has an answer of the same `id`. */
export type Question = { readonly id: number; readonly link: number } & (
  | {
      readonly ask: 'connect'
      readonly transport: TransportName
      readonly url: string
      readonly options: Omit<ConnectOptions, 'signal'>
      readonly aborted: boolean
    }
  | { readonly ask: 'next' | 'return' | 'abort' }
  | { readonly ask: 'close'; readonly close?: Close }
  | { readonly ask: 'send'; readonly message: Message }
)

/** What a remote tells: first which runtime it is, then answers and ends of links. */
export type Told =
  | { readonly version: string }
  | { readonly id: number; readonly value?: unknown }
  | { readonly id: number; readonly error: ToldError }
  | { readonly link: number; readonly closed: Close }

/** An error as it crosses. */
export interface ToldError {
  /** Whether it is the reason that the signal was aborted with. */
  readonly aborted: boolean
  readonly name: string
  readonly message: string
  readonly options: { retryable: boolean; closeCode: number; status?: number; retryAfterMs?: number }
}

/** As JSON, bytes included. */
export function write(words: readonly Question[] | Told): string {
  return JSON.stringify(words, (_, part: unknown) =>
    part instanceof Uint8Array ? { $bytes: [...part] } : part,
  )
}

/** What {@link write} wrote. */
export function read<Words extends readonly Question[] | Told>(text: string): Words {
  return JSON.parse(text, (_, part: { $bytes?: number[] } | null) =>
    Array.isArray(part?.$bytes) ? Uint8Array.from(part.$bytes) : part,
  ) as Words
}

/** What an error says, to be made again by {@link errorOf}. */
export function tellError(error: unknown, aborted: boolean): ToldError {
  const { name, message, ...options } = error as ToldError & ToldError['options']
  const { retryable, closeCode, status, retryAfterMs } = options as ToldError['options']
  return {
    aborted,
    name: error instanceof TypeError ? 'TypeError' : name,
    message,
    options: {
      retryable,
      closeCode,
      ...(status !== undefined && { status }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    },
  }
}

/** An error of the same class, with the same words. */
export function errorOf({ name, message, options }: ToldError): Error {
  if (name === 'ConnectError') return new ConnectError(message, options)
  if (name === 'ProtocolError') return new ProtocolError(message, options)
  return name === 'TypeError' ? new TypeError(message) : new Error(`${name}: ${message}`)
}
