import { greeting } from '../contender.mjs'

/** Bun's own server: native code, and no ids or history. @type {import('../contender.mjs').Contender} */
export default {
  title: 'Bun, `publish` (native)',
  kind: 'peer',
  dialect: 'ws',
  bare: 'bare-ws',
  runtime: 'bun',
  async start() {
    let peers = 0
    const server = Reflect.get(globalThis, 'Bun').serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: (/** @type {Request} */ request, /** @type {BunServer} */ self) =>
        self.upgrade(request) ? undefined : new Response(null, { status: 426 }),
      websocket: {
        idleTimeout: 0,
        sendPings: false,
        backpressureLimit: 64 * 1024 * 1024,
        open(/** @type {BunSocket} */ socket) {
          peers++
          socket.subscribe('bench')
          socket.send(greeting)
        },
        message: () => undefined,
        close() {
          peers--
        },
      },
    })
    return {
      port: server.port,
      publish(messages) {
        for (const message of messages) server.publish('bench', JSON.stringify(message))
      },
      peers: () => peers,
    }
  },
}

/**
 * The little of Bun's types that is used here.
 * @typedef {{ upgrade(request: Request): boolean }} BunServer
 * @typedef {{ subscribe(topic: string): void, send(text: string): number }} BunSocket
 */
