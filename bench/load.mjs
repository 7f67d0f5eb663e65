import { connect } from 'node:net'
import { rawGreeting } from './contender.mjs'
import { StampReader } from './stamp.mjs'
import { answer } from './talk.mjs'
import { createReader, requestOf } from './wire.mjs'

/** The clients' process: raw TCP, counts exactly what arrives. One for each server, so that each meets the same code. */

/** @type {Set<import('node:net').Socket>} */
const sockets = new Set()
/** @type {import('./wire.mjs').Tally} */
const tally = { greeted: 0, units: 0, bytes: 0 }
/** All connections are read into the same memory. */
const memory = Buffer.allocUnsafe(256 * 1024)

/** How many units make the next acknowledgement due, and the step to the one after it. */
let due = Number.POSITIVE_INFINITY
let step = Number.POSITIVE_INFINITY
/** The units that were told of last. */
let counted = 0
/** @type {import('node:net').Socket | undefined} */
let control

/** While it is not `undefined`, stamps are read: milliseconds from the intended instants. @type {number[] | undefined} */
let latencies

/** Called after every read. @type {() => unknown} */
let changed = () => undefined

/**
 * @param {number} port
 * @param {import('./wire.mjs').Dialect} dialect
 * @param {string} request
 * @returns {Promise<void>} once it is connected; its greeting may still be on the way
 */
function open(port, dialect, request) {
  return new Promise((resolve, reject) => {
    const stamps = new StampReader()
    const hear = (/** @type {number} */ nanoseconds) =>
      latencies?.push((Number(process.hrtime.bigint()) - nanoseconds) / 1e6)
    const callback = (/** @type {number} */ size) => {
      const chunk = memory.subarray(0, size)
      reader.read(chunk)
      if (latencies !== undefined) stamps.read(chunk, hear)
      if (tally.units >= due) {
        due += step
        control?.write('.')
      }
      changed()
      return true
    }
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer: memory, callback } })
    const reader = createReader(dialect, tally, (bytes) => socket.write(bytes), rawGreeting.length)
    sockets.add(socket)
    socket.on('connect', () => {
      socket.write(request)
      resolve()
    })
    socket.on('error', (error) => {
      tally.failure ??= error.message
      reject(error)
    })
    socket.on('close', () => sockets.delete(socket))
  })
}

/** So long nothing has come when nothing more will. */
const silenceMs = 10_000

/**
 * Waits until so much has come, or nothing more does.
 * @param {() => boolean} isThere
 */
async function settle(isThere) {
  const isOver = () => isThere() || tally.failure !== undefined
  for (let before = -1; !isOver() && tally.bytes !== before; ) {
    before = tally.bytes
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, silenceMs)
      changed = () => {
        if (!isOver()) return
        clearTimeout(timer)
        resolve(undefined)
      }
    })
  }
  changed = () => undefined
}

answer({
  control: ({ port }) =>
    new Promise((resolve, reject) => {
      control = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(undefined))
      control.on('error', reject)
    }),

  /** Opens connections up to `total`, so many at a time, and waits until each was greeted and sent `units` besides. */
  async connect({ port, dialect, total, atOnce = 128, lastEventId = '', units = 0 }) {
    const request = requestOf(dialect, lastEventId)
    let left = total - sockets.size
    const worker = async () => {
      while (left > 0 && tally.failure === undefined) {
        left -= 1
        await open(port, dialect, request)
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, left) }, worker))
    await settle(() => tally.greeted >= total && tally.units >= units)
    if (tally.failure !== undefined) throw new Error(tally.failure)
    if (tally.greeted !== total) throw new Error(`${tally.greeted} of ${total} clients were greeted`)
    return { units: tally.units, bytes: tally.bytes }
  },

  /** From here on counts anew, and tells the server each time so many units have come. */
  expect({ units }) {
    const surplus = tally.units - counted
    if (surplus > 0) tally.failure ??= `${surplus} more than was sent came after all that was`
    tally.units = 0
    tally.bytes = 0
    counted = 0
    step = units
    due = units
  },

  counted() {
    due = Number.POSITIVE_INFINITY
    counted = tally.units
    if (tally.failure !== undefined) throw new Error(tally.failure)
    return { units: tally.units, bytes: tally.bytes }
  },

  listen() {
    latencies = []
  },

  async latencies({ count }) {
    const heard = latencies ?? []
    await settle(() => heard.length >= count)
    latencies = undefined
    return heard
  },

  /** Leaves at once, without a word and without a port in TIME_WAIT. */
  async leave() {
    const closed = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    for (const socket of sockets) socket.resetAndDestroy()
    await Promise.all(closed)
    counted = 0
    Object.assign(tally, { greeted: 0, units: 0, bytes: 0 })
    due = Number.POSITIVE_INFINITY
  },
})
