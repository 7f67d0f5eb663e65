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

/** Those of one second end together. */
const slotMs = 1000

/** Starts with none. @param now - milliseconds since 1970. */
export function createExpiries(now: () => number): Expiries {
  const slots = new Map<number, Set<Expiring>>()
  const slotOf = new Map<Expiring, number>()
  let timer: ReturnType<typeof setInterval> | undefined

  function tick(): void {
    // By the clock and not by counting ticks: a machine may have slept.
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
  }

  function rest(): void {
    clearInterval(timer)
    timer = undefined
  }

  return {
    add(who, at) {
      // Rounded down: nobody stays beyond the time, at the price of up to a second.
      const slot = Math.floor(at / slotMs)
      const waiting = slots.get(slot) ?? new Set()
      slots.set(slot, waiting.add(who))
      slotOf.set(who, slot)
      timer ??= setInterval(tick, slotMs)
      timer.unref()
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
