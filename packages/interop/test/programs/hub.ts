import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHub, serve } from '@eitherway/server'
import { print } from './print.ts'

/** A server with a history of its own. It tells its port; what is posted to `/<channel>` is published there. */
export async function start({ port }: { port: number }): Promise<void> {
  const hub = createHub({ retryMs: 0 })
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    await hub.publish(request.url?.slice(1) ?? '', JSON.parse(text))
    response.writeHead(204).end()
  })
  serve(hub, server, { path: '/live' })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  print({ port: (server.address() as AddressInfo).port })
}
