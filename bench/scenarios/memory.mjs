import { textOf } from '../contender.mjs'
import { openPair } from '../pair.mjs'

/** Opened before, so that what is paid once is not counted. */
const warm = 500

/** @type {import('../bench.mjs').Scenario} */
export default {
  name: 'memory',
  title: 'Memory per idle connection',
  about: `Resident memory of the server's process per connection, by the difference that the connections make, after garbage
collection; a fresh process each time. Idle: after the greeting. After traffic: ten messages later.`,
  figures: [
    { name: 'idle', title: 'Idle', unit: 'KiB', base: 'bare' },
    { name: 'traffic', title: 'After traffic', unit: 'KiB', base: 'bare' },
  ],
  estimateMs: ({ idleClients, freshRounds }, rows) =>
    idleClients.reduce((sum, clients) => sum + rows * freshRounds * (1200 + clients * 0.26), 0),
  async run(bench) {
    const { settings, rows, chance, add, miss, say } = bench
    for (const clients of settings.idleClients) {
      for (let round = 0; round < settings.freshRounds; round++) {
        say(`${clients} clients, round ${round + 1}`)
        for (const row of chance.shuffled(rows)) {
          const pair = await openPair(row)
          try {
            await pair.fill(warm)
            const before = await pair.host('memory')
            await pair.fill(warm + clients)
            const idle = (await pair.host('memory')) - before
            await exchange(pair, warm + clients)
            const traffic = (await pair.host('memory')) - before
            const one = { case: `${clients}`, row: row.name, round }
            add({ ...one, figure: 'idle', value: idle / clients / 1024 })
            add({ ...one, figure: 'traffic', value: traffic / clients / 1024 })
          } catch (error) {
            miss(error instanceof Error ? error.message : String(error))
          } finally {
            await pair.end()
          }
        }
      }
    }
  },
}

/**
 * @param {import('../pair.mjs').Pair} pair
 * @param {number} clients
 */
async function exchange(pair, clients) {
  const bytes = 100
  const units = clients * (pair.contender.dialect === 'raw' ? bytes : 1)
  await pair.load('expect', { units })
  for (let sent = 0; sent < 10; sent++) {
    await pair.host('slice', { data: textOf(bytes), perTick: 1, window: 1, sliceMs: 0 })
  }
  const counted = await pair.load('counted')
  if (counted.units !== units * 10)
    throw new Error(`${pair.name}: ${counted.units} units arrived of ${units * 10}`)
}
