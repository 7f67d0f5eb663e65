import { interleaved, withPairs } from '../bench.mjs'
import { textOf } from '../contender.mjs'

const missed = 100

/** @type {import('../bench.mjs').Scenario} */
export default {
  name: 'storm',
  title: 'Everybody comes back',
  about: `Clients reconnect, 256 at a time, each with the id of the last message that it had; ${missed} messages of 100 bytes
were published since, and each client is sent all of them. The server's CPU from the first SYN to the last message, as a
ratio to controls that accept as many clients and write as many bytes to each in one write: raw TCP, which shakes no
hands, and \`ws\` or \`http\`, which do.`,
  contenders: ['raw-net', 'bare-ws', 'bare-http', 'ours-ws', 'ours-sse'],
  figures: [
    { name: 'raw', title: 'Server CPU, × raw TCP', unit: '', base: 'self' },
    { name: 'bare', title: 'Server CPU, × `ws` or `http`', unit: '', base: 'self' },
    { name: 'cpu', title: 'Server CPU per client', unit: 'µs', base: 'first' },
  ],
  // Each of ours with two controls; three of the rows are the controls.
  estimateMs: ({ stormClients, stormRounds }, rows) =>
    Math.max(0, rows - 3) * 3 * (stormRounds + 1) * stormClients * 0.4,
  async run(bench) {
    const { settings, rows, add, say } = bench
    const clients = settings.stormClients
    say(`${clients} clients`)
    await withPairs(rows, async (pairs) => {
      const controlOf = (/** @type {string} */ name) => {
        const control = pairs.find((pair) => pair.name === name)
        if (control === undefined) throw new Error(`\`storm\` needs ${name} to compare with`)
        return control
      }
      const ours = pairs.filter(({ contender }) => contender.kind === 'ours')
      await interleaved(bench, ours, settings.stormRounds, async (pair, round) => {
        const back = await comeBack(pair, clients)
        const bytes = Math.round(back.bytes / clients)
        const raw = await rewrite(controlOf('raw-net'), clients, bytes)
        const bare = await rewrite(controlOf(pair.contender.bare), clients, bytes)
        if (round < 0) return
        const one = { case: `${clients} clients`, row: pair.name, round }
        add({ ...one, figure: 'raw', value: back.cpu / raw })
        add({ ...one, figure: 'bare', value: back.cpu / bare })
        add({ ...one, figure: 'cpu', value: back.cpu / clients })
      })
    })
  },
}

/**
 * @param {import('../pair.mjs').Pair} pair
 * @param {number} clients
 */
async function comeBack(pair, clients) {
  const lastEventId = await pair.host('miss', { count: missed, data: textOf(100) })
  const units = clients * missed
  await pair.host('begin')
  const arrived = await pair.load('connect', {
    port: pair.port,
    dialect: pair.contender.dialect,
    total: clients,
    atOnce: 256,
    lastEventId,
    units,
  })
  const cpu = await pair.host('spent')
  await pair.empty()
  if (arrived.units !== units) throw new Error(`${pair.name}: ${arrived.units} messages arrived of ${units}`)
  return { cpu, bytes: arrived.bytes }
}

/**
 * @param {import('../pair.mjs').Pair} control
 * @param {number} clients
 * @param {number} bytes
 */
async function rewrite({ host, load, port, contender, empty }, clients, bytes) {
  const { dialect } = contender
  await host('replay', { bytes })
  await host('begin')
  const units = clients * (dialect === 'raw' ? bytes : 1)
  await load('connect', { port, dialect, total: clients, atOnce: 256, units })
  const cpu = await host('spent')
  await empty()
  return cpu
}
