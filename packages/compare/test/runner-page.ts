import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildRunner } from '../build.mjs'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { stageProgram } from './program.ts'

/** A stage with the page of the runner, both from their sources, so that a test needs no build. */
export async function stageWithRunner(
  settings: { readonly secure?: boolean; readonly allowed?: readonly string[] } = {},
): Promise<SpawnedStage> {
  const program = await stageProgram()
  const folder = await mkdtemp(join(fileURLToPath(new URL('../node_modules/', import.meta.url)), '.page-'))
  const page = pathToFileURL(`${folder}/`)
  await buildRunner(fileURLToPath(page))
  const stage = await spawnStage({ ...settings, program, page })
  return {
    ...stage,
    async close() {
      await stage.close()
      await rm(new URL('.', program), { recursive: true })
      await rm(page, { recursive: true })
    },
  }
}
