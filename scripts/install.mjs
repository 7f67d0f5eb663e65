import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'

const stamp = join(root, 'node_modules/.eitherway')

/** Installs the dependencies, unless those that the lock file names are here already. */
export function ensureInstalled() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Error(`Node ${process.versions.node} is too old: Eitherway needs Node 20.19 or later`)
  }
  const wanted = fingerprint()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return

  console.log('Installing the dependencies')
  const { status, error, stdout, stderr } = pnpm(['install', '--frozen-lockfile', '--prefer-offline'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (status !== 0)
    throw new Error(`${stdout}${stderr}pnpm install failed: ${error?.message ?? `exit ${status}`}`)
  writeFileSync(stamp, wanted)
}

/**
 * Runs the pinned pnpm, which nobody need have.
 * @param {string[]} args
 * @param {{ stdio: import('node:child_process').StdioOptions, timeoutMs?: number }} options
 */
export function pnpm(args, { stdio, timeoutMs = 15 * 60_000 }) {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return spawnSync('npx', ['--yes', packageManager, ...args], {
    cwd: root,
    stdio,
    encoding: 'utf8',
    timeout: timeoutMs,
    shell: process.platform === 'win32', // npx is a .cmd file there
  })
}

/** Changes whenever an install could give something else. */
function fingerprint() {
  const packages = readdirSync(join(root, 'packages'))
    .sort()
    .map((name) => `packages/${name}/package.json`)
  const hash = createHash('sha256')
  const files = [
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'package.json',
    'bench/package.json',
    'examples/package.json',
    ...packages,
  ]
  for (const file of files) {
    if (existsSync(join(root, file))) hash.update(file).update(readFileSync(join(root, file)))
  }
  return hash.digest('hex')
}
