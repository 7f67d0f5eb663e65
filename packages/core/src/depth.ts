/**
 * Whether a JSON text nests deeper than this. It looks at brackets outside strings only, and at a short text not at all: it
 * costs a fraction of parsing.
 *
 * @param limit - levels of arrays and objects.
 */
export function isDeeper(json: string, limit: number): boolean {
  if (json.length <= limit) return false
  let depth = 0
  let inString = false
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at)
    if (inString) {
      if (code === backslash) at += 1
      else if (code === quote) inString = false
    } else if (code === quote) {
      inString = true
    } else if (code === openArray || code === openObject) {
      depth += 1
      if (depth > limit) return true
    } else if (code === closeArray || code === closeObject) {
      depth -= 1
    }
  }
  return false
}

/**
 * Whether a value that a format gave nests deeper than this: arrays, plain objects, maps and sets. What is of another class is
 * the application's own. Level by level, so that no value is too deep to be looked at, and what is held twice counts once.
 *
 * @param limit - levels.
 */
export function isNested(value: unknown, limit: number): boolean {
  let level = new Set<object>()
  if (isHolder(value)) level.add(value)
  for (let depth = 1; level.size > 0; depth += 1) {
    if (depth > limit) return true
    const next = new Set<object>()
    for (const holder of level) for (const held of heldBy(holder)) if (isHolder(held)) next.add(held)
    level = next
  }
  return false
}

function isHolder(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value) || value instanceof Map || value instanceof Set) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function heldBy(holder: object): Iterable<unknown> {
  if (Array.isArray(holder) || holder instanceof Set) return holder
  return holder instanceof Map ? [...holder.keys(), ...holder.values()] : Object.values(holder)
}

const quote = 34
const backslash = 92
const openArray = 91
const closeArray = 93
const openObject = 123
const closeObject = 125
