import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PublishError, type RedisClient, redisBroker } from '@eitherway/redis'
import { createHub, serve } from '@eitherway/server'

/** The channel that all follow, and one of which each follows the other. */
export const channels = ['a', 'b', 'c'] as const

const everyMs = 100

/**
 * Serves a hub on a port of its own, and publishes for ever, from the first message of the hub on, or at once. It says `port <port>`;
 * `open` when it knows where Redis stands; for each message `said <id> <channel> <data>`, or `lost <data>` when surely nothing was published; and `done` once it has heard the event
 * `stop` and has an answer to all.
 */
export async function serveChaos(
  client: RedisClient,
  [name = '', begins]: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  // More than is published in all: whatever Redis still has can be given back.
  const broker = redisBroker({ client, timeoutMs: 2_000, history: { messages: 100_000 } })
  // What it is told of (Redis is away) is what this is about; what comes of it is judged by what clients hear.
  const hub = createHub({ broker, retryMs: 0, onError: () => undefined })
  const server = createServer()
  serve(hub, server, { path: '/live' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  say(`port ${(server.address() as AddressInfo).port}`)

  let count = 0
  const pending = new Set<Promise<void>>()
  async function publish(): Promise<void> {
    count += 1
    const data = `${name}:${count}`
    const channel = channels[count % channels.length] as string
    try {
      say(`said ${await hub.publish(channel, data)} ${channel} ${data}`)
    } catch (error) {
      if (error instanceof PublishError && !error.mayBePublished) say(`lost ${data}`)
    }
  }
  let timer: ReturnType<typeof setInterval> | undefined
  function begin(): void {
    timer ??= setInterval(() => {
      // A burst of one to three in a turn.
      for (let left = 1 + (count % 3); left > 0; left -= 1) {
        const one = publish().finally(() => pending.delete(one))
        pending.add(one)
      }
    }, everyMs)
  }

  broker.subscribe((_, { event }) => {
    if (event !== 'stop') begin()
    else {
      clearInterval(timer)
      void Promise.all(pending).then(() => say('done'))
    }
  })
  if (begins === 'at-once') begin()
  for (;;) {
    try {
      await broker.position()
      break
    } catch {
      // Redis is away: it is asked again.
    }
  }
  say('open')
}
