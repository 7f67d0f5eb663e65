import type { Frame, Message } from '@eitherway/core'

/** What a page may see of a stream. */
export type Seen = Message | { readonly retryMs: number } | { readonly lastEventId: string } | 'comment'

/**
 * Reads a whole stream as 9.2.5 and 9.2.6 tell it, sentence by sentence, in the plainest way there is.
 *
 * @returns what a page would see: messages with the last event ID at that time, reconnection times, and the last event ID
 * in the end; and comments, which a page would not. Messages of reserved names are left out.
 */
export function referenceReader(stream: Uint8Array): Seen[] {
  // "Streams must be decoded using the UTF-8 decode algorithm", which strips one byte order mark.
  const text = new TextDecoder().decode(stream)
  // "The stream must then be parsed by reading everything line by line": CRLF, LF or CR.
  const lines = text.split(/\r\n|\n|\r/)
  // "Once the end of the file is reached, any pending data must be discarded." What no line end follows is no line.
  lines.pop()

  const seen: Seen[] = []
  let [data, type, idBuffer, lastEventId] = ['', '', '', '']
  for (const line of lines) {
    if (line === '') {
      // "Set the last event ID string of the event source to the value of the last event ID buffer."
      lastEventId = idBuffer
      // "If the data buffer is an empty string, set [both] to the empty string and return."
      if (data !== '' && !type.startsWith('~')) {
        // "If the data buffer's last character is LF, then remove the last character."
        seen.push({ id: lastEventId, event: type === '' ? 'message' : type, data: data.slice(0, -1) })
      }
      data = ''
      type = ''
    } else if (line.startsWith(':')) {
      seen.push('comment')
    } else {
      // "Collect the characters before the first colon … after … If value starts with a space, remove it."
      const colon = line.indexOf(':')
      const field = colon === -1 ? line : line.slice(0, colon)
      let value = colon === -1 ? '' : line.slice(colon + 1)
      if (value.startsWith(' ')) value = value.slice(1)
      if (field === 'event') type = value
      if (field === 'data') data += `${value}\n`
      if (field === 'id' && !value.includes('\0')) idBuffer = value
      if (field === 'retry' && /^[0-9]+$/.test(value)) seen.push({ retryMs: Number(value) })
    }
  }
  return [...seen, { lastEventId }]
}

/** Our frames as a page would see them: each message with the position at that time. */
export function asSeen(frames: readonly Frame[]): Seen[] {
  const seen: Seen[] = []
  let lastEventId = ''
  for (const frame of frames) {
    if (frame.type === 'message') {
      lastEventId = frame.message.id || lastEventId
      // The words of a request cross as messages, and no page has a listener for them.
      if (!frame.message.event.startsWith('~')) seen.push({ ...frame.message, id: lastEventId })
    }
    if (frame.type === 'position') lastEventId = frame.id
    if (frame.type === 'hello' || frame.type === 'gap') lastEventId = frame.id || lastEventId
    if (frame.type === 'retry') seen.push({ retryMs: frame.retryMs })
    if (frame.type === 'heartbeat') seen.push('comment')
  }
  return [...seen, { lastEventId }]
}
