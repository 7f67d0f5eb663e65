import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { root } from './run.mjs'

const examples = pathToFileURL(join(root, 'examples/package.json')).href

/**
 * A program finds our packages wherever it lies.
 * @type {import('node:module').ResolveHook}
 */
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context)
  } catch (error) {
    if (!specifier.startsWith('@eitherway/')) throw error
    return next(specifier, { ...context, parentURL: examples })
  }
}

/**
 * Strips types, which Node does by itself from 22.18 on.
 * @type {import('node:module').LoadHook}
 */
export async function load(url, context, next) {
  if (!url.startsWith('file:') || !/\.m?ts$/.test(url)) return next(url, context)
  // The lab brings it: it is no dependency of the root.
  const { transform } = createRequire(join(root, 'packages/compare/package.json'))('esbuild')
  const path = fileURLToPath(url)
  const { code } = await transform(await readFile(path, 'utf8'), {
    loader: 'ts',
    target: 'node20',
    sourcemap: 'inline',
    sourcefile: path,
  })
  return { format: 'module', source: code, shortCircuit: true }
}
