import { copyFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const source = fileURLToPath(new URL('src/page/', import.meta.url))

/** @satisfies {import('esbuild').BuildOptions} */
const options = {
  bundle: true,
  format: 'esm',
  minify: true,
  target: 'es2022',
  platform: 'browser',
  conditions: ['@eitherway/source'],
  logLevel: 'warning',
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const target = fileURLToPath(new URL('dist/page/', import.meta.url))
  rmSync(target, { recursive: true, force: true }) // or chunks of earlier builds would stay
  await build({
    ...options,
    entryPoints: [`${source}main.ts`, `${source}style.css`],
    outdir: target,
    splitting: true, // each transport is loaded when it is chosen
  })
  copyFileSync(`${source}index.html`, `${target}index.html`)
  await buildRunner(target)
}

/**
 * The page that runs scenarios: one script, since its stage serves no other.
 * @param {string} target - a folder, with a slash at its end.
 */
export async function buildRunner(target) {
  await build({ ...options, entryPoints: [`${source}runner.ts`], outdir: target })
  copyFileSync(`${source}runner.html`, `${target}runner.html`)
}
