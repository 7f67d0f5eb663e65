import { kind } from '@eitherway/core'
import { replyCode } from './errors.ts'

/** What a command is made of, and a reply: text goes as UTF-8, and comes as bytes. */
export type Argument = string | Buffer

/** What is needed of a client of `ioredis`, version 5 or later. */
export interface IoredisClient {
  callBuffer(command: string, args: Argument[]): Promise<unknown>
  duplicate(): IoredisClient
  disconnect(reconnect?: boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  readonly isCluster?: boolean
}

/** What is needed of a client of `redis` (node-redis), version 5 or later. */
export interface NodeRedisClient {
  sendCommand(args: readonly Argument[], options: { readonly typeMapping: never }): Promise<unknown>
  duplicate(): NodeRedisClient
  connect(): Promise<unknown>
  destroy(): void
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** What is needed of a cluster of `redis` (node-redis), version 5 or later: of `createCluster`. */
export interface NodeRedisCluster {
  sendCommand(
    firstKey: string,
    isReadonly: boolean,
    args: Argument[],
    options: { readonly typeMapping: never },
  ): Promise<unknown>
  duplicate(): NodeRedisCluster
  connect(): Promise<unknown>
  destroy(): void
  on(event: 'error', listener: (error: Error) => void): unknown
  readonly slots: unknown
}

/**
 * A client of `ioredis` or of `redis`, of one Redis or of a cluster, as the application has set it up: its address, its credentials, TLS. It is only the
 * pattern: connections of our own are made by its `duplicate()`, and it is neither used nor closed, nor need it be connected.
 */
export type RedisClient = IoredisClient | NodeRedisClient | NodeRedisCluster

/** One connection's commands. */
export interface Wire {
  /** @returns the reply, its texts as Buffers. */
  send(args: readonly Argument[]): Promise<unknown>
  /** Drops the connection. What is under way fails. */
  end(): void
}

/** How RESP's kinds come out of node-redis: texts as Buffers, and a map as a flat list, as RESP 2 has it. */
const typeMapping = { 36: Buffer, 61: Buffer, 37: Array } as never

/** @throws TypeError when it is none of those that we know. */
export function checkClient(client: RedisClient): void {
  if (typeof client !== 'object' || client === null) {
    throw new TypeError(
      `\`client\` must be a client of \`ioredis\` or of \`redis\` (node-redis 5 or later), got ${kind(client)}; a URL is given to the library: \`new Redis(url)\``,
    )
  }
  const { options } = client as { readonly options?: { readonly keyPrefix?: string } }
  if (typeof options?.keyPrefix === 'string' && options.keyPrefix !== '') {
    throw new TypeError(
      '`client` must have no `keyPrefix`: it would change some of the names and not those within scripts. Give the hub a `prefix`',
    )
  }
  if ('acquire' in client) {
    throw new TypeError(
      '`client` must not be of `createSentinel`, which keeps connections of its own; `ioredis` knows sentinels: `new Redis({ sentinels, name })`',
    )
  }
  if ('callBuffer' in client || ('sendCommand' in client && 'destroy' in client)) return
  throw new TypeError('`client` must be a client of `ioredis` or of `redis` (node-redis 5 or later)')
}

/**
 * Whatever the pattern says: commands wait for the first connection, and fail with it, since a library that connects again sends them
 * again, and nobody hears that Redis was away; replies have the form that we read; and nothing is gathered, which fails in `ioredis`
 * for commands by name, and ends the process.
 */
function duplicateOf(pattern: IoredisClient): IoredisClient {
  const override = {
    enableOfflineQueue: true,
    retryStrategy: () => null,
    replyMapping: 'legacy',
    enableAutoPipelining: false,
  }
  const duplicate = pattern.duplicate.bind(pattern) as (...overrides: unknown[]) => IoredisClient
  return pattern.isCluster === true ? duplicate([], override) : duplicate(override)
}

/**
 * Makes a connection after a client's pattern. It may still be on its way: what is sent meanwhile waits for it.
 *
 * @param key - any of those that are used: all lie in one slot of a cluster.
 */
export function openWire(pattern: RedisClient, key: string): Wire {
  if ('callBuffer' in pattern) {
    const client = duplicateOf(pattern)
    let cause: Error | undefined
    client.on('error', (error) => {
      cause = error
    })
    return {
      async send([command, ...args]) {
        try {
          return await client.callBuffer(String(command), args)
        } catch (error) {
          // The library says only that the connection is closed, and to whom listens why.
          throw replyCode(error) === undefined && cause !== undefined ? cause : error
        }
      },
      end: () => client.disconnect(),
    }
  }
  const client: NodeRedisClient | NodeRedisCluster = pattern.duplicate()
  // Every command tells its own failure; without a listener an error would end the process.
  client.on('error', () => undefined)
  // A reply comes only after it has succeeded; when it fails, so does what waits for it.
  const connected = client.connect()
  connected.catch(() => undefined)
  return {
    async send(args) {
      await connected
      // Not from a replica, which may be behind.
      if ('slots' in client) return client.sendCommand(key, false, [...args], { typeMapping })
      return client.sendCommand(args, { typeMapping })
    },
    end() {
      try {
        client.destroy()
      } catch {
        // It was closed already, which the library takes for a mistake.
      }
    },
  }
}
