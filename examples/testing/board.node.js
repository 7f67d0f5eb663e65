// The same with Node's own test runner, after `npm run build`: node --test examples/testing/board.node.js
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createNetwork } from '@eitherway/core/testing'
import { createHub } from '@eitherway/server'
import { createBoard, watchBoard } from './board.js'

test('what is published while the link is cut arrives with the next one', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] })
  const hub = createHub()
  const board = createBoard(hub)
  const network = createNetwork()
  network.listen('test', hub)
  const transport = network.transport('two-way')
  const page = watchBoard('http://test/live', { transport, read: async () => board.prices })
  await until(() => page.client.state === 'open')
  for (const link of network.links) link.cut()
  await until(() => page.client.state === 'waiting')
  await board.set('EURUSD', 1.08)
  assert.deepEqual(page.prices, {})
  await until(() => page.prices['EURUSD'] === 1.08)
  assert.equal(page.client.state, 'open')
  await page.client.close()
  await hub.close()
  mock.timers.reset()
})

/**
 * Lets ten milliseconds of the fake clock pass at a time, and what they set off.
 * @param {() => boolean} holds
 */
async function until(holds) {
  for (let ms = 0; !holds(); ms += 10) {
    assert.ok(ms < 60_000, 'nothing came of it within a minute')
    mock.timers.tick(10)
    await turn()
  }
}
