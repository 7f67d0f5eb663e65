/** What a suite needs of a test framework: Vitest's, Node's, Deno's and Bun's `test` all fit. */
export type TestFunction = (name: string, run: () => void | Promise<void>) => unknown

/** @throws Error that shows both, unless they are alike down to the last byte. */
export function assertEqual(actual: unknown, expected: unknown, what: string): void {
  if (alike(actual, expected)) return
  throw new Error(`${what}\n  expected: ${print(expected)}\n  actual:   ${print(actual)}`)
}

/** @throws Error unless it holds. */
export function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what)
}

/** The error that `run` fails with. @throws Error when it does not fail. */
export async function errorOf(run: () => unknown, what: string): Promise<Error> {
  try {
    await run()
  } catch (error) {
    assert(error instanceof Error, `${what}: what was thrown is no Error: ${String(error)}`)
    return error
  }
  throw new Error(`${what}: no error`)
}

/**
 * The value of a promise that must not take for ever.
 *
 * The bound is there to name what hung; nothing is measured by it.
 */
export async function within<T>(promise: Promise<T>, what: string, ms = 10_000): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came of it within ${ms} ms: ${what}`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Random numbers in [0, 1) that a seed repeats (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

function alike(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array)) return false
    return a.byteLength === b.byteLength && a.every((byte, at) => byte === b[at])
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && alike(Reflect.get(a, key), Reflect.get(b, key)))
}

function print(value: unknown): string {
  const text =
    JSON.stringify(value, (_, part: unknown) => (part instanceof Uint8Array ? { bytes: [...part] } : part)) ??
    'undefined'
  return text.length > 500 ? `${text.slice(0, 500)}… (${text.length} characters)` : text
}
