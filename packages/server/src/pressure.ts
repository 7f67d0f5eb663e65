/** Whoever may keep bytes waiting. */
export interface Reading {
  /** Bytes that wait to be read. */
  readonly queuedBytes: number
}

/** What waits for all slow readers together. */
export interface Pressure<R extends Reading> {
  /** This one has fallen behind, or further behind. Asked for each write to it, so it does next to nothing. */
  add(reader: R): void
  delete(reader: R): void
  /** Those that are behind now, and what waits for them. */
  readonly now: { readonly readers: number; readonly bytes: number }
}

/**
 * Watches that no more waits than `maxBytes`, without a walk over all who are connected: only those that have fallen behind are
 * looked at, once for each turn in which one of them fell further.
 *
 * @param fromBytes - who has more than this waiting is behind.
 * @param onOver - hears of those with most, one after the other, until the rest is within the limit.
 */
export function createPressure<R extends Reading>(
  maxBytes: number,
  fromBytes: number,
  onOver: (reader: R) => void,
): Pressure<R> {
  const behind = new Set<R>()
  let isDue = false

  function weigh(): number {
    let bytes = 0
    for (const reader of behind) {
      const { queuedBytes } = reader
      if (queuedBytes > fromBytes) bytes += queuedBytes
      else behind.delete(reader)
    }
    return bytes
  }

  function check(): void {
    isDue = false
    let bytes = weigh()
    if (bytes <= maxBytes) return
    const most = [...behind].map((reader) => ({ reader, bytes: reader.queuedBytes }))
    most.sort((a, b) => b.bytes - a.bytes)
    for (const one of most) {
      if (bytes <= maxBytes) return
      bytes -= one.bytes
      behind.delete(one.reader)
      onOver(one.reader)
    }
  }

  return {
    add(reader) {
      behind.add(reader)
      if (isDue) return
      isDue = true
      queueMicrotask(check)
    },
    delete: (reader) => behind.delete(reader),
    get now() {
      const bytes = weigh()
      return { readers: behind.size, bytes }
    },
  }
}
