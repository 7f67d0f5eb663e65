import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createChance } from './chance.mjs'
import { checkOut, here } from './checkout.mjs'
import { contenderOf } from './contender.mjs'
import { help, optionsOf, splitAtMarkers } from './options.mjs'
import { isPinned } from './pair.mjs'
import { quantile } from './spread.mjs'
import { againstOf, tableOf } from './table.mjs'

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => process.exit(1))
}

try {
  const options = optionsOf(process.argv.slice(2))
  if (options.help) process.stdout.write(help)
  else await run(options)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

/** @param {import('./options.mjs').Options} options */
async function run({ settings, scenarios, contenders, against, markdown, json }) {
  const rows = await rowsOf(contenders, against)
  /** @type {import('./bench.mjs').Sample[]} */
  const samples = []
  /** @type {string[]} */
  const missed = []
  const parts = []
  const chance = createChance(settings.seed)
  const start = performance.now()
  for (const name of scenarios) {
    /** @type {import('./bench.mjs').Scenario} */
    const scenario = (await import(`./scenarios/${name}.mjs`)).default
    const own = scenario.rowsOf?.(rows) ?? rows
    await scenario.run({
      settings,
      chance,
      rows: own.filter(({ contender }) => scenario.contenders?.includes(contender) ?? true),
      add: (sample) => samples.push({ ...sample, scenario: name }),
      miss: (what) => missed.push(`${name}: ${what}`),
      say: (what) =>
        console.error(`${scenario.title}: ${what} (${Math.round(performance.now() - start) / 1000} s)`),
    })
    const results = scenario.figures.map((figure) => ({
      figure,
      scenario: name,
      rows: own,
      samples: samples.filter((sample) => sample.scenario === name && sample.figure === figure.name),
    }))
    const tables = results
      .filter((result) => result.samples.length > 0)
      .map((result) => tableOf(result.figure, result.samples, own).join('\n'))
    parts.push({ title: scenario.title, about: scenario.about, tables, results })
  }

  const facts = factsOf(settings, samples, missed, performance.now() - start)
  const text = [
    ...parts.flatMap(({ title, about, tables }) => [`### ${title}`, about, ...tables]),
    ...(against === undefined
      ? []
      : [`### Against ${against}`, againstOf(parts.flatMap(({ results }) => results)).join('\n')]),
    '### This run',
    facts.join('\n'),
  ].join('\n\n')
  console.log(text)
  if (markdown !== undefined) {
    const [before, behind] = splitAtMarkers(markdown)
    writeFileSync(markdown, `${before}\n\n${text}\n\n${behind}`)
  }
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ facts, settings, missed, samples }, null, 1)}\n`)
  if (samples.length === 0) throw new Error('nothing was measured')
}

/**
 * The contenders, the controls that they are compared with, and ours of another commit.
 * @param {readonly string[]} chosen
 * @param {string | undefined} against
 * @returns {Promise<import('./table.mjs').TitledRow[]>}
 */
async function rowsOf(chosen, against) {
  const controls = await Promise.all(chosen.map(async (name) => (await contenderOf(name)).bare))
  const all = ['raw-net', ...controls, ...chosen]
  const { names } = await import('./contender.mjs')
  const root = fileURLToPath(new URL('..', import.meta.url))
  const other = against === undefined ? undefined : checkOut(against)
  /** @type {import('./table.mjs').TitledRow[]} */
  const rows = []
  for (const name of names.filter((one) => all.includes(one))) {
    const { title, bare, kind } = await contenderOf(name)
    rows.push({ name, contender: name, root, title, bare })
    if (other !== undefined && kind === 'ours') {
      const of = `${title.replaceAll('*', '')} of ${against}`
      rows.push({ name: `${name}@${against}`, contender: name, root: other, title: of, bare })
    }
  }
  return rows
}

/**
 * What one must know to read the tables.
 * @param {import('./options.mjs').Settings} settings
 * @param {readonly import('./bench.mjs').Sample[]} samples
 * @param {readonly string[]} missed
 * @param {number} tookMs
 */
function factsOf(settings, samples, missed, tookMs) {
  const processors = cpus()
  const busy = Float64Array.from(
    samples.filter(({ figure }) => figure === 'busy'),
    ({ value }) => value * 100,
  ).sort()
  const share = (/** @type {number} */ part) => Math.round(quantile(busy, part))
  const versions = ['ws', 'socket.io', 'crossws', 'better-sse', 'bun'].map(
    (name) => `${name} ${versionOf(name)}`,
  )
  const day = new Date().toISOString().slice(0, 10)
  const pinned = isPinned ? 'the server on one core, the clients on another' : 'not pinned to cores'
  return [
    `- ${day}, commit ${here()}; ${settings.isQuick ? 'with `--quick`, a hint and no more' : 'a whole run'}: ` +
      `${Math.round(tookMs / 1000)} s, ${settings.rounds} rounds, slices of ${settings.sliceMs} ms, seed ${settings.seed}.`,
    `- ${processors.length} × ${processors[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
      `${process.platform}, Node ${process.versions.node}; ${pinned}.`,
    `- ${versions.join(', ')}.`,
    ...(busy.length > 0
      ? [`- The server's core was ${share(0.1)} to ${share(0.9)} % busy in the slices of the fan-outs.`]
      : []),
    missed.length === 0
      ? '- Every message arrived, exactly once.'
      : `- ${missed.length} slices do not count: ${[...new Set(missed)].slice(0, 5).join('; ')}.`,
  ]
}

/** @param {string} name */
function versionOf(name) {
  const require = createRequire(import.meta.url)
  const folder = require.resolve.paths(name)?.[0] ?? ''
  return JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')).version
}
