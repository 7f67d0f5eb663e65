import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { bundlePage, pageEntries } from '../sizes.mjs'

const guide = readFileSync(new URL('../../../docs/guides/sizes.md', import.meta.url), 'utf8')

/** The budgets: what a page imports, what it then imports later, and how many bytes both may be by gzip. */
const budgets = [...guide.matchAll(/^\| `(import [^`]+)` \| ([^|]+) \| ([\d,]+) \|$/gm)].map(
  ([, imports = '', later = '', atMost = '']) => ({
    imports,
    later: [...later.matchAll(/`([^`]+)`/g)].map(([, subpath = '']) => subpath),
    atMost: Number(atMost.replaceAll(',', '')),
  }),
)

/** A page that uses what it imports. */
const pageOf = (imports: string) => bundlePage(imports.replaceAll('import ', 'export '))

test.each(budgets)('$imports, then $later: at most $atMost bytes', async ({ imports, later, atMost }) => {
  const { bytes } = (await pageOf(imports)).with(later)
  const advice = `of docs/guides/sizes.md; \`node packages/interop/sizes.mjs\` shows it piece by piece`
  expect(bytes, `${bytes} bytes are over the budget ${advice}`).toBeLessThanOrEqual(atMost)
  expect(bytes, `${bytes} bytes are far below the budget ${advice}`).toBeGreaterThan(atMost * 0.85)
})

test('each subpath that a page can import has a budget', async () => {
  const entries = await pageEntries()
  expect(entries).toContain('@eitherway/client')
  expect(entries.filter((entry) => !budgets.some(({ imports }) => imports.includes(`'${entry}'`)))).toEqual(
    [],
  )
})

describe('nothing costs those who do not use it', () => {
  test('a subpath that is imported and not used is no byte of code', async () => {
    for (const entry of await pageEntries()) {
      const { first } = await bundlePage(`import '${entry}'; import * as unused from '${entry}'`)
      expect([entry, ...first.pieces.keys()]).toEqual([entry])
    }
  })

  const connect = "import { connect } from '@eitherway/client'"
  const packagesOf = (pieces: ReadonlyMap<string, number>) =>
    [...new Set([...pieces.keys()].map((piece) => piece.replace(/\/.*/, '')))]
      .filter((name) => name !== 'interop')
      .sort()

  test('a page loads no transport before it is used, and then that one alone', async () => {
    const page = await pageOf(connect)
    expect(packagesOf(page.first.pieces)).toEqual(['client', 'core'])
    expect(packagesOf(page.with(['sse/client']).pieces)).toEqual([
      'client',
      'core',
      'eventsource-parser',
      'sse',
    ])
    expect(packagesOf(page.with(['ws/client']).pieces)).toEqual(['client', 'core', 'ws'])
  })

  test('what is for servers, tests and other formats is in no client', async () => {
    const { pieces } = (await pageOf(connect)).with(['sse/client', 'ws/client'])
    const elsewhere = ['binary-format', 'compression', 'depth', 'linked', 'origin', 'refusal']
    for (const name of elsewhere) expect(pieces.has(`core/src/${name}.ts`), name).toBe(false)
    // Of a request, a client needs to read a server's `Retry-After`.
    expect(pieces.get('core/src/request.ts')).toBeLessThan(200)
  })

  test('of core comes what is used', async () => {
    const { first } = await pageOf("import { ConnectError } from '@eitherway/core'")
    expect([...first.pieces.keys()].sort()).toEqual(['core/src/close.ts', 'core/src/errors.ts'])
  })
})
