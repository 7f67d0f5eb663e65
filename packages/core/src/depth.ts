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

const quote = 34
const backslash = 92
const openArray = 91
const closeArray = 93
const openObject = 123
const closeObject = 125
