/** A part of the system that takes what others send. */
export interface Target {
  readonly name: string
  /** Inputs to begin with, which lead far in. */
  readonly seeds: readonly (string | Uint8Array)[]
  /** Pieces that mean something here. */
  readonly words: readonly string[]
  /**
   * Gives it one input, the same way each time.
   *
   * @throws whatever says that it did not bear it.
   */
  run(input: Uint8Array): void | Promise<void>
  /** Longest time for one input, in milliseconds of CPU. @defaultValue 250 */
  readonly budgetMs?: number
}

const utf8 = new TextEncoder()

/** Text stands for one byte a character where it can, as on the wire, else for its UTF-8. */
export function toBytes(piece: string | Uint8Array): Uint8Array {
  if (typeof piece !== 'string') return piece
  return /^[\0-\xff]*$/.test(piece) ? Uint8Array.from(piece, (c) => c.charCodeAt(0)) : utf8.encode(piece)
}

/** Longest input that is made up. */
export const maxInputBytes = 2048

/**
 * Runs one input within its time.
 *
 * @throws Error for an input that took too long, also when it is tried again: a machine under load is late, and not wrong.
 */
export async function attempt(target: Target, input: Uint8Array): Promise<void> {
  const { budgetMs = 250 } = target
  let tookMs = Number.POSITIVE_INFINITY
  for (let tries = 0; tries < 3 && tookMs > budgetMs; tries += 1) {
    const before = process.cpuUsage()
    await target.run(input)
    const { user, system } = process.cpuUsage(before)
    tookMs = Math.min(tookMs, (user + system) / 1000)
  }
  if (tookMs > budgetMs) throw new Error(`took ${tookMs} ms of CPU, more than ${budgetMs}`)
}
