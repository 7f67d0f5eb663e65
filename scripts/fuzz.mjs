import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './install.mjs'
import { root, script } from './run.mjs'

await script(() => {
  ensureInstalled()
  const hooks = new URL('./register.mjs', import.meta.url)
  // Of our packages the sources, so that what is covered is counted in them.
  const options = ['--expose-gc', '--conditions=@eitherway/source', '--import', hooks.href]
  const main = fileURLToPath(new URL('../packages/interop/test/fuzz/main.ts', import.meta.url))
  const { status } = spawnSync(process.execPath, [...options, main, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
})
