import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The root of the repository; every command runs there. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Runs a Node program with our own output, and says whether it succeeded.
 * Programs are named by path, not by `node_modules/.bin`, whose files need a shell on Windows.
 * @param {string} program
 * @param {string[]} [args]
 */
export function runNode(program, args = []) {
  const timeout = 40 * 60_000 // longer than any step takes, shorter than any CI waits
  const { status, error } = spawnSync(process.execPath, [program, ...args], {
    cwd: root,
    stdio: 'inherit',
    timeout,
  })
  if (error) console.error(`${program}: ${error.message}`)
  return status === 0
}

/**
 * Goes on as another program, in this process: arguments, input, output, signals, the exit code and what Node prints of
 * its errors are the program's own. So it must not be called within `script`.
 * @param {string} program - its path, from the root where it is relative
 * @param {string[]} args
 */
export async function become(program, args) {
  // npm passes a SIGTERM on to its shell only: the shell dies, and we would live on with the port.
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && process.kill(process.pid, 'SIGTERM'), 250).unref()
  const main = resolve(root, program)
  process.argv = [process.execPath, main, ...args]
  await import(pathToFileURL(main).href)
}

/**
 * The entry of a script: a failure is one line, not a stack.
 * @param {() => unknown} main
 */
export async function script(main) {
  try {
    await main()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}
