import { createBunHandler } from '@eitherway/server/bun'
import { createHandler, createHub } from '@eitherway/server/web'

/** As much of the two as is used: each is there in its own runtime only. */
declare const Bun: { serve(options: object): { port: number } }
declare const Deno: {
  serve(
    options: object,
    handle: (request: Request, info: object) => Promise<Response>,
  ): { addr: { port: number } }
  upgradeWebSocket: NonNullable<Parameters<typeof createHandler>[1]>['upgrade']
}

/** A hub behind Bun's or Deno's own server: at `/live` its clients, at `/publish` and `/stats` whoever judges it. */
export async function start(): Promise<void> {
  const hub = createHub({
    heartbeatMs: 500,
    // By which connections are counted: an entrance that does not know it lets in nobody here.
    authorize: ({ remote }) =>
      remote?.address === '127.0.0.1' ? { context: undefined } : { status: 401, reason: 'from nowhere' },
    authorizeChannel: (_, channel) => channel !== 'theirs',
    onError: (error) => console.error(String(error)),
  })
  await hub.publish('theirs', 'a secret')
  hub.onMessage(({ event, data }, peer) => peer.send(/[\r\n\0]/.test(event) ? 'echo' : event, data))
  const options = { hosts: ['test'], origins: ['https://app.example'], maxMessageBytes: 4096 }
  const judged = async (url: string): Promise<Response> => {
    const { pathname, searchParams } = new URL(url)
    if (pathname === '/publish') await hub.publish('mine', searchParams.get('text'))
    return Response.json(hub.stats())
  }
  const isLive = (url: string) => !/\/(stats|publish)\b/.test(url)
  const own = { port: 0, hostname: '127.0.0.1' }
  if ('Bun' in globalThis) {
    const { fetch, websocket } = createBunHandler(hub, options)
    const { port } = Bun.serve({
      ...own,
      websocket,
      fetch: (request: Request, server: Parameters<typeof fetch>[1]) =>
        isLive(request.url) ? fetch(request, server) : judged(request.url),
    })
    console.log(JSON.stringify(port))
  } else {
    const handle = createHandler(hub, { ...options, upgrade: Deno.upgradeWebSocket! })
    const { addr } = Deno.serve({ ...own, onListen: () => undefined }, (request, info) =>
      isLive(request.url) ? handle(request, info) : judged(request.url),
    )
    console.log(JSON.stringify(addr.port))
  }
}
