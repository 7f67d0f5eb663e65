import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { ServerConnection } from '@eitherway/core'
import { type TransportSetup, transportSuite } from '@eitherway/core/testing'
import { ssePost } from '@eitherway/post/client'
import type { createHandler } from '@eitherway/server/web'
import { sse } from '@eitherway/sse/client'
import { ws } from '@eitherway/ws/client'
import { createTests, printOutcomes } from './outcomes.ts'

/** A runtime's own server, with whatever admits. */
export type Serve = (
  hub: Parameters<typeof createHandler>[0],
) => Promise<{ port: number; close(): Promise<unknown> }>

/** A server with a cable before it, which can be cut. */
async function setUp<D extends 'one-way' | 'two-way'>(
  serve: Serve,
  transport: TransportSetup<D>['transport'],
): Promise<TransportSetup<D>> {
  const waiting: ((connection: ServerConnection) => void)[] = []
  const server = await serve({
    admit: () => (connection) => waiting.shift()?.(connection),
    refused: () => undefined,
  })
  const sockets = new Set<Socket>()
  const cable = createServer((near) => {
    const far = connect(server.port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => cable.listen(0, '127.0.0.1', () => resolve()))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    transport,
    url: new URL(`http://127.0.0.1:${(cable.address() as AddressInfo).port}/live`),
    accepted: () => new Promise((resolve) => waiting.push(resolve)),
    network: { cut, nowhere: new URL('http://127.0.0.1:1/live') },
    async close() {
      cut()
      cable.close()
      await server.close()
    },
  }
}

/** Runs the conformance suite of a transport where this runs, both ends of it, and prints what became of each test. */
export async function runSuite(
  transport: 'sse' | 'ws' | 'sse+post',
  serve: Serve,
  options: { holdsBack: boolean },
): Promise<void> {
  const tests = createTests()
  const { test } = tests
  if (transport === 'sse') {
    transportSuite({ test, direction: 'one-way', network: true, setup: () => setUp(serve, sse()) })
  } else if (transport === 'sse+post') {
    transportSuite({ test, direction: 'two-way', network: true, setup: () => setUp(serve, ssePost()) })
  } else {
    transportSuite({
      test,
      direction: 'two-way',
      network: true,
      ...options,
      setup: () => setUp(serve, ws()),
    })
  }
  await printOutcomes(tests)
  // What is left of a link would keep it running.
  process.exit()
}
