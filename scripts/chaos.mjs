import { parseArgs } from 'node:util'
import { ensureInstalled } from './install.mjs'
import { runNode, script } from './run.mjs'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '200' },
  },
})

await script(() => {
  for (const [name, value] of Object.entries(values)) {
    if (!/^[1-9][0-9]*$/.test(value))
      throw new Error(`--${name} must be a whole number over 0, got "${value}"`)
    process.env[`CHAOS_${name.toUpperCase()}`] = value
  }
  ensureInstalled()
  const passed = runNode('node_modules/vitest/vitest.mjs', ['run', 'packages/redis/test/chaos.test.ts'])
  if (!passed) process.exitCode = 1
})
