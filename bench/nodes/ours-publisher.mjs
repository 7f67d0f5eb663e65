import { pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'
import ours from './ours.mjs'

/** A process without a hub publishes to one that has a hub. @type {import('../nodes.mjs').NodeContender} */
export default {
  title: '**Ours, from `createPublisher` to a hub**',
  kind: 'ours',
  async open(options) {
    if (options.role === 'hears') return ours.open(options)
    const { createPublisher } = await import(
      pathToFileURL(`${options.root}/packages/redis/dist/index.js`).href
    )
    const client = new Redis({ port: options.port, host: '127.0.0.1', lazyConnect: true })
    const publisher = createPublisher({ client })
    return { publish: (data) => publisher.publish('bench', data) }
  },
}
