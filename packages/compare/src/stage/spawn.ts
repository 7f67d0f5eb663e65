import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { type Access, createStage } from './ask.ts'
import { machineMs } from './clock.ts'
import type { OwnStage, Stage } from './stage.ts'

/** Settings of {@link spawnStage}. */
export interface SpawnOptions {
  /** @defaultValue `127.0.0.1` */
  readonly host?: string
  /** Origins of pages that may drive it. */
  readonly allowed?: readonly string[]
  /** Whether it listens by HTTP/2 as well. @defaultValue false */
  readonly secure?: boolean
  /** How often ours says a heartbeat, in milliseconds; 0 for never. @defaultValue 1000 */
  readonly heartbeatMs?: number
  /** Where the runner's built page lies. @internal */
  readonly page?: URL
  /** The program of the stage. @internal */
  readonly program?: URL
}

/** What the parent tells the stage. */
export interface StageSettings {
  readonly host: string
  readonly token: string
  readonly allowed: readonly string[]
  readonly secure: boolean
  readonly heartbeatMs: number
  /** The URL of the folder of the runner's page. */
  readonly page: string
}

/** Where the stage listens. */
export interface Ready {
  readonly direct: number
  readonly relay: number
  readonly control: number
  readonly secure: number | undefined
}

/** A stage in a process of its own. */
export interface SpawnedStage extends OwnStage {
  readonly pid: number
  /** What another client of it must know, a page say. */
  readonly access: Access
  fresh(changes?: Parameters<NonNullable<Stage['fresh']>>[0]): Promise<SpawnedStage>
}

/** Starts a stage. It ends with this process at the latest. */
export async function spawnStage({
  host = '127.0.0.1',
  allowed = [],
  secure = false,
  heartbeatMs = 1000,
  // From `src` and from `dist` alike.
  page = new URL('../../dist/page/', import.meta.url),
  program = new URL('./main.js', import.meta.url),
}: SpawnOptions = {}): Promise<SpawnedStage> {
  // For memory after a collection; without it garbage would be counted as a cost.
  const child = fork(program, { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const token = randomBytes(24).toString('base64url')
  child.send({ host, token, allowed, secure, heartbeatMs, page: page.href } satisfies StageSettings)
  const ready = await readyOf(child)
  const name = nameOf(host)
  const origin = (port: number) => `http://${name}:${port}`
  const access: Access = {
    origins: {
      direct: origin(ready.direct),
      relay: origin(ready.relay),
      ...(ready.secure === undefined ? {} : { secure: `https://${name}:${ready.secure}` }),
    },
    control: origin(ready.control),
    token,
  }
  return {
    ...createStage(access, { now: machineMs, clockErrorMs: 0 }),
    pid: child.pid ?? 0,
    access,
    fresh: (changes) => spawnStage({ host, allowed, heartbeatMs, page, program, ...changes }),
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Every interface is no address to connect to, and this machine is one of those that it stands for. */
export function nameOf(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return isIPv6(host) ? `[${host}]` : host
}

async function readyOf(child: ChildProcess): Promise<Ready> {
  const over = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', { signal: over.signal }).then(([ready]) => ready as Ready),
      once(child, 'exit', { signal: over.signal }).then(([code]) => {
        throw new Error(`the stage ended with ${code} before it was ready`)
      }),
    ])
  } finally {
    over.abort()
  }
}
