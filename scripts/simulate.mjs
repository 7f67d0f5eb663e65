import { parseArgs } from 'node:util'
import { ensureInstalled } from './install.mjs'
import { runNode, script } from './run.mjs'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '100000' }, from: { type: 'string', default: '1' } },
})

await script(() => {
  for (const [name, value] of Object.entries(values)) {
    if (!/^[1-9][0-9]*$/.test(value))
      throw new Error(`--${name} must be a whole number over 0, got "${value}"`)
  }
  ensureInstalled()
  process.env['SIMULATE_SEEDS'] = values.seeds
  process.env['SIMULATE_FROM'] = values.from
  const passed = runNode('node_modules/vitest/vitest.mjs', [
    'run',
    'packages/interop/test/simulation.test.ts',
    'packages/interop/test/simulation-nodes.test.ts',
  ])
  if (!passed) process.exitCode = 1
})
