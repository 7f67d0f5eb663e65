import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { pnpm } from '../../../scripts/install.mjs'
import { runNode } from '../../../scripts/run.mjs'
import { type PublicPackage, publicPackages } from '../../../scripts/workspace.mjs'

/** An application in a folder of its own that has our packages as users get them. */
export interface Application {
  readonly folder: string
  /** The bytes that would be published. */
  tarball(each: PublicPackage): Uint8Array<ArrayBuffer>
  /** Paths of all files of a package, with `/`. */
  files(each: PublicPackage): string[]
  /** The text of a package's file. */
  read(each: PublicPackage, file: string): string
  write(name: string, text: string): void
  /** What npm says of the same application where `engine-strict` is set, without installing it. */
  resolve(flags: string): Promise<Outcome>
  [Symbol.dispose](): void
}

/**
 * Compiles and packs every public package, and installs them by npm into an empty application.
 * @returns a sentence instead, where npm cannot get what our packages depend on.
 */
export function createApplication(): Application | string {
  // Not the lab's page as well, which other tests are reading.
  if (!runNode('node_modules/typescript/bin/tsc', ['-b', 'tsconfig.build.json']))
    throw new Error('tsc -b failed')
  const packages = publicPackages()
  const folder = mkdtempSync(join(tmpdir(), 'eitherway-packed-'))
  const tarballs = join(folder, 'tarballs')
  mkdirSync(tarballs)
  const filters = packages.flatMap(({ name }) => ['--filter', name])
  const packed = pnpm(['--recursive', ...filters, 'pack', '--pack-destination', tarballs], { stdio: 'pipe' })
  if (packed.status !== 0) throw new Error(`pnpm pack failed: ${packed.stdout}${packed.stderr}`)

  const tarballOf = ({ name, manifest }: PublicPackage) =>
    join(tarballs, `${name.slice(1).replace('/', '-')}-${manifest.version}.tgz`)
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write(
    'package.json',
    JSON.stringify({
      private: true,
      type: 'module',
      dependencies: Object.fromEntries(packages.map((each) => [each.name, `file:${tarballOf(each)}`])),
      devDependencies: typesFor(packages),
    }),
  )
  const { status, stdout, stderr, error } = spawnSync(install, {
    cwd: folder,
    shell: true,
    encoding: 'utf8',
    env: bare(),
    timeout: 240_000,
  })
  if (status !== 0) {
    rmSync(folder, { recursive: true })
    const said = `\`${install}\` of the packed packages failed: ${error?.message ?? ''}${stderr}${stdout}`
    // Anything else than a registry out of reach is a fault of what was packed.
    if (!/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED/.test(said)) throw new Error(said)
    return said
  }

  const home = ({ name }: PublicPackage) => join(folder, 'node_modules', name)
  return {
    folder,
    tarball: (each) => new Uint8Array(readFileSync(tarballOf(each))),
    files: (each) =>
      readdirSync(home(each), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) =>
          join(entry.parentPath, entry.name)
            .slice(home(each).length + 1)
            .replaceAll(sep, '/'),
        )
        .filter((path) => !path.startsWith('node_modules/'))
        .sort(),
    read: (each, file) => readFileSync(join(home(each), file), 'utf8'),
    write,
    async resolve(flags) {
      const apart = mkdtempSync(join(tmpdir(), 'eitherway-resolved-'))
      try {
        copyFileSync(join(folder, 'package.json'), join(apart, 'package.json'))
        writeFileSync(join(apart, '.npmrc'), 'engine-strict=true\n')
        const command = `${install} --package-lock-only ${flags}`
        return await outcomeOf(spawn(command, { cwd: apart, shell: true, env: bare(), timeout: 60_000 }))
      } finally {
        rmSync(apart, { recursive: true })
      }
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

const install =
  'npm install --prefer-offline --no-audit --no-fund --ignore-scripts --fetch-retries=1 --fetch-retry-mintimeout=1000'

/** This environment without what npm hands down to scripts, which would be settings of this one. */
const bare = () => Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))

/** The types that an application adds: those of Node, and of what a package takes from the application. */
function typesFor(packages: readonly PublicPackage[]): Record<string, string> {
  const types = ['node']
  for (const { manifest } of packages) {
    for (const peer of Object.keys(manifest.peerDependencies ?? {})) {
      if (manifest.devDependencies?.[`@types/${peer}`] !== undefined) types.push(peer)
    }
  }
  return Object.fromEntries(types.map((name) => [`@types/${name}`, versionOf(`@types/${name}`)]))
}

function versionOf(name: string): string {
  const catalog = readFileSync(new URL('../../../pnpm-workspace.yaml', import.meta.url), 'utf8')
  const [, version = '*'] = catalog.match(new RegExp(`^ +'?${name}'?: ([^ \\n]+)`, 'm')) ?? []
  return version
}

/** What a program said, and how it ended. */
export interface Outcome {
  readonly code: number | null
  readonly output: string
}

/** Runs a program of Node in a folder, to its end or for a minute. */
export function runIn(folder: string, args: readonly string[]): Promise<Outcome> {
  return outcomeOf(spawn(process.execPath, args, { cwd: folder, timeout: 60_000 }))
}

function outcomeOf(child: ChildProcessWithoutNullStreams): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}
