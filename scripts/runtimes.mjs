// The conformance suites on every runtime that is here, and the tables of what came of it: `npm run runtimes`.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureInstalled } from './install.mjs'
import { root, runNode, script } from './run.mjs'
import { shortTable, withMarked } from './runtimes-table.mjs'
import { ensureSystem } from './system.mjs'

/**
 * @typedef {object} Found
 * @property {string} runtime
 * @property {string} [version]
 * @property {string} [host] - the Node of the server that its clients spoke to
 * @property {string} [suite]
 * @property {number} [passed]
 * @property {[string, string][]} [failed]
 */

const page = join(root, 'docs/runtimes.md')
const readme = join(root, 'README.md')

/** Each with what brings it here, where it is not. */
const rows = [
  ...['20', '22', '24', '26'].map((major) => ({
    name: `Node ${major}`,
    how: 'npm brings it, from its registry',
    serves: true,
  })),
  { name: 'Bun', how: '`npm ci` brings it', serves: true },
  { name: 'Deno', how: '`npm ci` brings it', serves: true },
  { name: 'Chromium', how: '`apt-get install chromium`', serves: false },
  { name: 'Firefox', how: '`apt-get install firefox-esr`', serves: false },
  { name: 'WebKit', how: '`apt-get install webkit2gtk-driver xvfb`', serves: false },
]
const transports = ['sse', 'ws', 'sse+post']
const columns = [
  'codecs',
  'broker',
  ...transports.map((name) => `client ${name}`),
  ...transports.map((name) => `server ${name}`),
]

await script(() => {
  ensureInstalled()
  ensureSystem({ install: false })
  const folder = mkdtempSync(join(tmpdir(), 'eitherway-'))
  try {
    const report = join(folder, 'runtimes.jsonl')
    process.env['EITHERWAY_RUNTIMES_REPORT'] = report
    const file = 'packages/interop/test/runtimes.test.ts'
    const passed = runNode('node_modules/vitest/vitest.mjs', ['run', '--typecheck.enabled=false', file])
    if (!passed) process.exitCode = 1
    if (!existsSync(report)) throw new Error('no runtime told anything, so the table stays as it was')
    const lines = readFileSync(report, 'utf8').trim().split('\n')
    const text = tableOf(lines.map((line) => JSON.parse(line)))
    const whole = withMarked(readFileSync(page, 'utf8'), text)
    writeFileSync(page, whole)
    writeFileSync(readme, withMarked(readFileSync(readme, 'utf8'), shortTable(whole)))
    console.log(`\n${text}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** @param {Found[]} found */
function tableOf(found) {
  const host = found.find((each) => each.host !== undefined)?.host ?? 'unknown'
  const lines = [
    `| Runtime | Version | ${columns.map((name) => name.replace(/ (.*)/, ' `$1`')).join(' | ')} |`,
    `| --- | --- |${' --- |'.repeat(columns.length)}`,
    ...rows.map((row) => {
      const own = found.filter(({ runtime }) => runtime === row.name)
      const version = own.find((each) => each.version !== undefined)?.version
      const cells = columns.map((column) => cellOf(own, column, row.serves))
      return `| ${row.name} | ${version ?? 'not run'} | ${cells.join(' | ')} |`
    }),
    '',
    `The clients' servers ran on Node ${host}; ${process.platform}, ${new Date().toISOString().slice(0, 10)}.`,
  ]
  const absent = rows.filter(({ name }) => !found.some(({ runtime }) => runtime === name))
  for (const { name, how } of absent) lines.push('', `${name} was not run: ${how}.`)
  const failures = found.flatMap(({ runtime, suite, failed = [] }) =>
    failed.map(([name, why]) => `- ${runtime}, ${suite}, "${name}": ${why.replace(/\s+/g, ' ')}`),
  )
  if (failures.length > 0) lines.push('', 'What failed:', '', ...failures)
  return lines.join('\n')
}

/**
 * @param {Found[]} own
 * @param {string} column
 * @param {boolean} serves
 */
function cellOf(own, column, serves) {
  if (column.startsWith('server') && !serves) return '–'
  const result = own.find(({ suite }) => suite === column)
  if (result === undefined) return 'not run'
  const { passed = 0, failed = [] } = result
  return failed.length === 0 ? `✓ ${passed}` : `${passed} passed, ${failed.length} failed`
}
