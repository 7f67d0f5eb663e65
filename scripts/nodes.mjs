// The suites of the packages on other versions of Node, which npm brings: `npm run test:nodes -- 22 24`.
import { spawnSync } from 'node:child_process'
import { ensureInstalled } from './install.mjs'
import { script } from './run.mjs'

const versions = process.argv.slice(2)
const packages = ['core', 'sse', 'ws', 'post', 'client', 'server', 'redis', 'react'].map(
  (name) => `packages/${name}/`,
)

await script(() => {
  ensureInstalled()
  for (const version of versions.length > 0 ? versions : ['22', '24', '26']) {
    console.log(`\nNode ${version}`)
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--typecheck.enabled=false', ...packages]
    const { status } = spawnSync('npx', ['--yes', '-p', `node@${version}`, 'node', ...vitest], {
      stdio: 'inherit',
    })
    if (status !== 0) process.exitCode = 1
  }
})
