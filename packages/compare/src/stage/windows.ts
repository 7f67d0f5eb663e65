/** How far publishing may run ahead of those who hear it. */
export interface Windows {
  /** All of the channel's clients have heard it up to this parcel. */
  taken(channel: string, seq: number): void
  /**
   * Waits until that is told. @returns `undefined` where it was told already.
   * @throws Error (by rejection) when it is not told in time.
   */
  room(channel: string, seq: number): Promise<void> | undefined
}

const patienceMs = 20_000

/** Of all channels nothing is taken yet. */
export function createWindows(): Windows {
  const upTo = new Map<string, number>()
  const waiting = new Set<{ readonly channel: string; readonly seq: number; go(): void }>()
  return {
    taken(channel, seq) {
      upTo.set(channel, seq)
      for (const one of waiting) if (one.channel === channel && one.seq <= seq) one.go()
    },
    room(channel, seq) {
      if (seq <= (upTo.get(channel) ?? 0)) return undefined
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(one)
          reject(new Error(`nobody told that ${seq} was heard within ${patienceMs} ms`))
        }, patienceMs)
        const one = {
          channel,
          seq,
          go() {
            clearTimeout(timer)
            waiting.delete(one)
            resolve()
          },
        }
        waiting.add(one)
      })
    },
  }
}
