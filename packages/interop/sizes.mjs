// What a page downloads of ours: `node packages/interop/sizes.mjs` prints it piece by piece. The budgets are in
// docs/guides/sizes.md, and test/sizes.test.ts holds them.
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const here = fileURLToPath(new URL('.', import.meta.url))
const packages = fileURLToPath(new URL('..', import.meta.url))
const page = 'interop/page.js'

/**
 * What a page needs for some code, or for a part of it that is imported later.
 *
 * @typedef {object} Download
 * @property {number} bytes - of its scripts, each by gzip.
 * @property {ReadonlyMap<string, number>} pieces - minified bytes by source file, e.g. `core/src/queue.ts`.
 */

/**
 * Bundles a page's code for browsers as applications do: minified, and split where it imports later.
 *
 * @param {string} code
 * @returns {Promise<{ first: Download, with: (subpaths: readonly string[]) => Download }>} what the page downloads at first,
 * and what with these subpaths of ours, e.g. `sse/client`, imported later.
 */
export async function bundlePage(code) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: here, sourcefile: 'page.js' },
    absWorkingDir: packages,
    outdir: '/page',
    bundle: true,
    splitting: true,
    write: false,
    minify: true,
    metafile: true,
    platform: 'browser',
    format: 'esm',
    conditions: ['@eitherway/source'],
    // What an application has anyway, a framework say.
    external: manifests().flatMap(({ peerDependencies = {} }) => Object.keys(peerDependencies)),
    logLevel: 'silent',
  })
  const { outputs } = metafile
  const sizes = new Map(
    outputFiles.map(({ path, contents }) => [nameOf(path), gzipSync(contents, { level: 9 }).byteLength]),
  )

  /** @param {readonly string[]} entries - paths of sources. @returns {Download} */
  function download(entries) {
    /** @type {Set<string>} */
    const needed = new Set()
    /** @param {string} path */
    const need = (path) => {
      if (needed.has(path)) return
      needed.add(path)
      for (const { kind, path: imported, external } of outputs[path]?.imports ?? []) {
        if (kind === 'import-statement' && external !== true) need(imported)
      }
    }
    for (const entry of entries) {
      const found = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === entry)
      if (found === undefined) throw new Error(`nothing imports ${entry}`)
      need(found[0])
    }
    /** @type {Map<string, number>} */
    const pieces = new Map()
    let bytes = 0
    for (const path of needed) {
      bytes += sizes.get(nameOf(path)) ?? 0
      for (const [input, { bytesInOutput }] of Object.entries(outputs[path]?.inputs ?? {})) {
        if (bytesInOutput > 0) pieces.set(pieceOf(input), (pieces.get(pieceOf(input)) ?? 0) + bytesInOutput)
      }
    }
    return { bytes, pieces }
  }

  return {
    first: download([page]),
    with: (subpaths) => download([page, ...subpaths.map((subpath) => `${subpath.replace('/', '/src/')}.ts`)]),
  }
}

/** @param {string} path */
const nameOf = (path) => path.replace(/^.*[\\/]/, '')
/** @param {string} input */
const pieceOf = (input) => input.replace(/^.*node_modules\//, '')

/** Every subpath of ours that a page can import, e.g. `@eitherway/sse/client`: one that needs Node is none. */
export async function pageEntries() {
  const entries = []
  for (const { name, private: isPrivate, exports = {} } of manifests()) {
    // The lab is a program, and the suites are for tests.
    if (isPrivate || name === '@eitherway/compare') continue
    for (const subpath of Object.keys(exports)) {
      const entry = name + subpath.slice(1)
      if (subpath !== './testing' && (await isForPages(entry))) entries.push(entry)
    }
  }
  return entries.sort()
}

/** @param {string} entry */
async function isForPages(entry) {
  try {
    await bundlePage(`export * from '${entry}'`)
    return true
  } catch (error) {
    const missing = [...String(error).matchAll(/Could not resolve "([^"]+)"/g)]
    if (missing.some(([, name = '']) => isBuiltin(name))) return false
    throw error
  }
}

/** @returns {{ name: string, private?: boolean, exports?: object, peerDependencies?: object }[]} */
function manifests() {
  return readdirSync(packages).map((folder) =>
    JSON.parse(readFileSync(`${packages}${folder}/package.json`, 'utf8')),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const both = await bundlePage(`import { connect } from '@eitherway/client'; globalThis.connect = connect`)
  const { bytes, pieces } = both.with(['sse/client', 'ws/client'])
  console.log(`connect with both transports: ${bytes} bytes by gzip; minified bytes by file:`)
  for (const [piece, size] of [...pieces].sort((a, b) => b[1] - a[1])) {
    console.log(`${String(size).padStart(7)}  ${piece}`)
  }
}
