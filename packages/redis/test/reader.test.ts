import { Redis } from 'ioredis'
import { expect, test, vi } from 'vitest'
import { createLink } from '../src/link.ts'
import { createReader } from '../src/reader.ts'
import { hasRedis, startRedis } from './server.ts'

test.skipIf(!hasRedis)(
  'after its connection was lost, Redis is told what is known here before anything newer is read',
  async () => {
    await using redis = await startRedis()
    const client = new Redis({ port: redis.port, host: '127.0.0.1', lazyConnect: true })
    const events: string[] = []
    const reader = createReader({
      link: createLink(client, 'log'),
      log: 'log',
      inbox: 'inbox',
      async check() {
        events.push('told')
        return { epoch: 1, number: 0 }
      },
      onMessage: () => undefined,
      onLost: () => undefined,
      onPost: ([text]) => events.push(String(text)),
    })
    await redis.command('XADD', 'inbox', '*', 'first', '')
    await vi.waitFor(() => expect(events).toEqual(['told', 'first']))
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await redis.command('XADD', 'inbox', '*', 'second', '')
    await vi.waitFor(() => expect(events).toContain('second'))
    expect(events).toEqual(['told', 'first', 'told', 'second'])
    reader.end()
  },
)
