// The wire: a frame is one line of JSON, `["id","event","text"]`; bytes are `["id","event","Base64","base64"]`.
import {
  byteLength,
  type Codec,
  defaultMaxMessageBytes,
  type Frame,
  fromTriple,
  ProtocolError,
  toTriple,
} from '@eitherway/core'

export const codec: Codec = {
  encode(frame) {
    const { id, event, data } = frame.type === 'message' ? frame.message : toTriple(frame)
    const parts = typeof data === 'string' ? [data] : [Buffer.from(data).toString('base64'), 'base64']
    return `${JSON.stringify([id, event, ...parts])}\n`
  },
  decoder({ maxMessageBytes = defaultMaxMessageBytes } = {}) {
    // JSON may write one byte as six, `\u0000`; the rest is for id and event.
    const maxLineLength = 6 * maxMessageBytes + 8192
    const utf8 = new TextDecoder()
    let line = ''
    return {
      push(chunk) {
        const text = typeof chunk === 'string' ? chunk : utf8.decode(chunk, { stream: true })
        const frames: Frame[] = []
        try {
          let from = 0
          for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
            frames.push(read(line + text.slice(from, end), maxMessageBytes))
            line = ''
            from = end + 1
          }
          line += text.slice(from)
          if (line.length > maxLineLength) throw tooBig(`a line is over ${maxLineLength} characters`)
        } catch (error) {
          // What came before it counts all the same.
          if (error instanceof ProtocolError) error.frames = frames
          throw error
        }
        return frames
      },
    }
  },
}

/** The parts of a line. @throws ProtocolError when it is no array of text. */
export function parseLine(line: string): string[] {
  let parts: unknown
  try {
    parts = JSON.parse(line)
  } catch {
    // The engine's error shows a piece of the line, which may be a secret.
  }
  if (Array.isArray(parts) && parts.length >= 3 && parts.every((part) => typeof part === 'string'))
    return parts
  throw new ProtocolError(`a line of ${line.length} characters is not what this wire says`)
}

function read(line: string, maxMessageBytes: number): Frame {
  const [id = '', event = '', text = '', coding] = parseLine(line)
  const data = coding === 'base64' ? Uint8Array.from(Buffer.from(text, 'base64')) : text
  const size = byteLength(data)
  if (size > maxMessageBytes) throw tooBig(`a message of ${size} bytes is over ${maxMessageBytes}`)
  return fromTriple({ id, event, data })
}

const tooBig = (reason: string) => new ProtocolError(reason, { closeCode: 1009 })
