import { fitting, openFiles } from '../files.mjs'
import { openPair } from '../pair.mjs'
import { quantile } from '../spread.mjs'

const perSecond = 1
const padding = 'x'.repeat(79)

/** @type {import('../bench.mjs').Scenario} */
export default {
  name: 'crowd',
  title: 'A crowd on one port',
  about: `Nearly as many connections as a process may have files open, every second one SSE, the others WebSocket, to one server
process on one port; one message of 100 bytes a second to all of them. A round counts when each client was sent each message
exactly once and none was closed. Resident memory per connection, by the difference that the connections make, after garbage
collection; the server's CPU per message and client; and how long after its instant a message has reached the last client,
over the messages of a round. A fresh process each round.`,
  contenders: ['bare-both', 'ours-both'],
  figures: [
    { name: 'memory', title: 'Memory per connection', unit: 'KiB', base: 'bare' },
    { name: 'cpu', title: 'Server CPU per delivery', unit: 'µs', base: 'bare' },
    { name: 'last', title: 'Until the last client has it', unit: 'ms', base: 'bare' },
  ],
  // Connecting takes longest.
  estimateMs: ({ crowdClients, crowdSeconds, freshRounds }, rows) =>
    rows * freshRounds * (crowdClients * 0.5 + crowdSeconds * 1000 + 1500),
  async run(bench) {
    const { settings, rows, chance, miss, note, say } = bench
    const limit = openFiles()
    const clients = fitting(settings.crowdClients, limit)
    if (clients < settings.crowdClients)
      note(
        `${clients} connections instead of ${settings.crowdClients}: \`ulimit -Hn\`, the open files of a process, is ${limit}`,
      )
    for (let round = 0; round < settings.freshRounds; round++) {
      say(`${clients} clients, round ${round + 1}`)
      for (const row of chance.shuffled(rows)) {
        const pair = await openPair(row)
        try {
          await crowd(bench, pair, { clients, round })
        } catch (error) {
          miss(error instanceof Error ? error.message : String(error))
        } finally {
          await pair.end()
        }
      }
    }
  },
}

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {import('../pair.mjs').Pair} pair
 * @param {{ clients: number, round: number }} options
 */
async function crowd({ settings, add }, pair, { clients, round }) {
  const { host, load, name, clockOffset } = pair
  // Opened before, so that what is paid once is not counted.
  const warm = Math.min(500, Math.floor(clients / 2))
  await pair.fill(warm)
  const before = await host('memory')
  await pair.fill(clients)
  const idle = (await host('memory')) - before

  const count = settings.crowdSeconds
  await load('expect', { units: clients * count })
  await load('listen')
  await host('begin')
  await host('pace', { padding, perSecond, count, clockOffset })
  /** @type {number[]} */
  const lasts = await load('lasts', { count: clients * count })
  const cpu = await host('spent')
  await load('counted')
  const traffic = (await host('memory')) - before

  // Late, so that what came twice is there as well.
  const each = await load('each')
  const peers = await host('peers')
  if (each.clients !== clients || peers !== clients)
    throw new Error(
      `${name}: of ${clients} connections the clients have ${each.clients}, the server ${peers}`,
    )
  if (each.least !== count || each.most !== count)
    throw new Error(`${name}: of ${count} messages a client had ${each.least}, another ${each.most}`)

  const one = { row: name, round }
  const counted = clients - warm
  const sorted = Float64Array.from(lasts).sort()
  add({ ...one, figure: 'memory', case: 'idle', value: idle / counted / 1024 })
  add({ ...one, figure: 'memory', case: 'after traffic', value: traffic / counted / 1024 })
  add({ ...one, figure: 'cpu', case: `${clients} clients`, value: cpu / clients / count })
  for (const [part, share] of Object.entries({ p50: 0.5, p99: 0.99, max: 1 }))
    add({ ...one, figure: 'last', case: part, value: quantile(sorted, share) })
}
