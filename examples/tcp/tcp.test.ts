// A transport of one's own is held to what ours are: `npm test -- examples/tcp`.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, connect as open, type Server, type Socket } from 'node:net'
import { connect } from '@eitherway/client'
import { type Accept, RequestError, type ServerConnection } from '@eitherway/core'
import { codecSuite, transportSuite } from '@eitherway/core/testing'
import { createHub } from '@eitherway/server'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { tcp } from './client.ts'
import { codec } from './codec.ts'
import { createListener } from './server.ts'

describe('the codec of lines of JSON', () => codecSuite({ test, codec, cuts: 'anywhere' }))

describe('TCP', () => {
  transportSuite({
    test,
    direction: 'two-way',
    network: true,
    async setup() {
      const waiting: ((connection: ServerConnection) => void)[] = []
      const { server, url, cut } = await listen((connection) => waiting.shift()?.(connection))
      return {
        transport: tcp(),
        url,
        accepted: () => new Promise((resolve) => waiting.push(resolve)),
        network: { cut, nowhere: new URL('http://127.0.0.1:1/live') },
        async close() {
          cut()
          await new Promise((resolve) => server.close(resolve))
        },
      }
    },
  })
})

test('a client over it is asked, answered, cut, and resumes', async () => {
  const hub = createHub()
  hub.onRequest<number[]>('sum', (numbers) => numbers.reduce((sum, number) => sum + number, 0))
  const { server, url, cut } = await listen(hub.accept)
  const client = connect(url, { transport: tcp(), channels: ['prices'] })
  onTestFinished(async () => {
    await client.close()
    await hub.close()
    server.close()
  })
  const prices: unknown[] = []
  client.on('prices', (price) => prices.push(price))
  expect(await client.request('sum', [1, 2, 3])).toBe(6)
  expect(await client.request('product', []).catch((error) => error)).toBeInstanceOf(RequestError)
  await hub.publish('prices', 1)
  await vi.waitFor(() => expect(prices).toEqual([1]))
  cut()
  await hub.publish('prices', 2)
  await vi.waitFor(() => expect(prices).toEqual([1, 2]), { timeout: 15_000 })
})

test('a hub refuses whom it does not let in, and the client learns the code', async () => {
  const hub = createHub({
    authorize: async ({ token }) =>
      token === 'sesame' ? { context: undefined } : { status: 401, reason: 'say the word' },
  })
  const { server, url } = await listen(hub.accept)
  onTestFinished(async () => {
    await hub.close()
    server.close()
  })
  const stranger = connect(url, { transport: tcp() })
  expect(await stranger.closed).toEqual({ code: 4501, reason: 'say the word' })
  const friend = connect(url, { transport: tcp(), token: () => 'sesame' })
  await vi.waitFor(() => expect(friend.state).toBe('open'))
  await friend.close()
})

test.each([
  ['no JSON', 'GET / HTTP/1.1\r\n'],
  ['no URL', '["nowhere","",""]\n'],
  ['a first line without end', 'x'.repeat(40_000)],
])('whoever begins with %s is cut off', async (_, text) => {
  const accepted = vi.fn()
  const { server, url } = await listen(accepted)
  const socket = open(Number(url.port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(text)
  await once(socket, 'close')
  expect(accepted).not.toHaveBeenCalled()
  server.close()
})

test('what the guide shows stands in the files', () => {
  const files = ['codec.ts', 'client.ts', 'server.ts'].map((name) =>
    readFileSync(new URL(name, import.meta.url), 'utf8'),
  )
  const guide = readFileSync(new URL('../../docs/guides/transport-of-your-own.md', import.meta.url), 'utf8')
  const shown = [...guide.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = '']) => code)
  expect(shown.length).toBeGreaterThan(3)
  expect(shown.filter((code) => !files.some((file) => file.includes(code)))).toEqual([])
})

async function listen(accept: Accept): Promise<{ server: Server; url: URL; cut: () => void }> {
  const sockets = new Set<Socket>()
  const server = createServer(createListener(accept))
  server.on('connection', (socket) => sockets.add(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return { server, url: new URL(`http://127.0.0.1:${port}/live`), cut }
}
