import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { listen } from './contender.mjs'

/**
 * What spreads messages over nodes by Redis: a file in nodes/, run twice by noding.mjs, in processes of their own.
 * @typedef {object} NodeContender
 * @property {string} title
 * @property {'control' | 'ours' | 'peer'} kind
 * @property {(options: NodeOptions) => Promise<{ publish: (data: string) => Promise<unknown> | undefined }>} open
 *
 * @typedef {object} NodeOptions
 * @property {number} port - of Redis
 * @property {'publishes' | 'hears'} role
 * @property {(data: string) => void} heard
 * @property {string} root - the checkout that ours is taken from
 */

/** Every one, in the order of the tables. */
export const nodeNames = /** @type {const} */ (['bare', 'socket.io', 'ours', 'ours-publisher'])

/**
 * @param {string} name
 * @returns {Promise<NodeContender>}
 */
export async function nodeContenderOf(name) {
  return (await import(new URL(`./nodes/${name}.mjs`, import.meta.url).href)).default
}

/**
 * Starts a Redis of its own in an empty folder, that keeps nothing on disk.
 * @returns {Promise<{ port: number, end: () => Promise<void> }>}
 */
export async function startRedis() {
  const folder = await mkdtemp(join(tmpdir(), 'eitherway-bench-'))
  const free = createServer()
  const port = await listen(free)
  await new Promise((resolve) => free.close(resolve))
  const args = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const failed = new Promise((_, reject) => child.once('error', reject))
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const ready = async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('Ready to accept connections')) return
    }
    throw new Error(`redis-server ended with ${child.exitCode}`)
  }
  await Promise.race([ready(), failed])
  child.stdout.resume()
  return {
    port,
    async end() {
      process.off('exit', kill)
      const ended = new Promise((resolve) => child.once('exit', resolve))
      kill()
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}
