import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2, constants, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { requestOf } from '@eitherway/core/testing'
import { createHub, serve } from '@eitherway/server'
import { expect, onTestFinished, test, vi } from 'vitest'
import { entrances, type Stage, startStage } from './hostile.ts'

/** Whether the bystanders are all that is left, and hear what is published. */
async function isWell({ publish, peers, bystanders, strays, close }: Stage): Promise<void> {
  await vi.waitFor(() => expect(peers()).toBe(bystanders.length))
  await publish('mine', 'still here')
  for (const { hears } of bystanders) await hears('still here')
  expect(strays()).toEqual([])
  expect(await close()).toEqual([])
}

test.each(Object.values(entrances))(
  'who never ends the head of a request for $name is let go, and streams stay',
  async (entrance) => {
    const server = createServer({ connectionsCheckingInterval: 50, headersTimeout: 100, requestTimeout: 200 })
    const stage = await startStage({}, server)
    const links = await Promise.all([stage.dial(), stage.dial()])
    for (const link of links) await link.write(requestOf(entrance, '/live').slice(0, -2))
    for (const link of links) {
      await link.closed
      expect(link.received()).toMatch(/^HTTP\/1\.1 408 /)
    }
    await isWell(stage)
  },
)

test.each(Object.values(entrances))(
  '500 that come and go at once at $name leave nothing',
  async (entrance) => {
    const stage = await startStage({ maxConnections: 1000 })
    for (let round = 0; round < 10; round += 1) {
      const links = await Promise.all(Array.from({ length: 50 }, () => stage.dial()))
      await Promise.all(links.map((link) => link.write(requestOf(entrance, '/live?channel=mine'))))
      // Half of them before they are answered.
      for (const link of links.slice(25)) link.reset()
      await Promise.all(links.slice(0, 25).map((link) => link.hears('\r\n\r\n')))
      for (const link of links) link.reset()
    }
    await isWell(stage)
  },
)

test.each(Object.values(entrances))(
  '40 that never read at $name are closed, and nobody else waits',
  async (entrance) => {
    const stage = await startStage({ maxConnections: 100, maxQueuedBytes: 64 * 1024 })
    const sockets = Array.from({ length: 40 }, () => connect({ port: stage.port, host: '127.0.0.1' }))
    for (const socket of sockets) {
      socket.on('error', () => {
        // It is destroyed for reading nothing.
      })
      socket.pause().write(requestOf(entrance, '/live?channel=mine'), 'latin1')
    }
    await vi.waitFor(() => expect(stage.peers()).toBe(40 + stage.bystanders.length))
    for (let sent = 0; sent < 200 && stage.peers() > stage.bystanders.length; sent += 1) {
      await stage.publish('mine', 'x'.repeat(128 * 1024))
      for (const { hears } of stage.bystanders) await hears('xxx')
      await stage.turn()
    }
    await vi.waitFor(() => expect(stage.peers()).toBe(stage.bystanders.length))
    for (const socket of sockets) socket.destroy()
    await isWell(stage)
  },
)

test('2,000 streams of HTTP/2 that are reset at once leave the others alone', async () => {
  const hub = createHub({ maxConnections: 3000 })
  const server = createHttp2Server()
  serve(hub, server, { path: '/live' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const [honest, hostile] = [connectHttp2(url), connectHttp2(url)]
  onTestFinished(async () => {
    for (const session of [honest, hostile]) session.destroy()
    await hub.close()
    server.close()
  })
  hostile.on('error', () => {
    // Node may end a session that resets too much.
  })
  const stream = honest.request({ ':path': '/live?channel=mine' })
  await once(stream, 'response')
  for (let sent = 0; sent < 2000 && !hostile.destroyed; sent += 1) {
    const request = hostile.request({ ':path': '/live?channel=mine' })
    request.on('error', () => {
      // It is reset.
    })
    request.close(constants.NGHTTP2_CANCEL)
    if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await vi.waitFor(() => expect(hub.peers.size).toBe(1))
  let heard = ''
  stream.setEncoding('utf8').on('data', (part) => {
    heard += part
  })
  await hub.publish('mine', 'still here')
  await vi.waitFor(() => expect(heard).toContain('still here'))
})
