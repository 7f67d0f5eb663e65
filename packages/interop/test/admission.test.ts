import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from '@eitherway/client'
import { createHub, type Hub, type HubOptions, serve } from '@eitherway/server'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

async function start(options: HubOptions<unknown>): Promise<{ hub: Hub<unknown>; url: string }> {
  const hub = createHub<unknown>({ retryMs: 0, ...options })
  const server = createServer()
  serve(hub, server, { path: '/live' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await hub.close()
    server.closeAllConnections()
    server.close()
  })
  return { hub, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/live` }
}

describe.each(['sse', 'ws'] as const)('%s', (transport) => {
  test('a peer whose time is over comes back, and nothing is lost', async () => {
    let visits = 0
    const { hub, url } = await start({
      authorize() {
        visits += 1
        return visits === 1 ? { context: visits, expiresAt: Date.now() + 1 } : { context: visits }
      },
    })
    const client = connect(url, { transport, channels: ['a'] })
    onTestFinished(() => void client.close())
    const heard: unknown[] = []
    const closes: (number | undefined)[] = []
    client.on('a', (data) => heard.push(data))
    client.onState((state, close) => {
      if (state !== 'waiting') return
      closes.push(close?.code)
      // Nobody is there to hear it.
      for (let at = 10; at < 20; at += 1) void hub.publish('a', at)
    })
    await vi.waitFor(() => expect(hub.peers.size).toBe(1))
    await vi.waitFor(() => expect(client.state).toBe('open'))
    for (let at = 0; at < 10; at += 1) await hub.publish('a', at)
    await expect.poll(() => heard.length).toBe(20)
    await expect.poll(() => client.state).toBe('open')
    expect(heard).toEqual(Array.from({ length: 20 }, (_, at) => at))
    expect(closes).toEqual([4010])
    expect(hub.stats()).toMatchObject({ resumed: 1, closed: { 4010: 1 }, gaps: { evicted: 0, epoch: 0 } })
  })

  test('a subscription to a channel that is not open fails, and the client goes on without it', async () => {
    const asked: string[] = []
    const { hub, url } = await start({
      authorizeChannel(_, channel) {
        asked.push(channel)
        return channel !== 'user:ada'
      },
    })
    await hub.publish('user:ada', 'secret')
    const client = connect(url, { transport, channels: ['news'] })
    onTestFinished(() => void client.close())
    const heard: unknown[] = []
    for (const name of ['user:ada', 'news']) client.on(name, (data) => heard.push(data))
    await vi.waitFor(() => expect(client.state).toBe('open'))
    await expect(client.subscribe('user:ada')).rejects.toMatchObject({ closeCode: 4503, retryable: false })
    await hub.publish('user:ada', 'secret')
    await hub.publish('news', 'still here')
    await expect.poll(() => heard).toEqual(['still here'])
    expect(asked).toEqual(['news', 'news', 'user:ada'])
    expect(hub.stats()).toMatchObject({ peers: 1, channels: 1, refused: { 403: 1 } })
  })
})
