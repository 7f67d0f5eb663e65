import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { createLink } from '../src/link.ts'

test('a connection of which many commands fail is ended once, and replaced', async () => {
  let made = 0
  let ended = 0
  const failing: ((error: Error) => void)[] = []
  const client = {
    callBuffer: () => new Promise((_, reject) => failing.push(reject)),
    duplicate() {
      made += 1
      return client
    },
    disconnect() {
      ended += 1
    },
    on: () => undefined,
  }
  const link = createLink(client, 'key')
  const sent = Array.from({ length: 20 }, () => link.send(['PING'], 1000))
  const settled = Promise.allSettled(sent)
  for (const reject of failing.splice(0)) reject(Object.assign(new Error('gone'), { code: 'ECONNRESET' }))
  expect((await settled).every(({ status }) => status === 'rejected')).toBe(true)
  expect([made, ended]).toEqual([1, 1])
  const next = link.send(['PING'], 1000)
  expect(made).toBe(2)
  link.end()
  for (const reject of failing) reject(new Error('over'))
  await expect(next).rejects.toThrow('over')
  expect(ended).toBe(2)
})

test('where no Redis is, what is sent fails with the reason, and not only when its time is over', async () => {
  const nobody = createServer().listen(0, '127.0.0.1')
  await once(nobody, 'listening')
  const { port } = nobody.address() as AddressInfo
  nobody.close()
  await once(nobody, 'close')
  const link = createLink(new Redis({ port, host: '127.0.0.1', lazyConnect: true }), 'key')
  await expect(link.send(['PING'], 10_000)).rejects.toThrow(`connect ECONNREFUSED 127.0.0.1:${port}`)
  link.end()
})
