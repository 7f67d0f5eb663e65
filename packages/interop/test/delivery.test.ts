import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ConnectError, connect, type Gap } from '@eitherway/client'
import { seeded, within } from '@eitherway/core/testing'
import { createHub, memoryBroker, serve } from '@eitherway/server'
import { describe, expect, test } from 'vitest'
import { nextPeer, startHub } from './harness.ts'
import { hearData, positioned } from './heard.ts'

const transports = ['sse', 'ws', 'sse+post'] as const
const other = { sse: 'ws', ws: 'sse+post', 'sse+post': 'sse' } as const

const counted = (count: number, from = 0): number[] => Array.from({ length: count }, (_, at) => from + at)

/** Lets the sockets in between have a turn, without waiting for anything. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe.each(transports)('over %s', (transport) => {
  test('a client that was cut a hundred times has heard everything once, in order', async () => {
    await using bench = await startHub()
    const random = seeded(11)
    await using client = connect(`${bench.origin}/live`, { transport, channels: ['a', 'b'] })
    const both: string[] = []
    client.on('a', (data) => both.push(`a${data}`))
    client.on('b', (data) => both.push(`b${data}`))
    const end = hearData(client, 'end')
    await positioned(client)
    const sent: string[] = []
    for (let at = 0; at < 400; at += 1) {
      const channel = random() < 0.5 ? 'a' : 'b'
      sent.push(`${channel}${at}`)
      await bench.hub.publish(channel, at)
      if (random() < 0.25) bench.cut(random() < 0.5 ? 'reset' : 'closed')
      if (random() < 0.5) await turn()
    }
    await bench.hub.publish('a', 'done', { event: 'end' })
    await end.until(1)
    expect(both).toEqual(sent)
  })

  test('a drop before the first message loses nothing', async () => {
    await using bench = await startHub()
    await using client = connect(`${bench.origin}/live`, { transport, channels: ['a'] })
    const messages = hearData<number>(client, 'a')
    await positioned(client)
    bench.cut()
    for (const at of counted(5)) await bench.hub.publish('a', at)
    expect(await messages.until(5)).toEqual(counted(5))
  })

  test('beyond history there is one gap, with its reason and its channels, and the stream goes on', async () => {
    await using bench = await startHub({ history: { messages: 3 } })
    await using client = connect(`${bench.origin}/live`, { transport, channels: ['a', 'b'] })
    const gaps: Gap[] = []
    client.onGap((gap) => gaps.push(gap))
    const messages = hearData<number>(client, 'a')
    await positioned(client)
    await bench.hub.publish('a', 0)
    await messages.until(1)
    const back = nextPeer(bench.hub)
    bench.cut()
    for (const at of counted(10, 1)) await bench.hub.publish('a', at)
    await back
    await bench.hub.publish('a', 11)
    expect(await messages.until(2)).toEqual([0, 11])
    expect(gaps).toEqual([{ reason: 'evicted', channels: ['a'] }])
  })

  test('a server that restarts with its history loses nothing; without it, that is a gap', async () => {
    const broker = memoryBroker()
    const first = createHub({ broker, retryMs: 0 })
    const server = createServer()
    const undo = serve(first, server, { path: '/live' })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await using client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}/live`, {
      transport,
      channels: ['a'],
    })
    const messages = hearData<number>(client, 'a')
    const gaps: Gap[] = []
    client.onGap((gap) => gaps.push(gap))
    await positioned(client)
    await first.publish('a', 0)
    await messages.until(1)

    undo()
    const second = createHub({ broker, retryMs: 0 })
    const undoSecond = serve(second, server, { path: '/live' })
    await second.publish('a', 1)
    const back = nextPeer(second)
    await first.close()
    await second.publish('a', 2)
    expect(await messages.until(3)).toEqual([0, 1, 2])
    await back
    expect(gaps).toEqual([])

    undoSecond()
    const third = createHub({ retryMs: 0 })
    serve(third, server, { path: '/live' })
    const again = nextPeer(third)
    await second.close()
    await again
    await third.publish('a', 3)
    expect(await messages.until(4)).toEqual([0, 1, 2, 3])
    expect(gaps).toEqual([{ reason: 'epoch', channels: ['a'] }])
    await client.close()
    await third.close()
    server.closeAllConnections()
    server.close()
  })

  test('channels come and go on a live client, and nothing is lost or comes twice', async () => {
    await using bench = await startHub()
    await using client = connect(`${bench.origin}/live`, { transport, channels: ['a'] })
    const a = hearData<number>(client, 'a')
    const b = hearData<number>(client, 'b')
    await positioned(client)
    let publishing = true
    let at = 0
    const publisher = (async () => {
      for (; publishing; at += 1) {
        await bench.hub.publish('a', at)
        await turn()
      }
    })()
    await client.subscribe('b')
    expect(client.channels).toEqual(['a', 'b'])
    await bench.hub.publish('b', 0)
    await b.until(1)
    await client.unsubscribe('b')
    await bench.hub.publish('b', 1)
    await Promise.all([client.subscribe('b'), client.subscribe('c')])
    await bench.hub.publish('b', 2)
    await b.until(b.all.includes(1) ? 3 : 2)
    publishing = false
    await publisher
    expect(await a.until(at)).toEqual(counted(at))
    expect(b.all.at(-1)).toBe(2)
    expect(new Set(b.all).size).toBe(b.all.length)
    expect(client.state).toBe('open')
  })

  test('the transport changes under load, back and forth, and nothing is lost or comes twice', async () => {
    await using bench = await startHub()
    const client = connect(`${bench.origin}/live`, { transport: transport as 'sse' | 'ws', channels: ['a'] })
    const messages = hearData<number>(client, 'a')
    const states: string[] = []
    await positioned(client)
    client.onState((state) => states.push(state))
    let publishing = true
    let at = 0
    const publisher = (async () => {
      for (; publishing; at += 1) {
        await bench.hub.publish('a', at)
        if (at % 3 === 0) await turn()
      }
    })()
    for (let round = 0; round < 6; round += 1) {
      const name = round % 2 === 0 ? other[transport] : transport
      const switched = await client.switchTo(name)
      expect(switched).toBe(client)
      expect([client.transport, client.direction]).toEqual([name, name === 'sse' ? 'one-way' : 'two-way'])
      expect('send' in client).toBe(name !== 'sse')
    }
    publishing = false
    await publisher
    expect(await messages.until(at)).toEqual(counted(at))
    expect(states.filter((state) => state !== 'open')).toEqual([])
    await client.close()
    await within(Promise.all([...bench.hub.peers].map(({ closed }) => closed)), 'the end of every link')
    expect(bench.hub.peers.size).toBe(0)
  })

  test('where the other transport does not come about, the client stays as it was', async () => {
    await using bench = await startHub()
    await using client = connect(`${bench.origin}/live`, { transport, channels: ['a'] })
    const messages = hearData<number>(client, 'a')
    await positioned(client)
    const broken = {
      name: 'broken',
      direction: 'one-way',
      connect: () => Promise.reject(new ConnectError('no way', { retryable: true })),
    } as const
    await expect(client.switchTo(broken)).rejects.toThrow('no way')
    await expect(client.switchTo('tcp' as 'ws')).rejects.toThrow(TypeError)
    expect(client.transport).toBe(transport)
    await bench.hub.publish('a', 0)
    expect(await messages.until(1)).toEqual([0])
  })
})

test('a thousand clients come back at once and each hears everything once', async () => {
  await using bench = await startHub()
  const clients = counted(1_000).map((at) =>
    connect(`${bench.origin}/live`, { transport: at % 2 === 0 ? 'sse' : 'ws', channels: ['a'] }),
  )
  const all = clients.map((client) => hearData<number>(client, 'a'))
  await within(
    (async () => {
      while (bench.hub.peers.size < 1_000 || clients.some(({ lastEventId }) => lastEventId === ''))
        await turn()
    })(),
    'a thousand peers',
    25_000,
  )
  await bench.hub.publish('a', 0)
  bench.cut()
  for (const at of counted(20, 1)) await bench.hub.publish('a', at)
  for (const messages of all) expect(await messages.until(21)).toEqual(counted(21))
  await Promise.all(clients.map((client) => client.close()))
}, 60_000)
