// What compression saves and costs: `npm run build`, then `node bench/compression.mjs`. Two minutes; the figures are in
// docs/guides/compression.md. A server in a process of its own, raw sockets that read and throw away.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { constants, createGzip } from 'node:zlib'
import { createHub, serve } from '@eitherway/server'
import { WebSocketServer } from 'ws'

const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n'
const gzip = 'Accept-Encoding: gzip\r\n'

/**
 * Sends a turn's messages to all; fulfils when they are on their way.
 * @typedef {(messages: string[]) => Promise<void>} Publish
 */

/**
 * How it is asked, and how it is served.
 * @type {Record<string, { head: string, open: (server: import('node:http').Server) => Publish }>}
 */
const contenders = {
  'sse off': { head: gzip, open: (server) => ours(server, false) },
  'sse on': { head: gzip, open: (server) => ours(server, true) },
  'sse, a gzip for each': { head: gzip, open: gzipEach },
  'ws off': { head: upgrade, open: (server) => ours(server, false) },
  'ws on': { head: upgrade, open: (server) => ours(server, true) },
  'ws, a deflate for each': { head: upgrade, open: deflateEach },
}

/**
 * @param {import('node:http').Server} server
 * @param {boolean} compression
 * @returns {Publish}
 */
function ours(server, compression) {
  const hub = createHub({ format: 'text', heartbeatMs: 0, maxQueuedBytes: 1e9 })
  serve(hub, server, { path: '/live', compression })
  return async (messages) => {
    await Promise.all(messages.map((data) => hub.publish('prices', data)))
    await turn()
  }
}

/**
 * @param {import('node:http').Server} server
 * @returns {Publish}
 */
function gzipEach(server) {
  /** @type {Set<import('node:zlib').Gzip>} */
  const streams = new Set()
  server.on('request', (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' })
    response.flushHeaders()
    const stream = createGzip()
    stream.pipe(response)
    streams.add(stream)
  })
  let id = 0
  return async (messages) => {
    const blocks = messages.map((data) => {
      id += 1
      return `id: 1mj014cjjf-${id}\nevent: prices\ndata: ${data}\n\n`
    })
    await Promise.all(
      [...streams].map((stream) => {
        stream.write(blocks.join(''))
        return new Promise((resolve) => stream.flush(constants.Z_SYNC_FLUSH, () => resolve(undefined)))
      }),
    )
  }
}

/**
 * @param {import('node:http').Server} server
 * @returns {Publish}
 */
function deflateEach(server) {
  const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } })
  let id = 0
  return async (messages) => {
    /** @type {Promise<unknown>[]} */
    const sent = []
    for (const data of messages) {
      id += 1
      for (const client of sockets.clients) {
        sent.push(new Promise((resolve) => client.send(`1mj014cjjf-${id}\nprices\n${data}`, resolve)))
      }
    }
    await Promise.all(sent)
  }
}

/**
 * Rows of a market, never the same.
 * @param {number} bytes
 * @param {number} seed
 */
function createData(bytes, seed) {
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state / 0x7fffffff
  }
  /** @param {string[]} items */
  const pick = (items) => items[Math.floor(random() * items.length)]
  const row = () => ({
    id: `ord_${Math.floor(random() * 1e9).toString(36)}`,
    symbol: pick(['EURUSD', 'GBPUSD', 'USDJPY', 'AUDCAD', 'AAPL', 'MSFT']),
    bid: Number((random() * 200).toFixed(4)),
    ask: Number((random() * 200).toFixed(4)),
    size: Math.floor(random() * 1e5),
    at: 1790000000000 + Math.floor(random() * 1e8),
    venue: 'LMAX',
    side: pick(['buy', 'sell']),
  })
  const rows = []
  for (let size = 0; size < bytes; size += 128) rows.push(row())
  return JSON.stringify(rows).slice(0, bytes)
}

/**
 * What is sent, and how often.
 * @typedef {{ bytes: number, burst: number, turns: number }} Case
 */

/**
 * The server, which measures itself.
 * @param {string} name
 */
async function child(name) {
  const server = createServer()
  const publish = contenderOf(name).open(server)
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set()
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  process.send?.({ port })
  let seed = 0
  process.on('message', async (/** @type {Case} */ { bytes, burst, turns }) => {
    const written = () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0)
    const drained = async () => {
      while ([...sockets].some((socket) => socket.writableLength > 0)) await turn()
    }
    // More than a window of deflate holds, or a context of its own would find each message again as a whole.
    const data = Array.from({ length: Math.ceil(200_000 / bytes) }, () => {
      seed += 1
      return createData(bytes, seed)
    })
    let next = 0
    const run = async (/** @type {number} */ count) => {
      for (let at = 0; at < count; at += 1) {
        await publish(Array.from({ length: burst }, () => data[next++ % data.length] ?? ''))
        await drained()
      }
    }
    await run(Math.ceil(turns / 4))
    const before = written()
    const cpu = process.cpuUsage()
    await run(turns)
    const { user, system } = process.cpuUsage(cpu)
    const deliveries = turns * burst * sockets.size
    process.send?.({
      bytes: (written() - before) / deliveries,
      micros: (user + system) / deliveries,
      rss: process.memoryUsage.rss(),
    })
  })
}

/** @param {string} name */
function contenderOf(name) {
  const contender = contenders[name]
  if (contender === undefined) throw new Error(`there is no contender "${name}"`)
  return contender
}

/**
 * @param {string} name
 * @param {number} peers
 * @param {{ bytes: number, burst: number }[]} cases
 */
async function measure(name, peers, cases) {
  const server = fork(fileURLToPath(import.meta.url), [name])
  const [{ port }] = await once(server, 'message')
  const sockets = await Promise.all(
    Array.from({ length: peers }, async () => {
      const socket = connect(port, '127.0.0.1')
      socket.write(`GET /live?channel=prices HTTP/1.1\r\nHost: test\r\n${contenderOf(name).head}\r\n`)
      await once(socket, 'data')
      return socket.resume()
    }),
  )
  await pause(200)
  for (const { bytes, burst } of cases) {
    const turns = Math.max(peers === 1000 ? 4 : 20, Math.min(1_500, Math.round(20_000 / peers / burst)))
    server.send({ bytes, burst, turns })
    const [result] = await once(server, 'message')
    console.log(
      `${name} | ${peers} | ${bytes} | ${burst} | ${result.bytes.toFixed(0)} | ${result.micros.toFixed(2)} | ${Math.round(result.rss / 2 ** 20)} MiB`,
    )
  }
  for (const socket of sockets) socket.destroy()
  server.kill()
}

const [name = '', ...wanted] = process.argv.slice(2)
if (process.send !== undefined) await child(name)
else {
  console.log(
    'contender | peers | bytes | messages in a turn | bytes on the wire | CPU in µs, each for one message and peer | memory',
  )
  const cases = [100, 450, 4096].flatMap((bytes) => [1, 10].map((burst) => ({ bytes, burst })))
  for (const peers of wanted.length > 0 ? wanted.map(Number) : [1, 100, 1000]) {
    for (const contender of Object.keys(contenders)) {
      if (contender.startsWith(name)) await measure(contender, peers, cases)
    }
  }
}
