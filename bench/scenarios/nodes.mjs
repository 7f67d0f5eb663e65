import { Redis } from 'ioredis'
import { interleaved } from '../bench.mjs'
import { textOf } from '../contender.mjs'
import { nodeContenderOf, nodeNames, startRedis } from '../nodes.mjs'
import { pathOf, start, stop } from '../pair.mjs'
import { quantile } from '../spread.mjs'
import { asker } from '../talk.mjs'

const bytes = 100
/** Socket.IO's adapter keeps some 10,000 in its stream: who is further behind loses them. */
const messages = 8000
const patienceMs = 20_000

const titles = new Map(
  await Promise.all(
    nodeNames.map(async (name) => /** @type {const} */ ([name, await nodeContenderOf(name)])),
  ),
)

const inFlight = 1000

/** @type {import('../bench.mjs').Scenario} */
export default {
  name: 'nodes',
  title: 'From node to node',
  about: `Two processes and a \`redis-server\`, all on this machine, without anything on disk. *Throughput*: one publishes
${messages} messages of ${bytes} bytes, 100 in a turn of the event loop, none awaited before the next, until the other has heard
all; ours confirms each and keeps its history, Socket.IO's adapter and the bare commands have one stream of some 10,000. *Awaited*:
${inFlight} callers, each of whom awaits its message before its next; Socket.IO's adapter confirms nothing. *Latency*:
one message every 2 ms, from before it is published to where the other hears it.`,
  figures: [
    { name: 'wall', title: 'Time per message', unit: 'µs', base: 'bare', of: 'socket.io' },
    { name: 'redis', title: 'CPU of Redis per message', unit: 'µs', base: 'bare', of: 'socket.io' },
    {
      name: 'publisher',
      title: 'CPU of the publisher per message',
      unit: 'µs',
      base: 'bare',
      of: 'socket.io',
    },
    { name: 'listener', title: 'CPU of the listener per message', unit: 'µs', base: 'bare', of: 'socket.io' },
    {
      name: 'flight',
      title: `Time per message, ${inFlight} awaited at a time`,
      unit: 'µs',
      base: 'bare',
      of: 'bare',
    },
    { name: 'p50', title: 'Latency, median', unit: 'ms', base: 'bare', of: 'bare' },
    { name: 'p90', title: 'Latency, 90th percentile', unit: 'ms', base: 'bare', of: 'bare' },
  ],
  rowsOf: (rows) =>
    nodeNames.flatMap((name) => {
      const { title = name, kind } = titles.get(name) ?? {}
      const row = { contender: name, bare: 'bare', isMixed: false }
      return rows
        .filter(({ contender }) => contender === 'ours-ws')
        .slice(0, kind === 'ours' ? undefined : 1)
        .map(({ name: of, root }) => {
          const at = of.indexOf('@')
          return at === -1
            ? { ...row, name, title, root }
            : {
                ...row,
                name: `${name}${of.slice(at)}`,
                title: `${title.replaceAll('*', '')} of ${of.slice(at + 1)}`,
                root,
              }
        })
    }),
  estimateMs: ({ rounds }, rows) => (rounds + 1) * rows * 1200,
  async run(bench) {
    const { settings, rows, add, say } = bench
    const all = []
    try {
      for (const { name, contender, root } of rows) {
        say(`starting ${name}`)
        const redis = await startRedis()
        const options = { port: redis.port, root }
        const [publisher, listener] = /** @type {const} */ (['publishes', 'hears']).map((role, core) =>
          start(core, process.execPath, [
            pathOf('noding.mjs'),
            contender,
            JSON.stringify({ ...options, role }),
          ]),
        )
        if (publisher === undefined || listener === undefined) throw new Error('no processes')
        const info = new Redis({ port: redis.port, host: '127.0.0.1' })
        all.push({
          name,
          contender,
          redis,
          info,
          publisher,
          listener,
          from: asker(publisher, name),
          to: asker(listener, name),
        })
      }
      const data = textOf(bytes)
      say('throughput')
      await interleaved(bench, all, settings.rounds, async ({ name, info, from, to }, round) => {
        await to('begin', { timed: false })
        await from('begin', { timed: false })
        const before = await spentBy(info)
        const all = to('heard', { messages, patienceMs })
        const [began, { at }] = await Promise.all([from('burst', { data, messages, perTurn: 100 }), all])
        const one = { case: '', row: name, round }
        const redis = (await spentBy(info)) - before
        if (round < 0) return
        add({ ...one, figure: 'wall', value: (at - began) / 1e3 / messages })
        add({ ...one, figure: 'redis', value: redis / messages })
        add({ ...one, figure: 'publisher', value: (await from('spent')) / messages })
        add({ ...one, figure: 'listener', value: (await to('spent')) / messages })
      })
      say('awaited')
      const awaited = all.filter(({ contender }) => contender !== 'socket.io')
      await interleaved(bench, awaited, settings.rounds, async ({ name, from, to }, round) => {
        await to('begin', { timed: false })
        const [value] = await Promise.all([
          from('flight', { data, messages, inFlight }),
          to('heard', { messages, patienceMs }),
        ])
        if (round >= 0) add({ case: '', row: name, round, figure: 'flight', value: value / 1e3 / messages })
      })
      say('latency')
      const padding = 'x'.repeat(bytes - 20)
      const count = Math.max(50, settings.sliceMs)
      await interleaved(bench, all, settings.rounds, async ({ name, from, to }, round) => {
        await to('begin', { timed: true })
        const all = to('heard', { messages: count, patienceMs })
        const [, { latencies }] = await Promise.all([
          from('pace', { padding, messages: count, stepMs: 2 }),
          all,
        ])
        if (round < 0) return
        const sorted = Float64Array.from(latencies).sort()
        const one = { case: '', row: name, round }
        add({ ...one, figure: 'p50', value: quantile(sorted, 0.5) })
        add({ ...one, figure: 'p90', value: quantile(sorted, 0.9) })
      })
    } finally {
      for (const { info, publisher, listener, redis } of all) {
        info.disconnect()
        await Promise.all([stop(publisher), stop(listener)])
        await redis.end()
      }
    }
  },
}

/**
 * Microseconds that Redis has spent.
 * @param {Redis} info
 */
async function spentBy(info) {
  const text = await info.info('cpu')
  const of = (/** @type {string} */ kind) => Number(new RegExp(`used_cpu_${kind}:([0-9.]+)`).exec(text)?.[1])
  return (of('user') + of('sys')) * 1e6
}
