import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createChance } from './chance.mjs'
import { checkOut } from './checkout.mjs'
import { contenderOf, names } from './contender.mjs'
import { help, optionsOf, splitAtMarkers } from './options.mjs'
import { createProgress, inWords } from './progress.mjs'
import { reportOf } from './report.mjs'

/** What is still to be done when a signal ends the run. @type {(signal: string) => void} */
let interrupted = () => undefined
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    try {
      interrupted(signal)
    } catch (error) {
      console.error(messageOf(error))
    }
    process.exit(128 + constants.signals[signal])
  })
}

try {
  const options = optionsOf(process.argv.slice(2))
  if (options.help) process.stdout.write(help)
  else await run(options)
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}

/** @param {import('./options.mjs').Options} options */
async function run({ settings, scenarios, contenders, against, markdown, json }) {
  const rows = await rowsOf(contenders, against)
  /** @type {import('./bench.mjs').Sample[]} */
  const samples = []
  /** @type {import('./bench.mjs').Scenario[]} */
  const begun = []
  /** @type {string[]} */
  const missed = []
  /** @type {string[]} */
  const notes = []
  /** @type {string[]} */
  const missing = []
  const start = performance.now()
  const nowMs = () => performance.now() - start

  const write = () => {
    const tookMs = nowMs()
    const outcome = { settings, against, rows, begun, samples, missed, notes, missing, tookMs }
    const { text, facts } = reportOf(outcome)
    console.log(text)
    if (json !== undefined)
      writeFileSync(json, `${JSON.stringify({ facts, settings, missed, missing, samples }, null, 1)}\n`)
    // The tables that the file has are better than none.
    if (markdown === undefined || samples.length === 0) return
    const [before, behind] = splitAtMarkers(markdown)
    writeFileSync(markdown, `${before}\n\n${text}\n\n${behind}`)
  }
  const all = (await Promise.all(scenarios.map((name) => scenarioOf(name, rows)))).filter(
    ({ rows: own }) => own.length > 0,
  )
  let current = 0
  interrupted = (signal) => {
    const [stopped, ...rest] = all.slice(current).map(({ scenario }) => `\`${scenario.name}\``)
    missing.push(`${stopped} is not whole, ${signal} ended the run`)
    if (rest.length > 0) missing.push(`${rest.join(', ')} had not begun`)
    write()
  }

  const progress = createProgress(
    all.map(({ scenario, rows: own }) => scenario.estimateMs?.(settings, own.length) ?? 60_000),
  )
  const chance = createChance(settings.seed)
  for (const [index, { scenario, rows: own }] of all.entries()) {
    current = index
    progress.begin(index, nowMs())
    const { name, title } = scenario
    begun.push(scenario)
    try {
      await scenario.run({
        settings,
        chance,
        rows: own,
        add: (sample) => samples.push({ ...sample, scenario: name }),
        miss: (what) => missed.push(`${name}: ${what}`),
        note: (what) => notes.push(`\`${name}\`: ${what}`),
        say(what) {
          const left = `${inWords(nowMs())} gone, about ${inWords(progress.leftMs(nowMs()))} to go`
          console.error(`[${index + 1}/${all.length}] ${title}: ${what} (${left})`)
        },
      })
    } catch (error) {
      missing.push(`\`${name}\` is not whole: ${messageOf(error)}`)
      console.error(`${title}: ${messageOf(error)}`)
    }
  }

  interrupted = () => undefined
  write()
  if (samples.length === 0) throw new Error('nothing was measured')
  if (missing.length > 0) process.exitCode = 1
}

/**
 * A scenario, and those rows that take part in it.
 * @param {string} name
 * @param {readonly import('./table.mjs').TitledRow[]} rows
 */
async function scenarioOf(name, rows) {
  /** @type {import('./bench.mjs').Scenario} */
  const scenario = (await import(`./scenarios/${name}.mjs`)).default
  const takesPart = (/** @type {import('./table.mjs').TitledRow} */ { contender, isMixed }) =>
    scenario.contenders?.includes(contender) ?? !isMixed
  return { scenario, rows: (scenario.rowsOf?.(rows) ?? rows).filter(takesPart) }
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
  const root = fileURLToPath(new URL('..', import.meta.url))
  const old = against === undefined ? undefined : checkOut(against)
  /** @type {import('./table.mjs').TitledRow[]} */
  const rows = []
  for (const name of names.filter((one) => all.includes(one))) {
    const { title, bare, kind, other } = await contenderOf(name)
    const row = { name, contender: name, root, title, bare, isMixed: other !== undefined }
    rows.push(row)
    if (old === undefined || kind !== 'ours') continue
    const oldTitle = `${title.replaceAll('*', '')} of ${against}`
    rows.push({ ...row, name: `${name}@${against}`, root: old, title: oldTitle })
  }
  return rows
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error)
}
