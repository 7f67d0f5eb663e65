import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, totalmem } from 'node:os'
import { here } from './checkout.mjs'
import { isPinned } from './pair.mjs'
import { quantile } from './spread.mjs'
import { againstOf, tableOf } from './table.mjs'

/**
 * What a run has come to, whole or not.
 * @typedef {object} Outcome
 * @property {import('./options.mjs').Settings} settings
 * @property {string | undefined} against
 * @property {readonly import('./table.mjs').TitledRow[]} rows
 * @property {readonly import('./bench.mjs').Scenario[]} begun
 * @property {readonly import('./bench.mjs').Sample[]} samples
 * @property {readonly string[]} missed - what was measured and does not count
 * @property {readonly string[]} notes - what must be known beside the tables
 * @property {readonly string[]} missing - scenarios that are not there, or not whole, and why
 * @property {number} tookMs
 */

/**
 * @param {Outcome} outcome
 * @returns {{ text: string, facts: string[] }} Markdown: a section for each scenario that has values, then what one must
 * know to read them
 */
export function reportOf(outcome) {
  const { begun, samples, against } = outcome
  const results = begun.flatMap((scenario) =>
    scenario.figures.map((figure) => ({
      figure,
      scenario: scenario.name,
      rows: scenario.rowsOf?.(outcome.rows) ?? outcome.rows,
      samples: samples.filter((sample) => sample.scenario === scenario.name && sample.figure === figure.name),
    })),
  )
  const present = results.filter((result) => result.samples.length > 0)
  const sections = begun.flatMap(({ name, title, about }) => {
    const tables = present.filter(({ scenario }) => scenario === name)
    if (tables.length === 0) return []
    return [
      `### ${title}`,
      about,
      ...tables.map((one) => tableOf(one.figure, one.samples, one.rows).join('\n')),
    ]
  })
  const compared = against === undefined ? [] : [`### Against ${against}`, againstOf(results).join('\n')]
  const facts = factsOf(outcome)
  return { text: [...sections, ...compared, '### This run', facts.join('\n')].join('\n\n'), facts }
}

/**
 * What one must know to read the tables.
 * @param {Outcome} outcome
 */
function factsOf({ settings, samples, missed, notes, missing, tookMs }) {
  const processors = cpus()
  const busy = Float64Array.from(
    samples.filter(({ figure }) => figure === 'busy'),
    ({ value }) => value * 100,
  ).sort()
  const share = (/** @type {number} */ part) => Math.round(quantile(busy, part))
  const versions = [
    'ws',
    'socket.io',
    '@socket.io/redis-streams-adapter',
    'ioredis',
    'crossws',
    'better-sse',
    'bun',
  ].map((name) => `${name} ${versionOf(name)}`)
  const day = new Date().toISOString().slice(0, 10)
  const pinned = isPinned ? 'the server on one core, the clients on another' : 'not pinned to cores'
  const kind = missing.length > 0 ? 'not whole' : 'a whole run'
  return [
    `- ${day}, commit ${here()}; ${settings.isQuick ? 'with `--quick`, a hint and no more' : kind}: ` +
      `${Math.round(tookMs / 1000)} s, ${settings.rounds} rounds, slices of ${settings.sliceMs} ms, seed ${settings.seed}.`,
    `- ${processors.length} × ${processors[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
      `${process.platform}, Node ${process.versions.node}; ${pinned}.`,
    `- ${versions.join(', ')}.`,
    ...(busy.length > 0
      ? [`- The server's core was ${share(0.1)} to ${share(0.9)} % busy in the slices of the fan-outs.`]
      : []),
    ...[...new Set(notes)].map((note) => `- ${note}.`),
    missed.length === 0
      ? '- Every message arrived, exactly once.'
      : `- ${missed.length} slices do not count: ${[...new Set(missed)].slice(0, 5).join('; ')}.`,
    ...missing.map((what) => `- **Missing:** ${what}.`),
  ]
}

/** @param {string} name */
function versionOf(name) {
  const require = createRequire(import.meta.url)
  const folder = require.resolve.paths(name)?.[0] ?? ''
  return JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')).version
}
