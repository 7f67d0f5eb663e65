import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, posix } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { build, transform } from 'esbuild'
import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PublicPackage, publicPackages } from '../../../scripts/workspace.mjs'
import { pageEntries } from '../sizes.mjs'
import { places } from './browsers.ts'
import { type Application, createApplication, runIn } from './packed.ts'
import { mapped, servePage } from './page-by-import-map.ts'

// Our packages as users get them: packed, and installed by npm into an application of its own. Whatever is public is
// found by its manifest.

const packages = publicPackages()
const entries = packages.flatMap((each) => each.entries.map(({ name }) => name))

let made: Application | string | undefined
beforeAll(async () => {
  made = createApplication()
  if (typeof made === 'string') console.warn(`Not run: what users get. ${made}`)
}, 300_000)
afterAll(() => {
  if (typeof made === 'object') made[Symbol.dispose]()
})

/** A test within the application; without a registry it does not run, which in CI is a failure. */
function inApplication(name: string, body: (application: Application) => unknown) {
  test.concurrent(name, { timeout: 120_000 }, async ({ skip }) => {
    if (typeof made === 'object') {
      await body(made)
      return
    }
    if (process.env['CI'] === 'true') throw new Error(made)
    skip(`not run: ${made}`)
  })
}

describe.each(packages)('$name', (each: PublicPackage) => {
  inApplication(
    'brings its licence, a page to read, what it runs and its source, and nothing else',
    (app) => {
      const files = app.files(each)
      expect(
        ['LICENSE', 'README.md'].filter((file) => !files.includes(file)),
        'missing',
      ).toEqual([])
      expect(app.read(each, 'README.md')).toContain(`# ${each.name}\n`)
      const expected =
        /^(dist\/.*\.(js|d\.ts|html|css)(\.map)?|src\/.*\.(ts|tsx|html|css)|[A-Z]+(\.md)?|package\.json)$/
      expect(files.filter((file) => !expected.test(file) || /(^|[./-])(test|spec)\./.test(file))).toEqual([])
    },
  )

  inApplication('leads to files that are there, and not to our sources', (app) => {
    const manifest: PublicPackage['manifest'] & { bin?: Record<string, string> } = JSON.parse(
      app.read(each, 'package.json'),
    )
    const files = app.files(each)
    const targets = Object.values(manifest.exports ?? {}).flatMap((conditions) => Object.values(conditions))
    expect(targets.length).toBeGreaterThan(0)
    for (const target of [...targets, ...Object.values(manifest.bin ?? {})]) {
      expect(target).toMatch(/^\.\/dist\//)
      expect(files).toContain(target.slice(2))
    }
    expect(app.read(each, 'package.json')).not.toMatch(/workspace:|catalog:|@eitherway\/source/)
    expect(manifest.publishConfig, 'of publishConfig').toEqual({ access: 'public', provenance: true })
  })

  inApplication('has maps that lead to the lines of its source', (app) => {
    const files = new Set(app.files(each))
    const code = [...files].filter((file) => /^dist\/(?!page\/).*\.(js|d\.ts)$/.test(file))
    expect(code.length).toBeGreaterThan(0)
    for (const file of code) {
      const [, map = ''] = app.read(each, file).match(/^\/\/# sourceMappingURL=(.+)$/m) ?? []
      expect(files, file).toContain(posix.join(dirname(file), map))
      const { sources } = JSON.parse(app.read(each, posix.join(dirname(file), map))) as { sources: string[] }
      for (const source of sources) expect(files).toContain(posix.join(dirname(file), source))
    }
  })

  inApplication('has a manifest without fault for publint', async (app) => {
    const { messages } = await publint({ pack: { tarball: app.tarball(each).buffer }, strict: true })
    expect(messages).toEqual([])
  })

  inApplication('gives each way of importing the types of what it runs', async (app) => {
    const result = await checkPackage(createPackageFromTarballData(app.tarball(each)))
    if (result.types === false) throw new Error('no types')
    // Modules alone, which is what the profile `esm-only` of attw's program asks too.
    const isAsked = (kind: string) => kind !== 'node10' && kind !== 'node16-cjs'
    expect(
      result.problems.filter((problem) => !('resolutionKind' in problem) || isAsked(problem.resolutionKind)),
    ).toEqual([])
  })

  inApplication('asks for no newer Node than it promises', (app) => {
    for (const name of Object.keys(each.manifest.dependencies ?? {})) {
      const path = `${app.folder}/node_modules/${name}/package.json`
      const { engines } = JSON.parse(readFileSync(path, 'utf8')) as PublicPackage['manifest']
      if (name in newerInWords) expect(engines?.node).toBe(newerInWords[name])
      else expect(oldestOf(engines?.node), name).toBeLessThanOrEqual(oldestOf(each.manifest.engines?.node))
    }
  })
})

describe.skipIf(Number(process.versions.node.split('.')[0]) > 20)('on Node 20', () => {
  const complaint = /(?:package: '|node\/npm: )(@?[\w/-]+)@\d/g
  const named = (output: string) => new Set([...output.matchAll(complaint)].map(([, name]) => name))

  inApplication('npm with `engine-strict` refuses the parser, and nothing else', async (app) => {
    const { code, output } = await app.resolve('')
    expect(output).toContain('npm error code EBADENGINE')
    expect([...named(output)]).toEqual(Object.keys(newerInWords))
    expect(code, output).not.toBe(0)
  })

  inApplication('npm without it, or overruled, warns of the parser alone, and installs', async (app) => {
    const { code, output } = await app.resolve('--no-engine-strict')
    expect(output).toContain('npm warn EBADENGINE')
    expect([...named(output)]).toEqual(Object.keys(newerInWords))
    expect(code, output).toBe(0)
  })
})

/** Dependencies that say they need a newer Node, and run on ours all the same: all our tests do on the oldest. */
const newerInWords: Record<string, string> = { 'eventsource-parser': '>=22.12' }

/** The oldest major of a range of Node; 0 for any. */
const oldestOf = (range = '') => Number(/\d+/.exec(range)?.[0] ?? 0)

describe.each(places.filter(({ missing }) => !missing))('a page $where', ({ open }) => {
  inApplication('loads the client without a bundler, by the import map of the guide', async ({ folder }) => {
    const browser = await open()
    try {
      await using bench = await servePage(folder)
      for (const transport of ['sse', 'ws', 'sse+post', 'auto']) {
        const tab = await browser.newTab()
        const connected = bench.nextPeer()
        await tab.goto(bench.address(transport))
        await connected
        const shown = tab.evaluate(`new Promise((resolve) => {
          const pre = document.querySelector('pre')
          const look = () => pre.textContent !== '' && resolve(pre.textContent)
          new MutationObserver(look).observe(pre, { childList: true })
          look()
        })`)
        await bench.hub.publish('prices', { of: transport })
        expect(await shown).toBe(JSON.stringify({ of: transport }))
        const isLoaded = (name: string) =>
          tab.evaluate<boolean>(
            `performance.getEntriesByType('resource').some((entry) => entry.name.endsWith('${name}'))`,
          )
        expect(await isLoaded('/ws/dist/client.js')).toBe(transport === 'ws' || transport === 'auto')
        expect(await isLoaded('/sse/dist/client.js')).toBe(transport === 'sse' || transport === 'sse+post')
        expect(await isLoaded('/post/dist/client.js')).toBe(transport === 'sse+post')
        // Each name of the map leads to a module, and so does whatever that imports.
        const names = JSON.stringify(mapped)
        expect(
          await tab.evaluate(`Promise.all(${names}.map((name) => import(name))).then((all) => all.length)`),
        ).toBe(mapped.length)
        await tab.close()
      }
    } finally {
      await browser.close()
    }
  })
})

describe.each(entries.map((entry) => [entry]))('%s', (entry) => {
  inApplication('does nothing by being imported', async ({ folder }) => {
    // A global, a listener or a timer more would be a side effect, and the last one would hold the process.
    const program = `
      const holds = /Timeout|Immediate|TCP|UDP|Worker|Message/
      const state = () => [
        ...Reflect.ownKeys(globalThis),
        ...process.eventNames(),
        ...process.getActiveResourcesInfo().filter((name) => holds.test(name)),
      ].map(String)
      const before = state()
      const found = Object.keys(await import('${entry}'))
      console.log('new:', ...state().filter((name) => !before.includes(name)))
      console.log('exports:', found.length)`
    const { code, output } = await runIn(folder, ['--input-type=module', '--eval', program])
    expect(output).toMatch(/^new:\nexports: [1-9]\d*\n$/)
    expect(code).toBe(0)
  })

  inApplication('is what a CommonJS module may require', async ({ folder }) => {
    const program = `console.log(Object.keys(require('${entry}')).length > 0)`
    expect(await runIn(folder, ['--input-type=commonjs', '--no-warnings', '--eval', program])).toEqual({
      code: 0,
      output: 'true\n',
    })
  })

  inApplication('leaves no byte in a bundle that imports it and uses nothing', async ({ folder }) => {
    const { outputFiles } = await build({
      stdin: { contents: `import '${entry}'; import * as unused from '${entry}'`, resolveDir: folder },
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      platform: 'node',
      logLevel: 'silent',
    })
    expect(outputFiles.map(({ text }) => text).join('')).not.toContain('eitherway')
    expect(outputFiles.map(({ text }) => text.trim())).toEqual([''])
  })
})

/** A small program of an application, which runs, and which the compilers below check. */
const program = `import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from '@eitherway/client'
import { createHub, serve } from '@eitherway/server'

const hub = createHub()
const server = createServer()
serve(hub, server, { path: '/live' })
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
const port = typeof address === 'object' ? address?.port : undefined
for (const transport of ['sse', 'ws'] as const) {
  const client = connect(\`http://127.0.0.1:\${port}/live\`, { transport, channels: ['prices'] })
  const heard = new Promise((resolve) => client.on('prices', resolve))
  await new Promise((resolve) => client.onState((state) => state === 'open' && resolve(state)))
  await hub.publish('prices', { of: transport })
  console.log(JSON.stringify(await heard))
  client.close()
}
await hub.close()
server.close()
`

inApplication('a hub and its clients talk over both transports', async ({ folder, write }) => {
  write('program.mjs', (await transform(program, { loader: 'ts' })).code)
  const { code, output } = await runIn(folder, ['program.mjs'])
  expect(output).toBe('{"of":"sse"}\n{"of":"ws"}\n')
  expect(code).toBe(0)
})

/** The compilers that users may have, from the oldest on. */
const compilers = ['typescript-5.6', 'typescript-5.9', 'typescript', 'typescript-7']
const resolutions = ['nodenext', 'bundler']
// The ends of the range tell of most faults; `npm run packages` asks the rest.
const cells = compilers
  .flatMap((compiler) => resolutions.map((resolution) => ({ compiler, resolution })))
  .filter((_, at, { length }) => process.env['EITHERWAY_LONG'] === '1' || at === 0 || at === length - 1)

describe.each(cells)('types of $compiler, by $resolution', ({ compiler, resolution }) => {
  const options = {
    module: resolution === 'bundler' ? 'esnext' : resolution,
    moduleResolution: resolution,
    target: 'es2022',
    strict: true,
    noEmit: true,
    skipLibCheck: false, // what our types lean on must be there
  }

  inApplication('in Node: every export, and the program', async (app) => {
    app.write('program.mts', program)
    const name = `node-${compiler}-${resolution}`
    app.write(`${name}.ts`, importAll(entries))
    const compilerOptions = { ...options, types: ['node'] }
    app.write(`${name}.json`, JSON.stringify({ compilerOptions, files: [`${name}.ts`, 'program.mts'] }))
    expect(await compile(app, compiler, name)).toBe('')
  })

  inApplication('in a page, without the types of Node', async (app) => {
    const name = `page-${compiler}-${resolution}`
    app.write(`${name}.ts`, importAll(await pageEntries()))
    const compilerOptions = { ...options, lib: ['es2022', 'dom', 'dom.iterable'], types: [] }
    app.write(`${name}.json`, JSON.stringify({ compilerOptions, files: [`${name}.ts`] }))
    expect(await compile(app, compiler, name)).toBe('')
  })
})

const importAll = (names: readonly string[]) =>
  names.map((name, at) => `export * as entry${at} from '${name}'`).join('\n')

/** What a compiler complains about. */
async function compile({ folder }: Application, compiler: string, name: string): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve(`${compiler}/package.json`)
  const { code, output } = await runIn(folder, [`${dirname(manifest)}/bin/tsc`, '-p', `${name}.json`])
  return code === 0 ? '' : `exit ${code}: ${output}`
}
