import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureInstalled } from './install.mjs'
import { measure } from './measure.mjs'
import { runNode, script } from './run.mjs'
import { ensureSystem } from './system.mjs'

const args = process.argv.slice(2)
const counts = { passed: 0, failed: 0, skipped: 0 }

/** @type {Record<string, () => boolean>} */
const checks = {
  'format and lint': () => runNode('node_modules/@biomejs/biome/bin/biome', ['check', '--error-on-warnings']),
  types: () => runNode('node_modules/typescript/bin/tsc', ['-p', 'tsconfig.json']),
  'unused code': () => runNode('node_modules/knip/bin/knip.js', ['--no-progress', '--no-config-hints']),
  build: () => runNode('scripts/build.mjs'),
  'public surface': () => runNode('scripts/api.mjs', ['--check']),
  tests: vitest,
  reference: () => runNode('node_modules/typedoc/bin/typedoc'),
  audit: () => runNode('scripts/audit.mjs'),
}

await script(async () => {
  ensureInstalled()
  ensureSystem({ install: args.length === 0 })
  for (const [name, check] of Object.entries(args.length === 0 ? checks : { tests: vitest })) {
    console.log(`\n${name}`)
    const start = performance.now()
    const passed = check()
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`${name}: ${passed ? 'passed' : 'FAILED'} in ${seconds} s`)
    if (passed) continue
    process.exitCode = 1
    // A check that failed is one failure, so that the last line never says `0 failed` of a failed run.
    if (check !== vitest || counts.failed === 0) counts.failed++
  }
  if (args.length === 0 && process.env['CI'] === 'true') {
    console.log('\nbench, as information only')
    await measure()
  }
  const { passed, failed, skipped } = counts
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
})

function vitest() {
  const folder = mkdtempSync(join(tmpdir(), 'eitherway-'))
  const file = join(folder, 'counts.json')
  process.env['EITHERWAY_COUNTS'] = file
  try {
    const reporters = ['--reporter=default', '--reporter=./scripts/counts.mjs']
    const passed = runNode('node_modules/vitest/vitest.mjs', ['run', ...reporters, ...args])
    if (!existsSync(file)) return passed
    const { unmatched, ...counted } = /** @type {import('./counts.mjs').Counts} */ (
      JSON.parse(readFileSync(file, 'utf8'))
    )
    Object.assign(counts, counted)
    // Vitest skips them all, and calls that a success.
    if (unmatched !== undefined) console.error(`no test matches ${unmatched}`)
    return passed && unmatched === undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}
