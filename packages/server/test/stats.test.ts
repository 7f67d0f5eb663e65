import { on, once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { type HubStats, memoryBroker } from '@eitherway/server'
import { expect, test, vi } from 'vitest'
import type { WebSocket } from 'ws'
import { start } from './sockets.ts'

const nothing: HubStats = {
  peers: 0,
  channels: 0,
  queuedBytes: 0,
  slowPeers: 0,
  opened: { 'one-way': 0, 'two-way': 0 },
  resumed: 0,
  closed: {},
  refused: {},
  gaps: { evicted: 0, epoch: 0, unknown: 0, slow: 0 },
  published: 0,
  heard: 0,
  received: 0,
  requests: 0,
  failures: 0,
  bytesWritten: 0,
  errors: 0,
}

test('each count moves as it should, over a history on both transports', async () => {
  const broker = memoryBroker()
  const { hub, stream, socket } = await start({
    broker,
    onError() {},
    authorize: ({ headers }) =>
      headers.has('x-no') ? { status: 403, reason: 'no' } : { context: undefined },
  })
  let known = hub.stats()
  expect(known).toEqual(nothing)
  /** Nothing else may have changed. */
  const expectChange = (change: Partial<HubStats>) => {
    const { bytesWritten, ...now } = hub.stats()
    const { bytesWritten: before, ...rest } = known
    expect(now).toEqual({ ...rest, ...change })
    known = { ...now, bytesWritten }
    return bytesWritten - before
  }
  const firstPeer = () => {
    const [peer] = hub.peers
    if (peer === undefined) throw new Error('no peer')
    return peer
  }

  const reading = (await stream('?channel=a')) as IncomingMessage
  expectChange({ peers: 1, channels: 1, opened: { 'one-way': 1, 'two-way': 0 } })
  const talking = (await socket('?channel=a&channel=b')) as WebSocket
  expectChange({ peers: 2, channels: 2, opened: { 'one-way': 1, 'two-way': 1 } })

  const texts = on(talking, 'message')
  const id = await hub.publish('a', 1)
  expectChange({ published: 1, heard: 1 })
  await texts.next()
  // Another process's.
  await broker.publish('nobody', 'nobody', '1')
  expectChange({ heard: 2 })

  const failing = hub.onMessage(() => {
    throw new Error('a handler failed')
  })
  talking.send('\nhello\n1')
  await vi.waitFor(() => expect(hub.stats().errors).toBe(1))
  expectChange({ received: 1, errors: 1 })
  failing()

  await stream('', { 'x-no': '1' })
  expectChange({ refused: { 403: 1 } })
  await socket('', true, { 'x-no': '1' })
  expectChange({ refused: { 403: 2 } })
  // Those of the gate, on each entrance.
  await stream('', { origin: 'https://evil.example' })
  await socket('', true, { origin: 'https://evil.example' })
  await socket('', false, { origin: 'https://evil.example' })
  expectChange({ refused: { 403: 5 } })
  await stream('', { accept: 'text/html' })
  await stream(`?${'x'.repeat(9_000)}`)
  await socket(`?${'x'.repeat(9_000)}`)
  expectChange({ refused: { 403: 5, 406: 1, 414: 2 } })

  // The socket is the second.
  const [, second] = hub.peers
  talking.close(4_000, 'enough')
  await second?.closed
  await turn()
  const bytes = expectChange({ peers: 1, channels: 1, closed: { 4000: 1 } })
  expect(bytes).toBe(second?.bytesWritten)
  expect(bytes).toBeGreaterThan(100)

  const back = (await socket(`?channel=b&lastEventId=${id}`)) as WebSocket
  expectChange({ peers: 2, channels: 2, opened: { 'one-way': 1, 'two-way': 2 }, resumed: 1 })
  await stream('?channel=b&lastEventId=never-1')
  expectChange({
    peers: 3,
    opened: { 'one-way': 2, 'two-way': 2 },
    resumed: 2,
    gaps: { evicted: 0, epoch: 1, unknown: 0, slow: 0 },
  })

  const peer = firstPeer()
  reading.destroy()
  await peer.closed
  await turn()
  expect(expectChange({ peers: 2, channels: 1, closed: { 1006: 1, 4000: 1 } })).toBe(peer.bytesWritten)
  const closed = once(back, 'close')
  await hub.close()
  await closed
  expect(expectChange({ peers: 0, channels: 0, closed: { 1001: 2, 1006: 1, 4000: 1 } })).toBeGreaterThan(0)
})

test('what waits is counted, and nothing any more once it is read', async () => {
  const { hub, stream, socket } = await start({ maxQueuedBytes: 64 * 1024 * 1024 })
  const reading = (await stream('?channel=a')) as IncomingMessage
  const talking = (await socket('?channel=a')) as WebSocket
  reading.pause()
  talking.pause()
  // More than the system's own buffers take, some megabytes each.
  const block = 'x'.repeat(1_000_000)
  for (let at = 0; at < 24; at += 1) await hub.publish('a', block)
  await vi.waitFor(() => expect(hub.stats()).toMatchObject({ slowPeers: 2 }))
  const { queuedBytes } = hub.stats()
  const each = [...hub.peers].length * 24_100_000
  expect(queuedBytes).toBeGreaterThan(2 * 64 * 1024)
  expect(queuedBytes).toBeLessThan(each)
  reading.resume()
  talking.resume()
  await expect.poll(() => hub.stats()).toMatchObject({ slowPeers: 0, queuedBytes: 0, peers: 2 })
})

test('a copy is given: it does not change, and to change it changes nothing', async () => {
  const { hub, stream } = await start()
  const before = hub.stats()
  await stream()
  expect(before).toEqual(nothing)
  Object.assign(before.opened, { 'one-way': 100 })
  expect(hub.stats().opened['one-way']).toBe(1)
})

const turn = () => new Promise((resolve) => setImmediate(resolve))
