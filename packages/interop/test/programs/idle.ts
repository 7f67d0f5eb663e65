import { createBunHandler, createHandler, createHub } from '@eitherway/server/bun'
import { Hono } from 'hono'
import { print } from './print.ts'

declare const Bun: { serve(options: object): { readonly port: number } }

/** Streams that are silent for longer than Bun bears: ours, one of them behind Hono, and one that is not. Tells what became of each. */
export async function start(): Promise<void> {
  const hub = createHub({ heartbeatMs: 0 })
  const live = createBunHandler(hub)
  const silent = () =>
    new Response(new ReadableStream({ start: (controller) => controller.enqueue(Uint8Array.of(58)) }))
  const handle = createHandler(hub)
  const app = new Hono().all('/hono', (context) => handle(context.req.raw, context))
  const { port } = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 1,
    routes: { '/live': live.fetch, '/silent': silent },
    fetch: app.fetch,
    websocket: live.websocket,
  })
  const origin = `http://127.0.0.1:${port}`

  async function follow(path: string): Promise<(wanted: string) => Promise<void>> {
    const { body } = await fetch(`${origin}${path}?channel=news`)
    const reader = body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    return async (wanted) => {
      while (!text.includes(wanted)) {
        const { done, value } = (await reader?.read()) ?? { done: true }
        if (done) throw new Error(`the stream of ${path} ended after ${text}`)
        text += value
      }
    }
  }
  const ours = [await follow('/live'), await follow('/hono')]
  for (const hears of ours) await hears('~hello')
  const other = await fetch(`${origin}/silent`)
  print(
    await other.text().then(
      () => 'the other ended',
      () => 'the other was cut',
    ),
  )
  await hub.publish('news', 'still here')
  for (const hears of ours) await hears('still here')
  print('ours live')
  process.exit()
}
