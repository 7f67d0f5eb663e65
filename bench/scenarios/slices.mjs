import { enough, interleaved, withPairs } from '../bench.mjs'
import { textOf } from '../contender.mjs'

/**
 * CPU per delivery, in slices that take turns.
 * @param {{ name: string, title: string, about: string, perTick: number }} options
 * @returns {import('../bench.mjs').Scenario}
 */
export function fanOut({ name, title, about, perTick }) {
  return {
    name,
    title,
    about: `${about} The server's CPU per message and client.`,
    figures: [{ name: 'cpu', title: 'Server CPU per delivery', unit: 'µs', base: 'raw' }],
    estimateMs: (settings, rows) => estimateMs(settings, rows, perTick),
    async run(bench) {
      const { settings, rows, say } = bench
      await withPairs(rows, async (pairs) => {
        for (const clients of settings.clients) {
          for (const pair of pairs) await pair.fill(clients)
          for (const bytes of settings.bytes) {
            say(`${clients} clients, ${sizeOf(bytes)}`)
            const data = textOf(bytes)
            const one = { case: `${clients} × ${sizeOf(bytes)}`, clients, bytes, data, perTick }
            await interleaved(bench, pairs, settings.rounds, (pair, round) => slice(bench, pair, round, one))
          }
        }
      })
    },
  }
}

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {import('../pair.mjs').Pair} pair
 * @param {number} round
 * @param {{ case: string, clients: number, bytes: number, data: string, perTick: number }} options
 */
async function slice({ settings, add, miss }, pair, round, { clients, bytes, data, perTick, ...one }) {
  const window = windowOf(clients, bytes, perTick)
  const unit = pair.contender.dialect === 'raw' ? bytes : 1
  await pair.load('expect', { units: clients * perTick * window * unit })
  const { ticks, cpu, wallMs } = await pair.host('slice', {
    data,
    perTick,
    window,
    sliceMs: settings.sliceMs,
  })
  const { units } = await pair.load('counted')
  const deliveries = ticks * perTick * clients
  if (units !== deliveries * unit) {
    miss(`${pair.name}, ${one.case}: ${units / unit} messages arrived of ${deliveries}`)
    return
  }
  if (round < 0) return
  add({ ...one, figure: 'cpu', row: pair.name, round, value: cpu / deliveries })
  add({ ...one, figure: 'busy', row: pair.name, round, value: cpu / 1000 / wallMs })
}

/**
 * How many ticks are on their way at once: so many that an acknowledgement costs next to nothing, so few that nothing
 * waits in the server's own memory.
 * @param {number} clients
 * @param {number} bytes
 * @param {number} perTick
 */
function windowOf(clients, bytes, perTick) {
  const cheap = Math.ceil(2000 / (clients * perTick))
  const narrow = Math.floor(65_536 / (bytes * perTick))
  return Math.max(1, Math.min(cheap, narrow))
}

/**
 * @param {import('../options.mjs').Settings} settings
 * @param {number} rows
 * @param {number} perTick
 */
function estimateMs({ clients, bytes, rounds, sliceMs, caseMs }, rows, perTick) {
  let sum = 0
  for (const count of clients) {
    for (const size of bytes) {
      // No slice is shorter than one tick.
      const tickMs = (count * perTick * (8 + size / 400)) / 1000
      const roundMs = rows * (Math.max(sliceMs, tickMs) + 25)
      sum += Math.min((rounds + 1) * roundMs, Math.max(caseMs, (enough + 1) * roundMs))
    }
  }
  return sum + rows * (150 + Math.max(...clients) * 0.3)
}

/** @param {number} bytes */
export const sizeOf = (bytes) => (bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`)
