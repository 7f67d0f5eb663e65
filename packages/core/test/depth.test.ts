import { isDeeper, isNested } from '@eitherway/core'
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

describe('how deep a value nests', () => {
  const levels = (depth: number) => {
    let value: unknown = 1
    for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { value }
    return value
  }
  const cycle: unknown[] = []
  cycle.push({ cycle })
  let shared: unknown = []
  for (let level = 1; level < 60; level += 1) shared = Array(20).fill(shared)

  test.each([
    ['nothing', undefined, 1, false],
    ['text', 'a', 1, false],
    ['bytes', new Uint8Array(4), 1, false],
    ['as deep as it may', levels(64), 64, false],
    ['a level more', levels(65), 64, true],
    ['100,000 levels', levels(100_000), 64, true],
    ['as many in a row', Array(500).fill([]), 2, false],
    ['behind a value of a map', new Map([['a', levels(3)]]), 3, true],
    ['behind a key of a map', new Map([[levels(3), 'a']]), 3, true],
    ['behind an item of a set', new Set([levels(3)]), 3, true],
    ['an object without a prototype', Object.assign(Object.create(null), { a: [] }), 1, true],
    ['what holds itself', cycle, 64, true],
    ['20 to the 60th paths to one array', shared, 60, false],
    ['the same, a level more', [shared], 60, true],
    [
      'what is of a class is the application\u2019s own',
      [
        new (class {
          own = levels(100)
        })(),
      ],
      1,
      false,
    ],
  ])('%s', (_, value, limit, expected) => {
    expect(isNested(value, limit)).toBe(expected)
  })

  test('is what a walk over the value finds', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 1, max: 8 }), (given, limit) => {
        expect(isNested(given, limit)).toBe(depthOf(given) > limit)
      }),
      { numRuns: 500 },
    )
  })
})

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}
