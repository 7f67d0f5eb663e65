import { spawn, spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { contenderOf } from './contender.mjs'
import { asker } from './talk.mjs'

/**
 * A contender that runs, and its clients: a process each.
 * @typedef {object} Pair
 * @property {string} name - of its row
 * @property {import('./contender.mjs').Contender} contender
 * @property {number} port
 * @property {(name: string, options?: unknown) => Promise<any>} host - asks the server's process
 * @property {(name: string, options?: unknown) => Promise<any>} load - asks the load generator
 * @property {number} clockOffset - what to add to the server's clock to have the clients'
 * @property {(total: number) => Promise<void>} fill - opens connections until there are so many
 * @property {() => Promise<void>} empty - closes them all
 * @property {() => Promise<void>} end
 */

/**
 * A row: a contender, and where its code is taken from.
 * @typedef {object} Row
 * @property {string} name
 * @property {string} contender
 * @property {string} root
 */

/** Whether each side has a core for itself. */
export const isPinned =
  availableParallelism() > 1 && spawnSync('taskset', ['-c', '0,1', 'true'], { stdio: 'ignore' }).status === 0

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/**
 * Starts a process that answers questions, and that goes with this one.
 * @param {number} core
 * @param {string} runtime
 * @param {string[]} args
 */
export function start(core, runtime, args) {
  const [program, ...rest] = isPinned ? ['taskset', '-c', `${core}`, runtime, ...args] : [runtime, ...args]
  // JSON, which Bun speaks as well.
  const child = spawn(/** @type {string} */ (program), rest, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'json',
  })
  children.add(child)
  child.on('exit', () => children.delete(child))
  return child
}

/** @param {import('node:child_process').ChildProcess} child */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}

export const pathOf = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url))
const bun = () => createRequire(import.meta.url).resolve('bun/bin/bun.exe')

/**
 * @param {Row} row
 * @param {{ historyMessages?: number }} [options] - for ours
 * @returns {Promise<Pair>}
 */
export async function openPair({ name, contender: file, root }, options = {}) {
  const contender = await contenderOf(file)
  const hostArgs = [pathOf('host.mjs'), file, JSON.stringify({ root, ...options })]
  const isBun = contender.runtime === 'bun'
  const server = isBun ? start(0, bun(), hostArgs) : start(0, process.execPath, ['--expose-gc', ...hostArgs])
  const clients = start(1, process.execPath, [pathOf('load.mjs')])
  const host = asker(server, name)
  const load = asker(clients, `${name}'s clients`)
  const { port, controlPort } = await host('ports')
  await load('control', { port: controlPort })
  const { dialect, other } = contender
  return {
    name,
    contender,
    port,
    host,
    load,
    clockOffset: isBun ? await clockOffset(host) : 0,
    fill: (total) => load('connect', { port, dialect, other, total }),
    async empty() {
      await load('leave')
      for (const end = Date.now() + 10_000; (await host('peers')) > 0; ) {
        if (Date.now() > end) throw new Error(`${name} keeps clients that are gone`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    async end() {
      await Promise.all([stop(server), stop(clients)])
    },
  }
}

/**
 * How far a clock of another process is behind ours, by the quickest of many questions. Node's clock is the system's;
 * Bun's begins with the process.
 * @param {Pair['host']} host
 */
async function clockOffset(host) {
  let best = { took: Number.POSITIVE_INFINITY, offset: 0 }
  for (let round = 0; round < 100; round++) {
    const asked = Number(process.hrtime.bigint())
    const theirs = await host('clock')
    const took = Number(process.hrtime.bigint()) - asked
    if (took < best.took) best = { took, offset: asked + took / 2 - theirs }
  }
  return Math.round(best.offset)
}
