import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@eitherway/server'
import { runSuite } from './own-server.ts'

/** The conformance suite of a transport, on Node's server. */
export async function start({ transport }: { transport: 'sse' | 'ws' | 'sse+post' }): Promise<void> {
  await runSuite(
    transport,
    async (hub) => {
      const server = createServer()
      serve(hub, server, { path: '/live' })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return {
        port: (server.address() as AddressInfo).port,
        close: () => new Promise((resolve) => server.close(resolve)),
      }
    },
    { holdsBack: true },
  )
}
