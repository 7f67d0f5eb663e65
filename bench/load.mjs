import { connect } from 'node:net'
import { rawGreeting } from './contender.mjs'
import { StampReader } from './stamp.mjs'
import { answer } from './talk.mjs'
import { createReader, requestOf } from './wire.mjs'

/** The clients' process: raw TCP, counts exactly what arrives. One for each server, so that each meets the same code. */

/** With what each has received since `expect`. @type {Map<import('node:net').Socket, { units: number }>} */
const sockets = new Map()
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

/**
 * While it is not `undefined`, stamps are read: for each intended instant, the milliseconds from there to each arrival.
 * @type {Map<number, number[]> | undefined}
 */
let latencies
/** How many are in there. */
let heard = 0

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
    const own = { units: 0 }
    const hear = (/** @type {number} */ nanoseconds) => {
      const ms = (Number(process.hrtime.bigint()) - nanoseconds) / 1e6
      const others = latencies?.get(nanoseconds)
      if (others === undefined) latencies?.set(nanoseconds, [ms])
      else others.push(ms)
      heard += 1
    }
    const callback = (/** @type {number} */ size) => {
      const chunk = memory.subarray(0, size)
      const before = tally.units
      reader.read(chunk)
      own.units += tally.units - before
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
    sockets.set(socket, own)
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

/**
 * The latencies by message, once so many have arrived or no more do.
 * @param {number} count
 */
async function heardOf(count) {
  await settle(() => heard >= count)
  const all = [...(latencies?.values() ?? [])]
  latencies = undefined
  return all
}

answer({
  control: ({ port }) =>
    new Promise((resolve, reject) => {
      control = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(undefined))
      control.on('error', reject)
    }),

  /** Opens connections up to `total`, so many at a time, and waits until each was greeted and sent `units` besides. */
  async connect({ port, dialect, other = dialect, total, atOnce = 128, lastEventId = '', units = 0 }) {
    let left = total - sockets.size
    const worker = async () => {
      while (left > 0 && tally.failure === undefined) {
        left -= 1
        const spoken = left % 2 === 0 ? dialect : other
        await open(port, spoken, requestOf(spoken, lastEventId))
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
    for (const own of sockets.values()) own.units = 0
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

  /** The fewest and the most units that a client has received, of those that are connected. */
  each() {
    const all = Float64Array.from(sockets.values(), ({ units }) => units).sort()
    return { clients: all.length, least: all[0], most: all.at(-1) }
  },

  listen() {
    latencies = new Map()
    heard = 0
  },

  /** Of all arrivals. */
  latencies: async ({ count }) => (await heardOf(count)).flat(),

  /** Of the last arrival of each message. */
  lasts: async ({ count }) => (await heardOf(count)).map((all) => Float64Array.from(all).sort().at(-1)),

  /** Leaves at once, without a word and without a port in TIME_WAIT. */
  async leave() {
    const closed = [...sockets.keys()].map(
      (socket) => new Promise((resolve) => socket.once('close', resolve)),
    )
    for (const socket of sockets.keys()) socket.resetAndDestroy()
    await Promise.all(closed)
    counted = 0
    Object.assign(tally, { greeted: 0, units: 0, bytes: 0 })
    due = Number.POSITIVE_INFINITY
  },
})
