import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

/** The stage's program from its sources, so that a test needs no build. It lies where its packages are found. */
export async function stageProgram(): Promise<URL> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../src/stage/main.ts', import.meta.url))],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['ws', 'eventsource', 'selfsigned'],
    conditions: ['@eitherway/source'],
  })
  const folder = await mkdtemp(join(fileURLToPath(new URL('../node_modules/', import.meta.url)), '.stage-'))
  const file = join(folder, 'main.mjs')
  await writeFile(file, outputFiles[0]?.text ?? '')
  return pathToFileURL(file)
}
