import { pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'

/** Two hubs, whose brokers are on Redis. @type {import('../nodes.mjs').NodeContender} */
export default {
  title: '**Ours, from hub to hub**',
  kind: 'ours',
  async open({ port, role, heard, root }) {
    const from = (/** @type {string} */ name) =>
      import(pathToFileURL(`${root}/packages/${name}/dist/index.js`).href)
    const { redisBroker } = await from('redis')
    const { createHub } = await from('server')
    const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
    const broker = redisBroker({ client })
    const hub = createHub({ broker })
    if (role === 'hears') {
      broker.subscribe((/** @type {string} */ _, /** @type {{ data: string }} */ { data }) =>
        heard(JSON.parse(data)),
      )
    }
    await broker.position()
    return { publish: (data) => hub.publish('bench', data) }
  },
}
