// The board's tests under Vitest: `npm test -- examples/testing`. No socket, no port, and no second of waiting.
import { linked } from '@eitherway/core'
import { createNetwork, type Meeting } from '@eitherway/core/testing'
import { createHub, type HubOptions } from '@eitherway/server'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { createBoard, watchBoard } from './board.js'

// The clock is the test's own: of the client, of the hub and of the network.
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  })
})
afterEach(() => {
  vi.useRealTimers()
})

test('a price that is set is shown, and an order arrives', async () => {
  const hub = createHub()
  const board = createBoard(hub)
  const transport = linked(hub.accept, { direction: 'two-way' })
  const page = watchBoard('http://test/live', { transport, read: async () => board.prices })
  await until(page.client, 'open')
  await board.set('EURUSD', 1.08)
  await vi.waitFor(() => expect(page.prices).toEqual({ EURUSD: 1.08 }))
  await page.client.send('order', { name: 'EURUSD', count: 3 })
  await vi.waitFor(() => expect(board.orders).toEqual([{ name: 'EURUSD', count: 3 }]))
  await page.client.close()
  await hub.close()
})

test('what is published while the link is cut arrives with the next one', async () => {
  const { board, page, network } = await start()
  cut(network)
  await until(page.client, 'waiting')
  await board.set('EURUSD', 1.08)
  expect(page.prices).toEqual({})
  // The client waits for a moment, a random one, before it comes back.
  await vi.advanceTimersByTimeAsync(2_000)
  expect(page.client.state).toBe('open')
  expect(page.prices).toEqual({ EURUSD: 1.08 })
})

test('when history does not reach back far enough, the prices are read anew', async () => {
  const { board, page, network } = await start({ history: { messages: 1 } })
  await board.set('EURUSD', 1.08)
  await vi.advanceTimersByTimeAsync(0)
  cut(network)
  await board.set('EURUSD', 1.09)
  await board.set('EURCHF', 0.95)
  await board.set('EURGBP', 0.85)
  const gaps: string[] = []
  page.client.onGap(({ reason }) => gaps.push(reason))
  await vi.advanceTimersByTimeAsync(2_000)
  expect(gaps).toHaveLength(1)
  expect(page.prices).toEqual({ EURUSD: 1.09, EURCHF: 0.95, EURGBP: 0.85 })
})

test('a server that refuses this client for good is not asked again', async () => {
  const { page, network } = await start({}, 'forbidden')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(await page.client.closed).toMatchObject({ code: 4503 })
  expect(network.links.size).toBe(0)
})

test('a link that goes silent is given up, and nothing is lost', async () => {
  const { board, page, network } = await start({ heartbeatMs: 20_000 })
  for (const link of network.links) link.stall()
  await board.set('EURUSD', 1.08)
  // The server speaks every 20 seconds; after 10 more the client takes the link for dead.
  await vi.advanceTimersByTimeAsync(29_000)
  expect(page.client.state).toBe('open')
  expect(page.prices).toEqual({})
  await vi.advanceTimersByTimeAsync(5_000)
  expect(page.client.state).toBe('open')
  expect(page.prices).toEqual({ EURUSD: 1.08 })
})

test('a page that reads too slowly loses its link, and catches up', async () => {
  const { hub, board, page, network } = await start({ maxQueuedBytes: 100_000 })
  for (const link of network.links) link.hold(5_000)
  for (let at = 0; at < 300; at += 1) await hub.publish('prices', 'x'.repeat(1_000), { event: 'news' })
  await board.set('EURUSD', 1.08)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(hub.stats().closed).toMatchObject({ 4008: 1 })
  expect(page.prices).toEqual({ EURUSD: 1.08 })
})

type Network = ReturnType<typeof createNetwork>
type Page = ReturnType<typeof watchBoard>

/** A board, and a page that is connected over a network that can be harmed. */
async function start(options: HubOptions = {}, meeting?: Meeting) {
  const hub = createHub(options)
  const board = createBoard(hub)
  const network = createNetwork()
  network.listen('test', hub)
  if (meeting !== undefined) network.meet(meeting)
  const transport = network.transport('one-way')
  const page = watchBoard('http://test/live', { transport, read: async () => ({ ...board.prices }) })
  if (meeting === undefined) await until(page.client, 'open')
  onTestFinished(async () => {
    await page.client.close()
    await hub.close()
  })
  return { hub, board, network, page }
}

function cut(network: Network): void {
  for (const link of network.links) link.cut()
}

async function until(client: Page['client'], state: string): Promise<void> {
  await vi.waitFor(() => expect(client.state).toBe(state))
}
