import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** A script that runs a program of `programs/` with these settings, and needs nothing else: `module` for Bun and Deno. */
export async function bundle(
  program: string,
  settings: object,
  platform: 'browser' | 'node' | 'module',
  alias: Record<string, string> = {},
): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { start } from './${program}.ts'; void start(${JSON.stringify(settings)})`,
      resolveDir: fileURLToPath(new URL('programs', import.meta.url)),
    },
    bundle: true,
    write: false,
    platform: platform === 'browser' ? 'browser' : 'node',
    format: platform === 'node' ? 'cjs' : 'esm',
    // On runtimes with a WebSocket of their own nobody asks for it.
    external: platform === 'module' ? ['ws'] : [],
    conditions: ['@eitherway/source'],
    // What an alias stands for is a dependency of this package.
    alias,
    absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
  })
  return outputFiles[0]!.text
}
