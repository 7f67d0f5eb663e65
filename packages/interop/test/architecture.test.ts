import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix, sep } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { root } from '../../../scripts/run.mjs'
import { publicPackages } from '../../../scripts/workspace.mjs'

// Which file may import which. Paths are from the root of the repository, with `/`. That no file leads back to itself, and
// that core touches no clock and no randomness, is Biome's to tell.

const packages = publicPackages()
const entries = new Map(packages.flatMap((each) => each.entries.map(({ name, source }) => [name, source])))

/** What each file of a folder imports, in code, as a type or later on. */
function importsIn(folder: string): Map<string, string[]> {
  const files = readdirSync(join(root, folder), { recursive: true })
    .map((name) => posix.join(folder, String(name).replaceAll(sep, '/')))
    .filter((path) => /\.(ts|tsx|js|mjs)$/.test(path) && !/\/(node_modules|dist|scratch)\//.test(path))
  return new Map(
    files.map((path) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(root, path), 'utf8'), true, true)
      return [path, importedFiles.map(({ fileName }) => fileName)]
    }),
  )
}

const sources = new Map(
  packages
    .flatMap(({ folder }) => [...importsIn(`packages/${folder}/src`)])
    .sort(([a], [b]) => (a < b ? -1 : 1)),
)

/** The file of ours that an import leads to; none for what is Node's or others'. */
function targetOf(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : entries.get(specifier)
}

const packageOf = (path: string) => path.split('/')[1] ?? ''

/**
 * The packages of ours that each may import. One that is not named here stands above all of these: it may import any of
 * them, and none of them imports it.
 */
const below: Record<string, readonly string[]> = {
  core: [],
  sse: ['core'],
  ws: ['core'],
  redis: ['core'],
  post: ['core', 'sse'],
  client: ['core', 'sse', 'ws', 'post'],
  server: ['core', 'sse', 'ws', 'post'],
}

describe('imports run one way', () => {
  test('each package imports only what stands below it', () => {
    const wrong: string[] = []
    for (const [path, imports] of sources) {
      for (const specifier of imports) {
        const [, imported] = /^@eitherway\/([^/]+)/.exec(specifier) ?? []
        const allowed = below[packageOf(path)]
        if (imported === undefined || allowed === undefined || allowed.includes(imported)) continue
        const may = allowed.length === 0 ? 'none of our packages' : allowed.join(', ')
        wrong.push(`${path} imports ${specifier}: ${packageOf(path)} may import ${may}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('a file leaves its package by what the other one exports, and not by a path', () => {
    const wrong: string[] = []
    for (const [path, imports] of sources) {
      for (const specifier of imports) {
        const target = targetOf(path, specifier)
        if (specifier.startsWith('@eitherway/') && target === undefined) {
          wrong.push(`${path} imports ${specifier}, which nothing exports`)
        } else if (specifier.startsWith('.') && packageOf(target ?? '') !== packageOf(path)) {
          wrong.push(`${path} imports ${specifier}: name the package`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('a package imports nothing that its users would not install', () => {
    const wrong: string[] = []
    for (const { name, folder, manifest } of packages) {
      const installed = new Set(
        [manifest.dependencies, manifest.peerDependencies].flatMap((each) => Object.keys(each ?? {})),
      )
      for (const [path, imports] of sources) {
        // What goes into the page is bundled.
        if (packageOf(path) !== folder || path.includes('/src/page/')) continue
        for (const specifier of imports.filter((each) => !each.startsWith('.') && !isBuiltin(each))) {
          const [dependency = ''] = /^(@[^/]+\/)?[^/]+/.exec(specifier) ?? []
          if (!installed.has(dependency)) wrong.push(`${path} imports ${specifier}: no dependency of ${name}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('the suites are for tests', () => {
    const wrong = [...sources, ...importsIn('examples'), ...importsIn('scripts')]
      .filter(([path]) => !/\/(test|testing)\/|\.test\.ts$/.test(path))
      .flatMap(([path, imports]) =>
        imports
          .filter((each) => (targetOf(path, each) ?? '').includes('/src/testing/'))
          .map((each) => `${path} imports ${each}`),
      )
    expect(wrong).toEqual([])
  })
})

describe('Node stays out of browsers', () => {
  // Whatever does not say that it needs Node's types, and of what does, the parts that pages use.
  const forPages = packages.flatMap(({ folder, entries }) => {
    const { compilerOptions = {} } = ts.readConfigFile(
      join(root, 'packages', folder, 'tsconfig.json'),
      (path) => readFileSync(path, 'utf8'),
    ).config as { compilerOptions?: { types?: string[] } }
    const needsNode = compilerOptions.types?.includes('node') === true
    return entries.filter(({ name }) => !needsNode || /\/(client|codec)$/.test(name))
  })

  test.each(forPages.map(({ name, source }) => [name, source]))('%s', (_, source) => {
    const wrong: string[] = []
    const seen = new Set<string>()
    const visit = (path: string, way: readonly string[]) => {
      if (seen.has(path)) return
      seen.add(path)
      for (const specifier of sources.get(path) ?? []) {
        if (isBuiltin(specifier)) wrong.push(`${[...way, path].join(' -> ')} imports ${specifier}`)
        const target = targetOf(path, specifier)
        if (target !== undefined) visit(target, [...way, path])
      }
    }
    visit(source, [])
    expect(seen.size).toBeGreaterThan(0)
    expect(wrong).toEqual([])
  })
})

test('sse and ws have the same files', () => {
  const filesOf = (folder: string) =>
    [...sources.keys()].filter((path) => packageOf(path) === folder).map((path) => path.split('/src/')[1])
  expect(filesOf('sse').length).toBeGreaterThan(0)
  expect(filesOf('sse')).toEqual(filesOf('ws'))
})

/** Longer than 400 lines, and why. */
const long: Record<string, string> = {
  'packages/core/src/testing/attacks.ts': 'a table',
  'packages/core/src/testing/network.ts': 'one network, whose faults share its state',
  'packages/core/src/testing/transport-suite.ts': 'one test after the other',
  'packages/compare/src/recommend.ts': 'rules, one after the other',
  'packages/compare/src/scenarios/care.ts': 'texts of the lab',
  'packages/compare/src/target.ts': 'one program from its options to its report',
}

test('no file is longer than 400 lines, but for those that have a reason', () => {
  const lengths = [...sources.keys()].map((path) => ({
    path,
    lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1,
  }))
  expect(lengths.filter(({ path, lines }) => lines > 400 && !(path in long))).toEqual([])
  for (const path of Object.keys(long)) {
    expect(existsSync(join(root, path)), `${path}, which has a reason to be long, is gone`).toBe(true)
    expect(
      lengths.find((each) => each.path === path)?.lines,
      `${path} needs no reason any more`,
    ).toBeGreaterThan(400)
  }
})
