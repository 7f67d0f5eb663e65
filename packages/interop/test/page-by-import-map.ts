import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createHub, serve } from '@eitherway/server'
import { nextPeer } from './harness.ts'

const guide = readFileSync(new URL('../../../docs/guides/without-a-bundler.md', import.meta.url), 'utf8')

/** The page of the guide, word for word. */
const page = /^```html\n(.*?)^```$/ms.exec(guide)?.[1] ?? ''

/** What its map names. */
export const mapped = Object.keys(
  JSON.parse(/<script type="importmap">(.*?)<\/script>/s.exec(page)?.[1] ?? '{"imports":{}}').imports,
)

/** A hub, and before it a server that hands out the page over each transport and what lies in `node_modules/…/dist`. */
export async function servePage(folder: string) {
  const hub = createHub()
  const server = createServer(({ url = '' }, response) => {
    const file = /^\/node_modules\/(?:@eitherway\/)?[a-z-]+\/dist\/[\w-]+\.js$/.test(url) && join(folder, url)
    if (file && existsSync(file)) {
      response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(readFileSync(file))
      return
    }
    const transport = decodeURIComponent(url.slice(1))
    const text = page.replace("transport: 'sse'", `transport: '${transport}'`)
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(text)
  })
  serve(hub, server, { path: '/live' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    hub,
    nextPeer: () => nextPeer(hub),
    address: (transport: string) => `http://127.0.0.1:${port}/${encodeURIComponent(transport)}`,
    async [Symbol.asyncDispose]() {
      await hub.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
