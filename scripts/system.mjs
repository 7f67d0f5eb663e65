import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * What the tests use and npm does not bring. Each part can be missing: then its tests do not run.
 * @typedef {{ name: string, enables: string, packages: string[], present: () => boolean }} Part
 * @type {Part[]}
 */
const parts = [
  {
    name: 'chromium',
    enables: 'tests in Chromium',
    packages: ['chromium'],
    present: () => onPath('chromium'),
  },
  {
    name: 'firefox',
    enables: 'tests in Firefox',
    packages: ['firefox-esr'],
    present: () => onPath('firefox-esr'),
  },
  {
    name: 'curl',
    enables: 'tests with curl',
    packages: ['curl'],
    present: () => onPath('curl'),
  },
  {
    name: 'nginx',
    enables: 'tests through nginx',
    packages: ['nginx'],
    present: () => onPath('nginx'),
  },
  {
    name: 'haproxy',
    enables: 'tests through HAProxy',
    packages: ['haproxy'],
    present: () => onPath('haproxy'),
  },
  {
    name: 'redis',
    enables: 'tests with Redis',
    packages: ['redis-server'],
    present: () => onPath('redis-server'),
  },
  {
    // Debian's packages belong to /usr/bin/python3, which need not be the first `python3` in the PATH.
    name: 'python',
    enables: 'tests with Python clients and servers',
    packages: ['python3', 'python3-websockets', 'python3-fastapi', 'python3-uvicorn', 'python3-requests'],
    present: () => succeeds('/usr/bin/python3', ['-c', 'import websockets, fastapi, uvicorn, requests']),
  },
]

/** Names of the parts that are here. */
export function presentParts() {
  return parts.filter((part) => part.present()).map(({ name }) => name)
}

/**
 * Installs the missing parts where that is possible, and says what will not run where it is not.
 * The tests read what is here from `EITHERWAY_PARTS`, names with commas between them.
 * @param {{ install: boolean }} options
 */
export function ensureSystem({ install }) {
  let missing = parts.filter((part) => !part.present())
  if (missing.length > 0 && install && process.getuid?.() === 0 && onPath('apt-get')) {
    installPackages(missing.flatMap(({ packages }) => packages))
    missing = missing.filter((part) => !part.present())
  }
  const present = parts.filter((part) => !missing.includes(part))
  process.env['EITHERWAY_PARTS'] = present.map(({ name }) => name).join()
  if (missing.length === 0) return

  const packages = missing.flatMap((part) => part.packages).join(' ')
  if (process.env['CI'] === 'true')
    throw new Error(`CI lacks system packages: one of ${packages} could not be installed`)
  console.log(`Will not run: ${missing.map(({ enables }) => enables).join(', ')}`)
  console.log(`To run them: sudo apt-get install --no-install-recommends ${packages}`)
}

/** @param {string[]} packages */
function installPackages(packages) {
  console.log(`Installing system packages, which can take minutes: ${packages.join(' ')}`)
  const aptGet = (/** @type {string[]} */ args, /** @type {number} */ minutes) =>
    spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: minutes * 60_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  aptGet(['update'], 5) // one dead mirror fails it, though the install may well succeed
  const { status, error, stderr } = aptGet(['install', '-y', '--no-install-recommends', ...packages], 20)
  if (status !== 0) console.error(`apt-get install failed: ${error?.message ?? stderr.trim()}`)
}

/** @param {string} command */
function onPath(command) {
  // Servers live in `sbin`, which is not in everybody's PATH.
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'].some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false // not in this folder
    }
  })
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 60_000 }).status === 0
}
