import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ensureInstalled } from './install.mjs'
import { root, runNode, script } from './run.mjs'

await script(() => {
  ensureInstalled()
  if (!runNode('node_modules/typescript/bin/tsc', ['-b', 'tsconfig.build.json']))
    throw new Error('tsc -b failed')
  const page = 'packages/compare/build.mjs'
  if (existsSync(join(root, page)) && !runNode(page)) throw new Error(`${page} failed`)
})
