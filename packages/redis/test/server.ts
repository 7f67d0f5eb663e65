import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { RedisClient } from '@eitherway/redis'
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import { bridge } from './bridge.ts'
import { eventually } from './nodes.ts'

/** Whether this machine has a Redis to test with. */
export const hasRedis = (process.env['EITHERWAY_PARTS'] ?? '').split(',').includes('redis')

/** What is started: another Redis, or a Valkey, by its path. */
const program = process.env['EITHERWAY_REDIS_SERVER'] ?? 'redis-server'

/** A Redis of the test's own, with a folder of its own. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number
  /** Sends a command, and returns what is said to it. */
  command(...args: string[]): Promise<unknown>
  /** Ends it without a word: what is not on disk is lost. */
  kill(): Promise<void>
  /** Starts it again, with what is on disk. */
  start(): Promise<void>
}

/** @param settings - as on its command line, `--appendonly yes` for instance. Nothing is kept on disk otherwise. */
export async function startRedis(...settings: string[]): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'eitherway-redis-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 20 })
  // It is killed now and then.
  client.on('error', () => undefined)

  async function start(): Promise<void> {
    const base = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--save',
      '',
      '--daemonize',
      'no',
    ]
    const started = spawn(program, [...base, ...settings], { stdio: ['ignore', 'pipe', 'inherit'] })
    child = started
    for await (const line of createInterface({ input: started.stdout })) {
      if (line.includes('Ready to accept connections')) {
        started.stdout.resume()
        return
      }
    }
    throw new Error(`${program} ended with ${started.exitCode}`)
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  await start()
  return {
    port,
    command: (name = '', ...args) => client.call(name, ...args),
    kill,
    start,
    async [Symbol.asyncDispose]() {
      client.disconnect()
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Both libraries' clients, by name. Neither is connected: they are patterns. */
export const clients: Readonly<Record<string, (port: number) => RedisClient>> = {
  ioredis: (port) => new Redis({ port, host: '127.0.0.1', lazyConnect: true }),
  'node-redis': (port) => createClient({ socket: { port, host: '127.0.0.1' } }),
}

/** A cluster of one node, which refuses what has keys of more than one slot as any cluster does. */
export async function startCluster(): Promise<RedisServer> {
  const redis = await startRedis('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
  await redis.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await eventually(async () => /cluster_state:ok/.test(String(await redis.command('CLUSTER', 'INFO'))))
  return redis
}

/** Clients that follow the slots of a cluster, by name. */
export const clusterClients: typeof clients = {
  "ioredis' Cluster": (port) => new Cluster([{ port, host: '127.0.0.1' }], { lazyConnect: true }),
  "node-redis' cluster": (port) => createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] }),
}

/** A port whose connections lead to another, which can change: as a name does that is moved to a replica. */
export interface Switch extends AsyncDisposable {
  readonly port: number
  /** Breaks what is connected; from now on all leads there. `undefined`: nowhere. */
  turn(to: number | undefined): void
}

export async function startSwitch(to: number): Promise<Switch> {
  let target: number | undefined = to
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    if (target === undefined) {
      socket.destroy()
      return
    }
    const other = connect(target, '127.0.0.1')
    bridge(socket, other, sockets)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    turn(next) {
      target = next
      cut()
    },
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
