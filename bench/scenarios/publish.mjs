import { interleaved } from '../bench.mjs'
import { textOf } from '../contender.mjs'
import { openPair } from '../pair.mjs'

const bytes = 100

/** @type {import('../bench.mjs').Scenario} */
export default {
  name: 'publish',
  title: 'What a publish costs',
  about: `\`hub.publish\` of ${bytes} bytes by itself, and what it grows with: messages kept in history (10 a tick, nobody
listens), channels in use in turn (likewise), and subscribers (one a tick, each delivery counted).`,
  contenders: ['ours-ws', 'ours-sse'],
  figures: [
    { name: 'history', title: 'CPU per publish, by messages kept', unit: 'µs', base: 'first' },
    { name: 'channels', title: 'CPU per publish, by channels', unit: 'µs', base: 'first' },
    { name: 'subscribers', title: 'CPU per delivery, by subscribers', unit: 'µs', base: 'first' },
  ],
  estimateMs: ({ publishes, histories, channels, subscribers, rounds, sliceMs }, rows) =>
    6000 * rows +
    (rounds + 1) *
      ((histories.length + channels.length) * publishes * 0.008 + rows * subscribers.length * sliceMs),
  async run(bench) {
    const { settings, rows, say } = bench
    say('by history and channels')
    // Nobody listens, so the wire does not matter: one of each checkout.
    const alone = rows.filter(({ root }, index) => rows.findIndex((row) => row.root === root) === index)
    await byMemory(bench, alone, 'history', settings.histories, (kept) => ({
      historyMessages: kept,
      publishes: { channels: 0, fill: kept },
    }))
    await byMemory(bench, alone, 'channels', settings.channels, (channels) => ({
      historyMessages: 10,
      publishes: { channels, fill: channels * 10 },
    }))
    say('by subscribers')
    await bySubscribers(bench)
  },
}

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {readonly import('../pair.mjs').Row[]} rows
 * @param {string} figure
 * @param {readonly number[]} sizes
 * @param {(size: number) => { historyMessages: number, publishes: { channels: number, fill: number } }} optionsOf
 */
async function byMemory(bench, rows, figure, sizes, optionsOf) {
  /** @type {{ pair: import('../pair.mjs').Pair, size: number, channels: number }[]} */
  const all = []
  const data = textOf(bytes)
  try {
    for (const row of rows) {
      for (const size of sizes) {
        const { historyMessages, publishes } = optionsOf(size)
        const pair = await openPair(row, { historyMessages })
        all.push({ pair, size, channels: publishes.channels })
        await pair.host('publishes', {
          data,
          channels: publishes.channels,
          count: publishes.fill + 1,
          perTurn: 10,
        })
      }
    }
    await interleaved(bench, all, bench.settings.rounds, async ({ pair, size, channels }, round) => {
      const count = bench.settings.publishes
      const value = await pair.host('publishes', { data, channels, count, perTurn: 10 })
      if (round >= 0) bench.add({ figure, case: `${size}`, row: pair.name, round, value })
    })
  } finally {
    await Promise.all(all.map(({ pair }) => pair.end()))
  }
}

/** @param {import('../bench.mjs').Bench} bench */
async function bySubscribers(bench) {
  const { settings, rows, add, miss } = bench
  /** @type {{ pair: import('../pair.mjs').Pair, size: number }[]} */
  const all = []
  const data = textOf(bytes)
  try {
    for (const row of rows) {
      for (const size of settings.subscribers) {
        const pair = await openPair(row)
        all.push({ pair, size })
        await pair.fill(size)
      }
    }
    await interleaved(bench, all, settings.rounds, async ({ pair, size }, round) => {
      const window = Math.ceil(2000 / size)
      await pair.load('expect', { units: size * window })
      const { ticks, cpu } = await pair.host('slice', { data, perTick: 1, window, sliceMs: settings.sliceMs })
      const { units } = await pair.load('counted')
      if (units !== ticks * size)
        miss(`${pair.name}, ${size} subscribers: ${units} of ${ticks * size} arrived`)
      else if (round >= 0)
        add({ figure: 'subscribers', case: `${size}`, row: pair.name, round, value: cpu / units })
    })
  } finally {
    await Promise.all(all.map(({ pair }) => pair.end()))
  }
}
