import { isDeeper } from '@eitherway/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const nested = (depth: number, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth)

describe('how deep a JSON text nests', () => {
  test.each([
    ['nothing', '', 1, false],
    ['a number', '1', 1, false],
    ['as deep as it may', nested(64), 64, false],
    ['a level more', nested(65), 64, true],
    ['objects', `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`, 64, true],
    ['100,000 levels', nested(100_000), 64, true],
    ['levels that are never closed', '['.repeat(100_000), 64, true],
    ['as many in a row', `[${Array(500).fill('[]').join()}]`, 2, false],
    ['brackets in a string', JSON.stringify('['.repeat(1_000)), 1, false],
    ['brackets behind a quote in a string', JSON.stringify(`"${'['.repeat(1_000)}`), 1, false],
    ['brackets behind a backslash at its end', `["\\\\",${nested(5)}]`, 5, true],
    ['brackets in a key', `{${JSON.stringify('[{'.repeat(100))}:1}`, 1, false],
    ['escapes as numbers', `["\\u0022",${nested(5)}]`, 6, false],
  ])('%s', (_, json, limit, expected) => {
    expect(isDeeper(json, limit)).toBe(expected)
  })

  test('is what a walk over the value finds', () => {
    const odd = fc.constantFrom('"', '\\', '[', ']', '{', '}', '\\"', '\\\\', '"[', 'a', '\n')
    const text = fc.array(odd, { maxLength: 8 }).map((parts) => parts.join(''))
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 12, withCrossShrink: true },
        fc.oneof(text, fc.integer(), fc.constant(null)),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(text, tie('value'), { maxKeys: 3 }),
      ),
    }))
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 8 }), fc.constantFrom(0, 2), (given, limit, space) => {
        expect(isDeeper(JSON.stringify(given, null, space), limit)).toBe(depthOf(given) > limit)
      }),
      { numRuns: 2_000 },
    )
  })
})

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}
