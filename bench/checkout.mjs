import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** @param {string[]} args */
function git(args) {
  const { status, stdout, stderr, error } = spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args[0]}: ${error?.message ?? stderr.trim()}`)
  return stdout.trim()
}

/** @returns {string} the commit that is measured, `+` where files differ from it */
export function here() {
  return `${git(['rev-parse', '--short', 'HEAD'])}${git(['status', '--porcelain']) === '' ? '' : '+'}`
}

/**
 * Checks a commit out into a folder of its own and builds it there. The folder goes when this process ends.
 * @param {string} ref
 * @returns {string} the folder
 */
export function checkOut(ref) {
  const found = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], {
    cwd: root,
    encoding: 'utf8',
  })
  if (found.status !== 0) throw new Error(`--against must be a commit; git knows none by "${ref}"`)
  const folder = join(mkdtempSync(join(tmpdir(), 'eitherway-bench-')), 'checkout')
  process.on('exit', () => {
    spawnSync('git', ['worktree', 'remove', '--force', folder], { cwd: root, stdio: 'ignore' })
    rmSync(join(folder, '..'), { recursive: true, force: true })
  })
  git(['worktree', 'add', '--detach', folder, found.stdout.trim()])
  const built = spawnSync(process.execPath, ['scripts/build.mjs'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (built.status !== 0 || !existsSync(join(folder, 'packages/server/dist/index.js')))
    throw new Error(`${ref} cannot be built: see above`)
  return folder
}
