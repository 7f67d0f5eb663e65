import { readers } from './readers.mjs'
import { answer } from './talk.mjs'

/** A reader's process: reads what it makes for itself, and tells what that cost. */
const [name = '', root = ''] = process.argv.slice(2)
const reader = readers[name]
if (reader === undefined) throw new Error(`there is no reader "${name}"`)

let left = 0
/** @type {() => void} */
let done = () => undefined
const feed = await reader.open(root, () => {
  left -= 1
  if (left === 0) done()
})
const collect = Reflect.get(globalThis, 'gc')

/** @type {Map<number, Stream>} */
const streams = new Map()

answer({
  /** Reads the stream again and again, for so long. */
  async slice({ sliceBytes, sliceMs }) {
    const stream = streams.get(sliceBytes) ?? streamOf(sliceBytes)
    streams.set(sliceBytes, stream)
    collect?.()
    const start = performance.now()
    const before = process.cpuUsage()
    let messages = 0
    do {
      left = stream.messages
      const heard = new Promise((resolve) => {
        done = () => resolve(0)
      })
      for (const turn of stream.turns) {
        feed(turn)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await heard
      messages += stream.messages
    } while (performance.now() - start < sliceMs)
    const { user, system } = process.cpuUsage(before)
    return { messages, cpu: user + system }
  },
})

/**
 * @typedef {object} Stream
 * @property {number} messages
 * @property {(readonly (string | Uint8Array)[])[]} turns - what comes in each turn of the event loop
 */

/**
 * A ticker: an id, an event and some 100 bytes of JSON.
 * @param {number} sliceBytes - of SSE; WebSocket keeps messages whole
 * @returns {Stream}
 */
function streamOf(sliceBytes) {
  const messages = sliceBytes < 1024 ? 1000 : 8000
  const ticks = Array.from({ length: messages }, (_, at) => ({ id: `1mj014cjjf-${at}`, data: tickOf(at) }))
  if (reader?.wire === 'ws') {
    // By way of bytes, as from a socket: a template is put together only when it is first read.
    const texts = ticks.map(({ id, data }) => Buffer.from(`${id}\ntick\n${data}`).toString())
    // As many as come from a socket in one read of 64 KiB.
    return { messages, turns: groupsOf(texts, 500) }
  }
  const bytes = Buffer.from(ticks.map(({ id, data }) => `id: ${id}\nevent: tick\ndata: ${data}\n\n`).join(''))
  const slices = Array.from({ length: Math.ceil(bytes.byteLength / sliceBytes) }, (_, at) =>
    Uint8Array.from(bytes.subarray(at * sliceBytes, (at + 1) * sliceBytes)),
  )
  return { messages, turns: [slices] }
}

/** @param {number} at */
function tickOf(at) {
  const bid = 1.08 + (at % 1000) / 1e5
  return JSON.stringify({
    symbol: 'EURUSD',
    bid,
    ask: bid + 0.0002,
    at: 1_800_000_000_000 + at,
    volume: 1000 + at,
  })
}

/**
 * @template T
 * @param {readonly T[]} items
 * @param {number} size
 */
function groupsOf(items, size) {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
    items.slice(at * size, (at + 1) * size),
  )
}
