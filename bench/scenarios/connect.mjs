import { interleaved, withPairs } from '../bench.mjs'

/** @type {import('../bench.mjs').Scenario} */
export default {
  name: 'connect',
  title: 'Connection to first message',
  about: `Clients connect, 128 at a time, and are sent a first message each (ours its greeting). The server's CPU per
connection.`,
  figures: [{ name: 'cpu', title: 'Server CPU per connection', unit: 'µs', base: 'bare' }],
  estimateMs: ({ connections, rounds }, rows) => rows * (rounds + 1) * connections * 0.25,
  async run(bench) {
    const { settings, rows, add, say } = bench
    const clients = settings.connections
    say(`${clients} clients at a time`)
    await withPairs(rows, (pairs) =>
      interleaved(bench, pairs, settings.rounds, async (pair, round) => {
        await pair.host('begin')
        await pair.fill(clients)
        const cpu = await pair.host('spent')
        await pair.empty()
        if (round >= 0)
          add({ figure: 'cpu', case: `${clients}`, row: pair.name, round, value: cpu / clients })
      }),
    )
  },
}
