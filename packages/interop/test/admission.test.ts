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
    vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
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
    client.onState((state, close) => state === 'waiting' && closes.push(close?.code))
    /** Fulfils when the client comes to this state. */
    const comesTo = (awaited: string) =>
      new Promise<void>((resolve) => client.onState((state) => state === awaited && resolve()))
    const hears = (count: number) =>
      new Promise<void>((resolve) => client.on('a', () => heard.length === count && resolve()))
    client.on('a', (data) => heard.push(data))

    await comesTo('open')
    const first = hears(10)
    for (let at = 0; at < 10; at += 1) await hub.publish('a', at)
    await first
    const lost = comesTo('waiting')
    vi.advanceTimersByTime(1000)
    await lost
    // Nobody is there to hear it.
    const all = hears(20)
    for (let at = 10; at < 20; at += 1) await hub.publish('a', at)
    const back = comesTo('open')
    vi.advanceTimersByTime(1000)
    await Promise.all([back, all])

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
