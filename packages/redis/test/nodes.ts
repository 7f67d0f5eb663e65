import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Client, connect, type Gap } from '@eitherway/client'
import { linked, type Transport } from '@eitherway/core'
import { type RedisBroker, type RedisClient, type RedisOptions, redisBroker } from '@eitherway/redis'
import { createHub, type Hub } from '@eitherway/server'

/** A hub and its broker, as on a node of its own. */
export interface Node extends AsyncDisposable {
  readonly broker: RedisBroker
  readonly hub: Hub
  readonly transport: Transport<'two-way'>
  /** What went wrong in it. */
  readonly errors: unknown[]
}

export function startNode(client: RedisClient, options: Partial<RedisOptions> = {}): Node {
  const broker = redisBroker({ client, ...options })
  const errors: unknown[] = []
  const hub = createHub({ broker, retryMs: 0, onError: (error) => errors.push(error) })
  return {
    broker,
    hub,
    errors,
    transport: linked(hub.accept, { direction: 'two-way' }),
    async [Symbol.asyncDispose]() {
      await hub.close()
      await broker.close()
    },
  }
}

/** A client, and what it was told, in order: data, and gaps. */
export interface Follower extends AsyncDisposable {
  readonly client: Client<'two-way'>
  readonly told: (Gap | string)[]
  /** How often its link has ended. */
  readonly losses: () => number
}

/** @returns once it is open. */
export async function follow(node: Node, ...channels: readonly string[]): Promise<Follower> {
  const client = connect('http://node/live', { transport: node.transport, channels })
  const told: (Gap | string)[] = []
  let losses = 0
  client.onGap((gap) => told.push(gap))
  client.onState((state) => {
    if (state === 'waiting') losses += 1
  })
  for (const channel of channels) client.on<string>(channel, (data) => told.push(data))
  await eventually(() => client.state === 'open')
  return {
    client,
    told,
    losses: () => losses,
    async [Symbol.asyncDispose]() {
      await client.close()
    },
  }
}

/** @returns once it holds. @throws Error when that takes too long. */
export async function eventually(holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const end = performance.now() + ms
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`it never came about: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** `program.ts` in a process of its own, with what it prints. */
export interface Program extends AsyncDisposable {
  readonly lines: readonly string[]
  /** Fulfils once it has ended by itself. */
  readonly ended: Promise<unknown>
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
}

export function startProgram(...args: string[]): Program {
  const lines: string[] = []
  const child: ChildProcess = spawn(
    process.execPath,
    [
      ...['--import', new URL('../../../scripts/register.mjs', import.meta.url).href],
      '--conditions=@eitherway/source',
      fileURLToPath(new URL('program.ts', import.meta.url)),
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  if (child.stdout === null) throw new Error('it prints nothing')
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  return {
    lines,
    ended: once(child, 'exit'),
    signal: (name) => void child.kill(name),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}
