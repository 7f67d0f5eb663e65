import { createBunHandler } from '@eitherway/server/bun'
import { createHandler } from '@eitherway/server/web'
import { runSuite, type Serve } from './own-server.ts'

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

const onBun: Serve = async (hub) => {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', ...createBunHandler(hub) })
  return { port: server.port, close: () => server.stop(true) }
}

const onDeno: Serve = async (hub) => {
  const handle = createHandler(hub, { upgrade: Deno.upgradeWebSocket! })
  const options = { port: 0, hostname: '127.0.0.1', onListen: () => undefined }
  const server = Deno.serve(options, handle)
  return { port: server.addr.port, close: () => server.shutdown() }
}

/** The conformance suite of a transport, on the servers of Bun and Deno. */
export async function start({ transport }: { transport: 'sse' | 'ws' | 'sse+post' }): Promise<void> {
  // Neither runtime's socket can be paused.
  await runSuite(transport, 'Bun' in globalThis ? onBun : onDeno, { holdsBack: false })
}
