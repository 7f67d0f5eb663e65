import { existsSync, readdirSync } from 'node:fs'
import { register } from 'node:module'
import { join, resolve } from 'node:path'
import { ensureInstalled } from './install.mjs'
import { become, root, runNode, script } from './run.mjs'

const [name = '', ...args] = process.argv.slice(2)
const names = readdirSync(join(root, 'examples'))
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.slice(0, -'.js'.length))

let program = ''
await script(() => {
  program = programOf(name)
  ensureInstalled()
  if (
    !runNode('node_modules/typescript/bin/tsc', [
      '-b',
      'packages/client',
      'packages/server',
      'packages/redis',
    ])
  ) {
    throw new Error('tsc -b failed')
  }
})
// Stacks name the lines of the source.
process.setSourceMapsEnabled(true)
register('./hooks.mjs', import.meta.url)
await become(program, args)

/**
 * A number and a name are ours; a path is from where npm was called, or from the root.
 * @param {string} name
 */
function programOf(name) {
  if (names.includes(name)) return join(root, `examples/${name}.js`)
  const isPath = /\.[cm]?[jt]s$/.test(name)
  const path = [process.env['INIT_CWD'] ?? root, root]
    .map((folder) => resolve(folder, name))
    .find((path) => isPath && existsSync(path))
  if (path !== undefined) return path
  if (isPath) throw new Error(`there is no ${name} to run`)
  throw new Error(
    `which example? One of these, after \`npm run example\`: ${names.join(', ')}; or the path of a .js or .ts file of your own`,
  )
}
