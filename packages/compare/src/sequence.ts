/** Checks that numbered messages arrive once each and in order. */
export interface Sequence {
  /** Numbers that were passed over and have not come since. */
  readonly lost: number
  /** Numbers that came again. */
  readonly twice: number
  /** Numbers that came after a higher one. */
  readonly disordered: number
  add(seq: number): void
  /** Begins anew with whatever number comes next: what is missing until there was told. */
  restart(): void
}

/** Makes a sequence that begins with whatever number comes first. */
export function createSequence(): Sequence {
  const missing = new Set<number>()
  let lost = 0
  let twice = 0
  let disordered = 0
  let last: number | undefined
  return {
    get lost() {
      return lost + missing.size
    },
    get twice() {
      return twice
    },
    get disordered() {
      return disordered
    },
    add(seq) {
      if (last === undefined || seq > last) {
        for (let hole = (last ?? seq) + 1; hole < seq; hole += 1) missing.add(hole)
        last = seq
      } else if (missing.delete(seq)) {
        disordered += 1
      } else {
        twice += 1
      }
    },
    restart() {
      lost += missing.size
      missing.clear()
      last = undefined
    },
  }
}
