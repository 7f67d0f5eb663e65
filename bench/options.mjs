import { existsSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { names } from './contender.mjs'

/** Every scenario, in the order of the report. */
export const scenarioNames = /** @type {const} */ ([
  'fanout',
  'burst',
  'latency',
  'memory',
  'connect',
  'storm',
  'publish',
  'crowd',
  'read',
  'nodes',
])

/** Between these lines of a Markdown file the tables are written. */
export const markers = /** @type {const} */ (['<!-- bench:start -->', '<!-- bench:end -->'])

/** What a run takes, whole and quick. */
const sizes = {
  whole: {
    clients: [100, 1000, 5000],
    bytes: [100, 1024, 16_384],
    rounds: 15,
    sliceMs: 200,
    caseMs: 60_000,
    latencyClients: 1000,
    idleClients: [1000, 10_000],
    freshRounds: 3,
    connections: 1000,
    stormClients: 10_000,
    stormRounds: 7,
    publishes: 20_000,
    histories: [10, 100, 1000, 10_000],
    channels: [1, 100, 10_000],
    subscribers: [10, 100, 1000],
    crowdClients: 19_000,
    crowdSeconds: 10,
    readBytes: [7, 65_536, 1_048_576],
  },
  quick: {
    clients: [100, 1000],
    bytes: [100],
    rounds: 7,
    sliceMs: 60,
    caseMs: 10_000,
    latencyClients: 200,
    idleClients: [1000],
    freshRounds: 1,
    connections: 200,
    stormClients: 1000,
    stormRounds: 3,
    publishes: 5000,
    histories: [10, 1000],
    channels: [1, 1000],
    subscribers: [10, 300],
    crowdClients: 1000,
    crowdSeconds: 3,
    readBytes: [7, 65_536],
  },
}

/**
 * What is measured, and how long.
 * @typedef {typeof sizes.whole & { isQuick: boolean, seed: number }} Settings
 *
 * What was asked for.
 * @typedef {object} Options
 * @property {boolean} help
 * @property {Settings} settings
 * @property {readonly string[]} scenarios
 * @property {readonly string[]} contenders
 * @property {string | undefined} markdown
 * @property {string | undefined} json
 * @property {string | undefined} against
 */

export const help = `npm run bench -- [options]

What a message, a connection and a comeback cost the server, beside controls and peers.

  --quick              about two minutes in all: to see whether something is badly off
  --only <a,b>         scenarios: ${scenarioNames.join(', ')}
  --contenders <a,b>   ${names.join(', ')}; the controls they are compared with come along
  --n <a,b>            clients of the fan-outs, e.g. 100,1000
  --bytes <a,b>        bytes of a message in the fan-outs, e.g. 100,1024
  --idle <a,b>         connections of the memory scenario, e.g. 1000,10000,19000
  --rounds <n>         how often each contender has its turn
  --seed <n>           decides the order of turns
  --against <git ref>  ours of that commit as well, in turns with today's: slower, faster or a tie
  --markdown <file>    writes the tables between the lines ${markers.join(' and ')}
  --json <file>        writes every value
  --help               this
`

/**
 * @param {string[]} args
 * @returns {Options}
 * @throws Error when there is nonsense among them.
 */
export function optionsOf(args) {
  const text = /** @type {const} */ ({ type: 'string' })
  const flag = /** @type {const} */ ({ type: 'boolean', default: false })
  const flags = { quick: flag, help: flag }
  const texts = { only: text, contenders: text, against: text, markdown: text, json: text }
  const numbers = { n: text, bytes: text, idle: text, rounds: text, seed: text }
  const { values } = oneLine(() => parseArgs({ args, options: { ...flags, ...texts, ...numbers } }))
  const size = values.quick ? sizes.quick : sizes.whole
  const { markdown, json, against } = values
  if (against?.startsWith('-')) throw new Error(`--against must be a commit, got "${against}"`)
  if (markdown !== undefined) splitAtMarkers(markdown)
  return {
    help: values.help,
    markdown,
    json,
    against,
    scenarios: choiceOf('only', values.only, scenarioNames),
    contenders: choiceOf('contenders', values.contenders, names),
    settings: {
      ...size,
      isQuick: values.quick,
      clients: numbersOf('n', values.n, [1, 19_000]) ?? size.clients,
      // Room for a stamp or a number at least; ours takes up to 1 MiB by default.
      bytes: numbersOf('bytes', values.bytes, [16, 1_000_000]) ?? size.bytes,
      idleClients: numbersOf('idle', values.idle, [1, 19_000]) ?? size.idleClients,
      rounds: numbersOf('rounds', values.rounds, [1, 1000])?.[0] ?? size.rounds,
      seed: numbersOf('seed', values.seed, [0, 2 ** 32 - 1])?.[0] ?? 1,
    },
  }
}

/**
 * Node explains itself over several lines.
 * @template T
 * @param {() => T} parse
 * @returns {T}
 */
function oneLine(parse) {
  try {
    return parse()
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    throw new Error(`${line.replace(/\.$/, '')}; --help tells what there is`, { cause: error })
  }
}

/**
 * @param {string} flag
 * @param {string | undefined} value
 * @param {readonly [number, number]} bounds
 * @returns {number[] | undefined} each once, ascending
 */
function numbersOf(flag, value, [low, high]) {
  if (value === undefined) return undefined
  const numbers = value.split(',').map((part) => (/^[0-9]{1,10}$/.test(part) ? Number(part) : Number.NaN))
  if (numbers.some((number) => !(number >= low && number <= high)))
    throw new Error(`--${flag} must be whole numbers from ${low} to ${high}, got "${value}"`)
  const isOne = flag === 'rounds' || flag === 'seed'
  if (isOne && numbers.length > 1) throw new Error(`--${flag} must be one number, got "${value}"`)
  return [...new Set(numbers)].sort((a, b) => a - b)
}

/**
 * @param {string} flag
 * @param {string | undefined} value
 * @param {readonly string[]} known
 * @returns {readonly string[]} in the order of those known
 */
function choiceOf(flag, value, known) {
  if (value === undefined) return known
  const chosen = new Set(value.split(','))
  for (const one of chosen) {
    if (!known.includes(one)) throw new Error(`--${flag} knows ${known.join(', ')}; got "${one}"`)
  }
  return known.filter((one) => chosen.has(one))
}

/**
 * @param {string} file
 * @returns {[string, string]} what stands before the tables, and what behind
 * @throws Error when it has no place for them.
 */
export function splitAtMarkers(file) {
  if (!existsSync(file)) throw new Error(`there is no file ${file}`)
  const text = readFileSync(file, 'utf8')
  const start = text.indexOf(markers[0])
  const end = text.indexOf(markers[1])
  if (start === -1 || end < start) throw new Error(`${file} lacks the lines ${markers.join(' and ')}`)
  return [text.slice(0, start + markers[0].length), text.slice(end)]
}
