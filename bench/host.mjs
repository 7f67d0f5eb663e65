import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { contenderOf, listen } from './contender.mjs'
import { stamped } from './stamp.mjs'
import { answer } from './talk.mjs'

/** The server's process: runs one contender, publishes as it is told, and tells what that cost. */
const [name = '', options = '{}'] = process.argv.slice(2)
const house = await (await contenderOf(name)).start(JSON.parse(options))

/** The load generator says here that everything has arrived: a byte, straight, since a detour would cost CPU. @type {() => unknown} */
let acknowledged = () => undefined
const control = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.on('data', () => acknowledged())
})
const controlPort = await listen(control)

const immediately = () => new Promise((resolve) => setImmediate(resolve))
const collect = Reflect.get(globalThis, 'gc') ?? Reflect.get(globalThis, 'Bun')?.gc

/** @type {NodeJS.CpuUsage} */
let before = process.cpuUsage()
const begin = () => {
  before = process.cpuUsage()
}
/** Microseconds of user and system together. */
const spent = () => {
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** Longer than any tick takes to arrive; a message that is lost must not hold up everything. */
const patienceMs = 20_000

answer({
  ports: () => ({ port: house.port, controlPort }),
  peers: () => house.peers(),
  clock: () => Number(process.hrtime.bigint()),
  begin,
  spent,

  /** Ticks, `window` of them between two acknowledgements, for so long. */
  async slice({ data, perTick, window, sliceMs }) {
    const messages = Array(perTick).fill(data)
    const start = performance.now()
    begin()
    let ticks = 0
    let isLost = false
    do {
      const arrived = new Promise((resolve) => {
        acknowledged = () => resolve(true)
      })
      for (let left = window; left > 0; left--) {
        await immediately()
        house.publish(messages)
      }
      ticks += window
      const timer = setTimeout(() => {
        isLost = true
        acknowledged()
      }, patienceMs)
      await arrived
      clearTimeout(timer)
    } while (!isLost && performance.now() - start < sliceMs)
    return { ticks, cpu: spent(), wallMs: performance.now() - start }
  },

  /**
   * An open loop: a message at each instant, whether the one before has arrived or not. What the instant is waited for
   * with is not in what was spent.
   */
  async pace({ padding, perSecond, count, clockOffset }) {
    const now = () => Number(process.hrtime.bigint())
    const step = 1e9 / perSecond
    // Off the grid of the clock's own ticks.
    const start = now() + 5e6 + Math.random() * 1e6
    for (let sent = 0; sent < count; sent++) {
      const due = Math.round(start + sent * step)
      const ahead = (due - now()) / 1e6
      if (ahead > 3) await wait(ahead - 2)
      // Timers are a millisecond coarse. Not a bare loop: what is still to be written must be.
      const waiting = process.cpuUsage()
      while (now() < due) await immediately()
      const waited = process.cpuUsage(waiting)
      before = { user: before.user + waited.user, system: before.system + waited.system }
      house.publish([stamped(due + clockOffset, padding)])
    }
  },

  /** What a publish costs, with whoever listens. */
  async publishes({ data, count, channels, perTurn }) {
    for (let channel = 0; channel < channels; channel++) house.publish([data], `channel-${channel}`)
    await immediately()
    begin()
    for (let sent = 0; sent < count; ) {
      for (let turn = 0; turn < perTurn && sent < count; turn++, sent++) {
        house.publish([data], channels === 0 ? undefined : `channel-${sent % channels}`)
      }
      await immediately()
    }
    return spent() / count
  },

  miss: ({ count, data }) => house.miss?.(count, data),
  replay: ({ bytes }) => house.replay?.(bytes),

  /** Resident bytes once everything that can be collected is. */
  async memory() {
    for (let round = 0; round < 4; round++) {
      collect?.(true)
      await wait(50)
    }
    return process.memoryUsage().rss
  },
})
