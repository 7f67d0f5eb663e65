import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createHub, type Peer, type Signals } from '@eitherway/server'
import { expect, onTestFinished, test } from 'vitest'
import { signal } from '../src/signals.ts'
import { join } from './bench.ts'
import { start } from './sockets.ts'

/** What is told from now on. */
function listen<N extends keyof Signals>(name: N): Signals[N][] {
  const heard: Signals[N][] = []
  const hear = (told: unknown) => void heard.push(told as Signals[N])
  subscribe(name, hear)
  onTestFinished(() => void unsubscribe(name, hear))
  return heard
}

test('a peer that opens and closes is told, with its close', async () => {
  const opened = listen('eitherway:peer:open')
  const closed = listen('eitherway:peer:close')
  const hub = createHub()
  const { connection } = await join(hub, { channels: ['a'] })
  const [peer] = hub.peers as ReadonlySet<Peer>
  expect(opened).toEqual([{ peer }])
  expect(opened[0]?.peer).toBe(peer)
  connection.close({ code: 4_123, reason: 'enough' })
  await peer?.closed
  await turn()
  expect(closed).toEqual([{ peer, close: { code: 4_123, reason: 'enough' } }])
  await hub.close()
})

test('a refusal is told, with its request where the gate let it in', async () => {
  const refused = listen('eitherway:request:refused')
  const { stream } = await start({ authorize: () => ({ status: 401, reason: 'who are you' }) })
  await stream('?channel=a')
  await stream('', { origin: 'https://evil.example' })
  expect(refused.map(({ refusal }) => refusal.status)).toEqual([401, 403])
  expect(refused.map(({ request }) => request?.channels)).toEqual([['a'], undefined])
})

test('a gap is told', async () => {
  const gaps = listen('eitherway:peer:gap')
  const hub = createHub()
  await join(hub, { channels: ['a'], lastEventId: 'never-1' })
  const [peer] = hub.peers
  expect(gaps).toEqual([{ peer, gap: { reason: 'epoch', channels: ['a'] } }])
  await hub.close()
})

test('a slow reader is told once, with what waits for it', async () => {
  const slow = listen('eitherway:peer:slow')
  const hub = createHub({ maxQueuedBytes: 1_000 })
  await join(hub, { channels: ['a'] })
  const [peer] = hub.peers
  for (let at = 0; at < 5; at += 1) await hub.publish('a', 'x'.repeat(800))
  await peer?.closed
  expect(slow).toHaveLength(1)
  expect(slow[0]?.peer).toBe(peer)
  expect(slow[0]?.queuedBytes).toBeGreaterThan(1_000)
  await hub.close()
})

test('an error is told beside onError', async () => {
  const errors = listen('eitherway:error')
  const told: unknown[] = []
  const hub = createHub({ onError: (error) => told.push(error) })
  const error = new Error('a handler failed')
  hub.onConnect(() => {
    throw error
  })
  await join(hub)
  await turn()
  expect(errors).toEqual([{ error }])
  expect(told).toEqual([error])
  await hub.close()
})

test('nothing is made where nobody listens', () => {
  let made = 0
  const told = () => {
    made += 1
    return { error: undefined }
  }
  signal('eitherway:error', told)
  expect(made).toBe(0)
  listen('eitherway:error')
  signal('eitherway:error', told)
  expect(made).toBe(1)
})

test('a subscriber that throws is an uncaught exception, and hurts nobody else', async () => {
  const broken = () => {
    throw new Error('a subscriber failed')
  }
  subscribe('eitherway:peer:open', broken)
  const after = listen('eitherway:peer:open')
  // The test runner's own would fail the run.
  const theirs = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  onTestFinished(() => {
    unsubscribe('eitherway:peer:open', broken)
    process.removeAllListeners('uncaughtException')
    for (const listener of theirs) process.on('uncaughtException', listener)
  })
  const uncaught = once(process, 'uncaughtException')
  const hub = createHub()
  const reader = await join(hub, { channels: ['a'] })
  expect((await uncaught)[0]).toEqual(new Error('a subscriber failed'))
  expect(after).toHaveLength(1)
  await hub.publish('a', 1)
  expect(await reader.message()).toMatchObject({ data: '1' })
  await hub.close()
})

const turn = () => new Promise((resolve) => setImmediate(resolve))
