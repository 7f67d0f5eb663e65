import { greeting } from '../contender.mjs'

/** Server-Sent Events by hand on Bun: a loop over direct streams. @type {import('../contender.mjs').Contender} */
export default {
  title: 'Bun, direct streams (native)',
  kind: 'peer',
  dialect: 'sse',
  bare: 'bare-http',
  runtime: 'bun',
  async start() {
    /** @type {Set<DirectController>} */
    const controllers = new Set()
    const encoder = new TextEncoder()
    const respond = (/** @type {Request} */ request) => {
      const stream = {
        type: 'direct',
        pull(/** @type {DirectController} */ controller) {
          controller.write(`data: ${greeting}\n\n`)
          void controller.flush()
          controllers.add(controller)
          return new Promise((resolve) =>
            request.signal.addEventListener('abort', () => {
              controllers.delete(controller)
              resolve(undefined)
            }),
          )
        },
      }
      const body = new ReadableStream(/** @type {UnderlyingSource} */ (/** @type {unknown} */ (stream)))
      return new Response(body, {
        headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' },
      })
    }
    const server = Reflect.get(globalThis, 'Bun').serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: respond,
    })
    return {
      port: server.port,
      publish(messages) {
        for (const message of messages) {
          const block = encoder.encode(`data: ${JSON.stringify(message)}\n\n`)
          for (const controller of controllers) {
            controller.write(block)
            void controller.flush()
          }
        }
      },
      peers: () => controllers.size,
    }
  },
}

/**
 * The little of Bun's types that is used here.
 * @typedef {{ write(chunk: string | Uint8Array): unknown, flush(): unknown }} DirectController
 */
