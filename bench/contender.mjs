import { randomBytes } from 'node:crypto'

/**
 * One server to be measured: a file in contenders/, run in a process of its own by host.mjs.
 * @typedef {object} Contender
 * @property {string} title
 * @property {'control' | 'ours' | 'peer'} kind
 * @property {import('./wire.mjs').Dialect} dialect - what its clients speak
 * @property {import('./wire.mjs').Dialect} [other] - what every second one speaks, where two wires share the port
 * @property {'raw-net' | 'bare-ws' | 'bare-http' | 'bare-both'} bare - the control that does the same by hand
 * @property {'node' | 'bun'} [runtime]
 * @property {(options: StartOptions) => Promise<House>} start
 *
 * @typedef {object} StartOptions
 * @property {string} root - the checkout that ours is taken from
 * @property {number} [historyMessages] - ours only: how many messages each channel keeps
 *
 * A contender that listens.
 * @typedef {object} House
 * @property {number} port
 * @property {(messages: readonly string[], channel?: string) => void} publish - one tick's messages, to every client
 * @property {() => number} peers - how many clients it has now
 * @property {(count: number, data: string) => Promise<string>} [miss] - publishes, and gives the id before the first
 * @property {(bytes: number) => void} [replay] - controls only: what each new client is sent at once
 */

/** The first message that every client of a control or peer is sent. Ours sends its own greeting. */
export const greeting = 'welcome'

/** What a raw client is sent first. */
export const rawGreeting = Buffer.from('HTTP/1.1 200 OK\r\n\r\nwelcome\n')

/**
 * Listens on a free port of the loopback.
 * @param {import('node:net').Server} server
 * @returns {Promise<number>}
 */
export async function listen(server) {
  await new Promise((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(0)),
  )
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port
}

/**
 * Text without a letter that any wire escapes, which JSON writes in exactly so many bytes. Random, so that nothing can be
 * gained by compressing it.
 * @param {number} bytes
 */
export function textOf(bytes) {
  return randomBytes(bytes)
    .toString('base64url')
    .slice(0, Math.max(0, bytes - 2))
}

/** Every contender, in the order of the tables. */
export const names = /** @type {const} */ ([
  'raw-net',
  'raw-net-joined',
  'bare-ws',
  'ours-ws',
  'socket.io',
  'crossws',
  'bun-ws',
  'bare-http',
  'ours-sse',
  'better-sse',
  'bun-sse',
  'bare-both',
  'ours-both',
])

/**
 * @param {string} name
 * @returns {Promise<Contender>}
 */
export async function contenderOf(name) {
  return (await import(new URL(`./contenders/${name}.mjs`, import.meta.url).href)).default
}
