import { interleaved, withPairs } from '../bench.mjs'
import { quantile } from '../spread.mjs'

const perSecond = 20
const padding = 'x'.repeat(79)

/** @type {import('../bench.mjs').Scenario} */
export default {
  name: 'latency',
  title: 'One-way latency',
  about: `${perSecond} messages of 100 bytes a second to every client, each due at an instant of its own (an open loop: a late
message does not delay the next). From the intended instant to the client's hand.`,
  figures: [
    { name: 'p50', title: 'Median', unit: 'ms', base: 'raw' },
    { name: 'p99', title: '99th percentile', unit: 'ms', base: 'raw' },
  ],
  estimateMs: (settings, rows) =>
    rows * (settings.rounds + 1) * ((countOf(settings) / perSecond) * 1000 + 50),
  async run(bench) {
    const { settings, rows, add, miss, say } = bench
    const clients = settings.latencyClients
    const count = countOf(settings)
    say(`${clients} clients`)
    await withPairs(rows, async (pairs) => {
      for (const pair of pairs) await pair.fill(clients)
      await interleaved(bench, pairs, settings.rounds, async (pair, round) => {
        await pair.load('listen')
        await pair.host('pace', { padding, perSecond, count, clockOffset: pair.clockOffset })
        /** @type {number[]} */
        const latencies = await pair.load('latencies', { count: count * clients })
        if (latencies.length !== count * clients) {
          miss(`${pair.name}: ${latencies.length} messages arrived of ${count * clients}`)
          return
        }
        if (round < 0) return
        const sorted = Float64Array.from(latencies).sort()
        const one = { case: `${clients} clients`, row: pair.name, round }
        add({ ...one, figure: 'p50', value: quantile(sorted, 0.5) })
        add({ ...one, figure: 'p99', value: quantile(sorted, 0.99) })
      })
    })
  },
}

/**
 * Messages in a turn.
 * @param {import('../options.mjs').Settings} settings
 */
function countOf({ sliceMs }) {
  return Math.max(4, Math.round((sliceMs / 1000) * 4 * perSecond))
}
