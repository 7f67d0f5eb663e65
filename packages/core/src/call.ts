import { ProtocolError, RequestError } from './errors.ts'
import { byteLength, checkName, type Message } from './message.ts'

/**
 * A word of a request and its reply. It crosses as a message whose event no application may use, so that every two-way
 * transport carries it as it carries any message. It has no id, because ids are positions.
 *
 * `number` is the client's: one for each request of its life, over all links, never the same twice.
 */
export type Call =
  /** The client asks. */
  | {
      readonly type: 'request'
      readonly number: number
      readonly name: string
      readonly data: Message['data']
    }
  /** The client wants the answer no longer. */
  | { readonly type: 'abort'; readonly number: number }
  /** The server's answer. */
  | { readonly type: 'reply'; readonly number: number; readonly data: Message['data'] }
  /** The server's answer where there is none; `data` is JSON, whatever the application's format. */
  | { readonly type: 'failure'; readonly number: number; readonly data: Message['data'] }

/** Longest name of a request, in UTF-8 bytes: in its event there is the number as well, and an event has 255. */
export const maxRequestNameBytes = 200

/**
 * Checks the name of a request: as that of an event, and at most 200 bytes.
 *
 * @throws TypeError when it is anything else.
 */
export function checkRequestName(name: string): void {
  checkName('name', name)
  const bytes = byteLength(name)
  if (bytes <= maxRequestNameBytes) return
  throw new TypeError(`\`name\` of a request must be at most ${maxRequestNameBytes} bytes, got ${bytes}`)
}

/** The message that carries it. */
export function callMessage(call: Call): Message {
  const { type, number } = call
  const event = type === 'request' ? `~request:${number}:${call.name}` : `~${type}:${number}`
  return Object.freeze({ id: '', event, data: type === 'abort' ? '' : call.data })
}

/** A count from 0 on that a double holds exactly, written in one way only. */
const pattern = /^~(?:request:(0|[1-9]\d{0,14}):(.+)|(abort|reply|failure):(0|[1-9]\d{0,14}))$/s

/** What a message says of a call; `undefined` where it is none. */
export function readCall({ event, data }: Message): Call | undefined {
  // Nearly all are not, and the first letter tells.
  if (!event.startsWith('~')) return undefined
  const [, asked, name, word, answered] = pattern.exec(event) ?? []
  if (asked !== undefined && name !== undefined) return { type: 'request', number: Number(asked), name, data }
  const number = Number(answered)
  switch (word) {
    case 'abort':
      return { type: word, number }
    case 'reply':
    case 'failure':
      return { type: word, number, data }
    default:
      return undefined
  }
}

/**
 * The data of a failure.
 *
 * @throws TypeError when the error's `data` cannot be written as JSON.
 */
export function failureData({ code, message, data }: RequestError): string {
  return JSON.stringify(data === undefined ? { code, message } : { code, message, data })
}

/**
 * The error of a failure's data.
 *
 * @throws ProtocolError when it holds anything else.
 */
export function failureOf(data: Message['data']): RequestError {
  let told: unknown
  try {
    told = typeof data === 'string' ? JSON.parse(data) : undefined
  } catch {
    // Not even as the cause: what the engine says of it shows a piece.
  }
  if (typeof told === 'object' && told !== null && 'code' in told && 'message' in told) {
    const { code, message } = told
    if (typeof code === 'string' && code !== '' && typeof message === 'string') {
      return new RequestError(message, 'data' in told ? { code, data: told.data } : { code })
    }
  }
  throw new ProtocolError(
    `the request failed, and the server's ~failure holds ${byteLength(data)} bytes that are not what the protocol says`,
  )
}
