/** Whoever is to be told when its time is over. */
export interface Expiring {
  expire(): void
}

/** Ends what has a time, by one timer for all. */
export interface Expiries {
  /** @param at - milliseconds since 1970. */
  add(who: Expiring, at: number): void
  delete(who: Expiring): void
  stop(): void
}

/** Those of one second end together, at its end: none before its time, and all within a second of it. */
const slotMs = 1000

/** Starts with none. @param now - milliseconds since 1970. */
export function createExpiries(now: () => number): Expiries {
  const slots = new Map<number, Set<Expiring>>()
  const slotOf = new Map<Expiring, number>()
  let timer: ReturnType<typeof setTimeout> | undefined

  function arm(): void {
    // At the full second. By the clock and not by counting: a machine may have slept.
    timer = setTimeout(tick, slotMs - (now() % slotMs))
    timer.unref()
  }

  function tick(): void {
    const due = Math.floor(now() / slotMs)
    for (const [slot, waiting] of slots) {
      if (slot > due) continue
      slots.delete(slot)
      for (const who of waiting) {
        slotOf.delete(who)
        who.expire()
      }
    }
    if (slots.size === 0) rest()
    else arm()
  }

  function rest(): void {
    clearTimeout(timer)
    timer = undefined
  }

  return {
    add(who, at) {
      const slot = Math.ceil(at / slotMs)
      const waiting = slots.get(slot) ?? new Set()
      slots.set(slot, waiting.add(who))
      slotOf.set(who, slot)
      if (timer === undefined) arm()
    },
    delete(who) {
      const slot = slotOf.get(who)
      if (slot === undefined) return
      slotOf.delete(who)
      const waiting = slots.get(slot)
      waiting?.delete(who)
      if (waiting?.size === 0) slots.delete(slot)
      if (slots.size === 0) rest()
    },
    stop: rest,
  }
}
