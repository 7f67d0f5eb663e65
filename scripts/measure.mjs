import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { root } from './run.mjs'

/** Two minutes are what it takes; a machine may be slow, and must not hang. */
const limitMs = 4 * 60_000
/** For the tables of what it has measured by then. */
const graceMs = 10_000

/** Ours and the controls that it is compared with. */
const contenders = ['raw-net', 'bare-ws', 'ours-ws', 'bare-http', 'ours-sse', 'bare-both', 'ours-both']

/**
 * Runs the bench, quick, for whoever reads the output: it is information, so nothing that goes wrong in it is a failure.
 * @returns {Promise<void>}
 */
export function measure() {
  const args = ['scripts/bench.mjs', '--quick', '--contenders', contenders.join()]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'pipe'] })
  let reason = 'it said nothing'
  createInterface({ input: child.stderr }).on('line', (line) => {
    console.error(line)
    reason = line
  })
  const limit = setTimeout(() => {
    child.kill('SIGTERM')
    setTimeout(() => child.kill('SIGKILL'), graceMs).unref()
  }, limitMs)
  return new Promise((resolve) => {
    const end = (/** @type {string | undefined} */ failure) => {
      clearTimeout(limit)
      if (failure !== undefined) console.log(`bench: not measured: ${failure}`)
      resolve()
    }
    child.on('error', (error) => end(error.message))
    // Whoever holds our end of the pipe after that does not hold us.
    child.on('exit', () => setTimeout(() => child.stderr.destroy(), 2000).unref())
    child.on('close', (code, signal) => {
      if (child.killed) end(`it took longer than ${limitMs / 60_000} minutes`)
      else end(code === 0 ? undefined : `${reason} (${signal ?? `exit ${code}`})`)
    })
  })
}
