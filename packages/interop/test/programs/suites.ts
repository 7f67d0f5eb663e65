import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { ServerConnection } from '@eitherway/core'
import { type TransportSetup, transportSuite } from '@eitherway/core/testing'
import { ssePost } from '@eitherway/post/client'
import { createBunHandler } from '@eitherway/server/bun'
import { createHandler } from '@eitherway/server/web'
import { sse } from '@eitherway/sse/client'
import { ws } from '@eitherway/ws/client'

/** A runtime's own server, with whatever admits. */
type Serve = (hub: Parameters<typeof createHandler>[0]) => { port: number; close(): Promise<unknown> }

/** As much of the two as is used: each is there in its own runtime only. */
declare const Bun: {
  serve(options: object): { port: number; stop(now: boolean): Promise<void> }
}
declare const Deno: {
  serve(
    options: object,
    handle: (request: Request, info: object) => unknown,
  ): {
    addr: { port: number }
    shutdown(): Promise<void>
  }
  upgradeWebSocket: NonNullable<Parameters<typeof createHandler>[1]>['upgrade']
}

const onBun: Serve = (hub) => {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', ...createBunHandler(hub) })
  return { port: server.port, close: () => server.stop(true) }
}

const onDeno: Serve = (hub) => {
  const handle = createHandler(hub, { upgrade: Deno.upgradeWebSocket! })
  const options = { port: 0, hostname: '127.0.0.1', onListen: () => undefined }
  const server = Deno.serve(options, handle)
  return { port: server.addr.port, close: () => server.shutdown() }
}

/** A server with a cable before it, which can be cut. */
async function setUp<D extends 'one-way' | 'two-way'>(
  serve: Serve,
  transport: TransportSetup<D>['transport'],
): Promise<TransportSetup<D>> {
  const waiting: ((connection: ServerConnection) => void)[] = []
  const server = serve({
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

/** Runs the conformance suite of a transport where this runs, and says what became of each test. */
export async function start({
  transport,
  only = '',
}: {
  transport: 'sse' | 'ws' | 'sse+post'
  only?: string
}): Promise<void> {
  const serve = 'Bun' in globalThis ? onBun : onDeno
  const tests: { name: string; run: () => void | Promise<void> }[] = []
  const test = (name: string, run: () => void | Promise<void>) => tests.push({ name, run })
  if (transport === 'sse') {
    transportSuite({ test, direction: 'one-way', network: true, setup: () => setUp(serve, sse()) })
  } else if (transport === 'sse+post') {
    transportSuite({ test, direction: 'two-way', network: true, setup: () => setUp(serve, ssePost()) })
  } else {
    transportSuite({
      test,
      direction: 'two-way',
      network: true,
      // Neither runtime's socket can be paused.
      holdsBack: false,
      setup: () => setUp(serve, ws()),
    })
  }
  for (const { name, run } of tests) {
    if (!name.includes(only)) continue
    try {
      await run()
      console.log(JSON.stringify([name, 'fine']))
    } catch (error) {
      console.log(JSON.stringify([name, String(error)]))
    }
  }
  console.log(JSON.stringify('end'))
  // What is left of a link would keep it running.
  process.exit()
}
