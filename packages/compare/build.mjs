import { copyFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const source = fileURLToPath(new URL('src/page/', import.meta.url))
const target = fileURLToPath(new URL('dist/page/', import.meta.url))

rmSync(target, { recursive: true, force: true }) // or chunks of earlier builds would stay
await build({
  entryPoints: [`${source}main.ts`, `${source}style.css`],
  outdir: target,
  bundle: true,
  format: 'esm',
  splitting: true, // each transport is loaded when it is chosen
  minify: true,
  target: 'es2022',
  platform: 'browser',
  conditions: ['@eitherway/source'],
  logLevel: 'warning',
})
copyFileSync(`${source}index.html`, `${target}index.html`)
