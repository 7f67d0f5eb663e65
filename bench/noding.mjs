import { nodeContenderOf } from './nodes.mjs'
import { answer } from './talk.mjs'

/** One node's process: publishes as it is told, or tells what it has heard. */
const [name = '', options = '{}'] = process.argv.slice(2)
const { port, role, root } = JSON.parse(options)

let count = 0
let wanted = Number.POSITIVE_INFINITY
let isTimed = false
/** @type {number[]} */
let latencies = []
/** @type {() => void} */
let reached = () => undefined

const now = () => Number(process.hrtime.bigint())

/** @param {string} data */
function heard(data) {
  if (isTimed) latencies.push((now() - Number.parseInt(data, 10)) / 1e6)
  count += 1
  if (count === wanted) reached()
}

const { publish } = await (await nodeContenderOf(name)).open({ port, role, heard, root })
const immediately = () => new Promise((resolve) => setImmediate(resolve))
/** @type {NodeJS.CpuUsage} */
let before = process.cpuUsage()

answer({
  /** @param {{ timed: boolean }} what */
  begin({ timed }) {
    count = 0
    latencies = []
    isTimed = timed
    before = process.cpuUsage()
  },
  /** Microseconds of user and system together. */
  spent() {
    const { user, system } = process.cpuUsage(before)
    return user + system
  },
  /** @returns when so many have been heard, by the clock that all processes share. */
  async heard({ messages, patienceMs }) {
    if (count < messages) {
      wanted = messages
      await new Promise((resolve, reject) => {
        reached = () => resolve(0)
        setTimeout(() => reject(new Error(`${count} of ${messages} were heard`)), patienceMs).unref()
      })
      wanted = Number.POSITIVE_INFINITY
    }
    return { at: now(), latencies }
  },
  /** So many at once, some in each turn of the event loop, none awaited before the next. */
  async burst({ data, messages, perTurn }) {
    const at = now()
    /** @type {unknown[]} */
    const published = []
    for (let sent = 0; sent < messages; ) {
      for (let turn = 0; turn < perTurn && sent < messages; turn++, sent++) published.push(publish(data))
      await immediately()
    }
    await Promise.all(published)
    return at
  },
  /** So many are awaited at any time, until all are published. @returns how long that took, in nanoseconds. */
  async flight({ data, messages, inFlight }) {
    const at = now()
    let left = messages
    const one = async () => {
      while (left > 0) {
        left -= 1
        await publish(data)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, one))
    return now() - at
  },
  /** One after the other, some milliseconds between. */
  async pace({ padding, messages, stepMs }) {
    for (let sent = 0; sent < messages; sent++) {
      const due = now() + stepMs * 1e6 * (0.75 + Math.random() / 2)
      while (now() < due) await immediately()
      void publish(`${now()}${padding}`)
    }
  },
})
