import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { markedIn, shortTable, withMarked } from '../../../scripts/runtimes-table.mjs'

const textOf = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8')

test("the README's table of runtimes says what their page says: `npm run runtimes` writes both", () => {
  expect(markedIn(textOf('README.md'))).toBe(shortTable(textOf('docs/runtimes.md')))
})

test('a suite that failed or was not run is not among those that passed, and one that cannot be run is not asked', () => {
  const page = withMarked(
    '# Page\n\n<!-- runtimes:start --><!-- runtimes:end -->\n',
    [
      '| Runtime | Version | codecs | client `ws` | server `ws` |',
      '| --- | --- | --- | --- | --- |',
      '| Node 20 | 20.19.0 | ✓ 5 | ✓ 4 | ✓ 4 |',
      '| Deno | 2.9.6 | ✓ 5 | 3 passed, 1 failed | not run |',
      '| Firefox | 153 | ✓ 5 | ✓ 4 | – |',
      '| WebKit | not run | not run | not run | – |',
      '',
      'Whatever stands below.',
    ].join('\n'),
  )
  expect(shortTable(page).split('\n').slice(2)).toEqual([
    '| Node 20 | 20.19.0 | ✓ 3 of 3 |',
    '| Deno | 2.9.6 | 1 of 3 |',
    '| Firefox | 153 | ✓ 2 of 2 |',
    '| WebKit | not run | not run |',
  ])
})
