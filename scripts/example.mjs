import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ensureInstalled } from './install.mjs'
import { become, root, runNode, script } from './run.mjs'

const [name = '', ...args] = process.argv.slice(2)
const names = readdirSync(join(root, 'examples'))
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.slice(0, -'.js'.length))

await script(() => {
  if (!names.includes(name)) {
    throw new Error(`which example? One of these, after \`npm run example\`: ${names.join(', ')}`)
  }
  ensureInstalled()
  if (!runNode('node_modules/typescript/bin/tsc', ['-b', 'packages/client', 'packages/server'])) {
    throw new Error('tsc -b failed')
  }
  return become(`examples/${name}.js`, args)
})
