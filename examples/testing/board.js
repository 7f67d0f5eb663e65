// A price board: the part of it that runs beside the hub, and the part that runs in a page. Neither knows its transport, so
// the tests beside this file run both without a socket.
import { connect } from '@eitherway/client'

/** @typedef {Record<string, number>} Prices */

/**
 * The server's part: keeps the prices, publishes each change, and takes orders.
 * @param {import('@eitherway/server').Hub} hub
 */
export function createBoard(hub) {
  /** @type {Prices} */
  const prices = {}
  /** @type {{ name: string, count: number }[]} */
  const orders = []
  hub.onMessage(({ event, data }) => {
    if (event === 'order') orders.push(/** @type {{ name: string, count: number }} */ (data))
  })
  return {
    prices,
    orders,
    /**
     * @param {string} name
     * @param {number} price
     */
    async set(name, price) {
      prices[name] = price
      await hub.publish('prices', { [name]: price })
    },
  }
}

/**
 * The page's part: holds what it heard, and reads all of it again when something was lost.
 * @template {import('@eitherway/client').Transport | 'sse' | 'ws'} T
 * @param {string} url
 * @param {{ transport: T, read: () => Promise<Prices> }} options
 */
export function watchBoard(url, { transport, read }) {
  /** @type {Prices} */
  let prices = {}
  const client = connect(url, { transport, channels: ['prices'] })
  client.on('prices', (/** @type {Prices} */ change) => Object.assign(prices, change))
  client.onGap(async () => {
    prices = await read()
  })
  return {
    client,
    get prices() {
      return prices
    },
  }
}
