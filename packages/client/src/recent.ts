import { costOf, type Frame } from '@eitherway/core'

/** What a shared link brought last, and the position at which it stands. */
export interface Recent {
  /** The position, as the protocol has it; `''` before there is one. */
  readonly at: string
  /** The next frame of the link. */
  add(frame: Frame): void
  /** What came after a position; `undefined` where that is too long ago, or never was on this link. */
  after(id: string): readonly Frame[] | undefined
}

/** What may be kept for those who join, in bytes of data and in frames. */
const maxBytes = 256 * 1024
const maxFrames = 1_000

interface Entry {
  readonly frame: Frame
  /** The position behind it. */
  readonly at: string
  readonly bytes: number
}

/** Makes the memory of a link that is asked for from a position. @internal */
export function createRecent(from: string): Recent {
  let start = from
  let at = from
  let bytes = 0
  let entries: Entry[] = []

  function push(frame: Frame, next: string, cost = 64): void {
    at = next
    bytes += cost
    entries.push({ frame, at, bytes: cost })
    let dropped = 0
    for (; bytes > maxBytes || entries.length - dropped > maxFrames; dropped += 1) {
      const oldest = entries[dropped] as Entry
      bytes -= oldest.bytes
      start = oldest.at
    }
    if (dropped > 0) entries = entries.slice(dropped)
  }

  return {
    get at() {
      return at
    },
    add(frame) {
      switch (frame.type) {
        case 'hello':
          if (frame.id === '' || frame.id === at) break
          // The server goes on from somewhere else: what came before is no beginning of what follows.
          start = frame.id
          at = frame.id
          bytes = 0
          entries = []
          break
        case 'message':
          // One without an id is heard by those who are there, as after any link that was lost.
          if (frame.message.id !== '') push(frame, frame.message.id, costOf(frame.message))
          break
        case 'gap':
          // Without an id it moves no position: whoever asks from there is told of it once more, as by a server.
          push(frame, frame.id === '' ? at : frame.id)
          break
        case 'position':
          push(frame, frame.id)
          break
        default:
          break
      }
    },
    after(id) {
      if (id === start) return entries.map(({ frame }) => frame)
      const found = entries.findIndex((entry) => entry.at === id)
      return found < 0 ? undefined : entries.slice(found + 1).map(({ frame }) => frame)
    },
  }
}
