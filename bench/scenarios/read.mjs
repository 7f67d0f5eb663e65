import { interleaved } from '../bench.mjs'
import { pathOf, start, stop } from '../pair.mjs'
import { readers } from '../readers.mjs'
import { asker } from '../talk.mjs'
import { sizeOf } from './slices.mjs'

/** @type {import('../bench.mjs').Scenario} */
export default {
  name: 'read',
  title: 'What a client makes of it',
  about: `A ticker stream, messages of some 100 bytes of JSON with an id and an event, is read: by a parser and \`JSON.parse\`
alone, and by ours. No network is in it: a \`fetch\` and a \`WebSocket\` that are given as arguments bring what is already
there. The reader's CPU per message, by how much each read brings.`,
  figures: [
    { name: 'sse', title: 'CPU per message read, SSE', unit: 'µs', base: 'bare' },
    { name: 'ws', title: 'CPU per message read, WebSocket', unit: 'µs', base: 'bare' },
  ],
  rowsOf: (rows) =>
    Object.entries(readers).flatMap(([name, { title, kind, wire }]) => {
      const row = { contender: name, isMixed: false, bare: wire === 'sse' ? 'sse-parser' : 'ws-split' }
      return rows
        .filter(({ contender }) => contender === `ours-${wire}`)
        .slice(0, kind === 'control' ? 1 : undefined)
        .map(({ name: of, root }) => {
          const at = of.indexOf('@')
          return at === -1
            ? { ...row, name, title, root }
            : { ...row, name: `${name}${of.slice(at)}`, title: `${title} of ${of.slice(at + 1)}`, root }
        })
    }),
  estimateMs: ({ rounds, sliceMs, readBytes }, rows) =>
    rounds * sliceMs * (readBytes.length + 1) * (rows / 2),
  async run(bench) {
    const { settings, rows, add, say } = bench
    const processes = rows.map(({ name, contender, root }) => {
      const child = start(0, process.execPath, ['--expose-gc', pathOf('reading.mjs'), contender, root])
      return { name, child, wire: readers[contender]?.wire ?? 'sse', ask: asker(child, name) }
    })
    try {
      for (const [wire, sizes] of /** @type {const} */ ([
        ['sse', settings.readBytes],
        ['ws', [65_536]],
      ])) {
        for (const sliceBytes of sizes) {
          const name = wire === 'ws' ? 'one message each' : sizeOf(sliceBytes)
          say(`${wire}, ${name}`)
          const turns = processes.filter((one) => one.wire === wire)
          await interleaved(bench, turns, settings.rounds, async ({ name: row, ask }, round) => {
            const { messages, cpu } = await ask('slice', { sliceBytes, sliceMs: settings.sliceMs })
            if (round >= 0) add({ figure: wire, case: name, row, round, value: cpu / messages })
          })
        }
      }
    } finally {
      await Promise.all(processes.map(({ child }) => stop(child)))
    }
  },
}
