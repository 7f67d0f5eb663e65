#!/usr/bin/env node
import { accessSync, constants, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Form, helpOf, loadLimits, optionNames, type RunCommand, readCommand } from './command.ts'
import { spellings } from './needs.ts'
import { createProgressBar } from './progress-bar.ts'
import { recommendFromArgs } from './recommend.ts'
import { clean } from './render/grid.ts'
import { renderHtml } from './render/html.ts'
import { renderMarkdown } from './render/markdown.ts'
import { renderText } from './render/text.ts'
import type { Report } from './report.ts'
import { runAll, scenarioLimitMs } from './run.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'
import { nodeScenarios } from './scenarios/node.ts'
import { pageScenarios } from './scenarios/page.ts'
import { loadRounds, targetScenarios } from './target.ts'

const all: readonly Scenario[] = [...scenarios, ...nodeScenarios, ...pageScenarios]

// Started through npm, an option needs the `--` before it, or npm keeps it for itself.
const isNpm = process.env['npm_lifecycle_event'] === 'compare'
const call = isNpm ? 'npm run compare --' : 'eitherway-compare'
const bar = createProgressBar(process.stderr)

const signals = { SIGINT: 130, SIGTERM: 143 } as const

const render: Readonly<Record<Form, (report: Report) => string>> = {
  json: (report) => `${JSON.stringify(report, null, 2).replace(/[\u007f-\u009f]/g, escaped)}\n`,
  markdown: renderMarkdown,
  html: renderHtml,
}

await main(process.argv.slice(2))

async function main(args: string[]): Promise<void> {
  const kept = keptByNpm(args)
  if (kept !== undefined) refuse(kept)
  const command = readCommand(
    args,
    all.map(({ name }) => name),
  )
  switch (command.do) {
    case 'help':
      process.stdout.write(helpOf(call, scenarioLimitMs))
      break
    case 'list':
      process.stdout.write(list())
      break
    case 'lab':
      process.argv.splice(2, 1)
      await import('./main.ts')
      break
    case 'recommend':
      return advise(command.args)
    case 'refuse':
      return refuse(command.complaint)
    case 'run':
      await run(command.run)
  }
}

function advise(args: readonly string[]): void {
  let advice: string
  try {
    advice = recommendFromArgs(args, readReport)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    refuse(error.message)
  }
  process.stdout.write(`${advice.split('\n').map(clean).join('\n')}\n`)
}

/** @throws TypeError when the file is no report of ours. */
function readReport(file: string): Report {
  let report: Report
  try {
    report = JSON.parse(readFileSync(fromCaller(file), 'utf8'))
  } catch (error) {
    throw new TypeError(`${file} cannot be read as a report: ${(error as Error).message.split('\n')[0]}`)
  }
  if (report?.version === 1 && Array.isArray(report.results)) return report
  throw new TypeError(`${file} is no report of this version; make one with ${call} --json report.json`)
}

function list(): string {
  const width = Math.max(...all.map(({ name }) => name.length))
  return all
    .map(({ name, question, places }) => {
      const place = places.includes('node')
        ? places.includes('page')
          ? ''
          : ' (in Node)'
        : ' (in a browser)'
      return `${name.padEnd(width)}  ${question}${place}\n`
    })
    .join('')
}

async function run(command: RunCommand): Promise<void> {
  const outputs = command.outputs.map(({ form, file }) => ({ form, file: file && writable(file) }))
  const chosen = command.target === undefined ? chosenOf(command) : targetScenarios(settingsOf(command))
  const { load, target } = command
  if (load !== undefined && target !== undefined) {
    const rounds = command.rounds ?? (command.quick ? 2 : loadRounds)
    const times = rounds === 1 ? 'once' : `${rounds} times`
    say(`--load ${load}: opens ${load} connections at once per transport, ${times}`)
  }

  const ending = new AbortController()
  let exitCode = 0
  const onSignal = (signal: NodeJS.Signals) => {
    // A second signal ends the process at once.
    for (const name of Object.keys(signals)) process.off(name, onSignal)
    exitCode = signals[signal as keyof typeof signals]
    say('ending, with what was measured so far; once more ends at once')
    ending.abort(new Error('the run was ended'))
  }
  for (const name of Object.keys(signals)) process.on(name, onSignal)

  // With the last connection of a server that hangs up, nothing else would keep the process until its report is written.
  setInterval(() => undefined, 60_000)
  const report = await runAll({
    scenarios: chosen,
    quick: command.quick,
    browsers: command.browsers,
    target: target && {
      ...(target.sse && { sse: shown(target.sse) }),
      ...(target.ws && { ws: shown(target.ws) }),
    },
    signal: ending.signal,
    ...(command.rounds === undefined ? {} : { rounds: command.rounds }),
    // Listening may be asked to last longer than any scenario of ours.
    ...(command.seconds === undefined ? {} : { limitMs: scenarioLimitMs.full + 1000 * loadLimits.seconds }),
    onProgress: bar.show,
    onFailure(scenario, reason) {
      exitCode ||= 1
      say(`${scenario.name} failed: ${reason}`)
    },
  })
  bar.clear()
  for (const { form, file } of outputs) {
    if (file === undefined) await print(render[form](report))
    else {
      writeFileSync(file, render[form](report))
      say(`wrote ${file}`)
    }
  }
  if (outputs.length === 0 && report.results.length > 0)
    await print(renderText(report, process.stdout.columns))
  // What a scenario that failed left behind must not keep the process.
  process.exit(exitCode)
}

/** Those named, or all, as far as they can run where the clients are to be. */
function chosenOf({ scenarios: names, browsers }: RunCommand): readonly Scenario[] {
  const place = browsers.length === 0 ? 'node' : 'page'
  const named = all.filter(({ name }) => names.length === 0 || names.includes(name))
  const [able, unable] = [
    named.filter(({ places }) => places.includes(place)),
    named.filter(({ places }) => !places.includes(place)),
  ]
  if (unable.length > 0) {
    const advice =
      place === 'node' ? 'in a browser only: add --browser chromium' : 'in Node only: leave --browser out'
    const line = `${unable.map(({ name }) => name).join(', ')}: ${advice}`
    if (names.length > 0) refuse(line)
    say(`left out: ${line}`)
  }
  return able
}

function settingsOf({ target, load, seconds, rounds }: RunCommand): Parameters<typeof targetScenarios>[0] {
  return {
    ...target,
    ...(load === undefined ? {} : { load }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(rounds === undefined ? {} : { rounds }),
  }
}

/** A URL for a report that others may read. */
function shown(url: URL): string {
  const names = [...url.searchParams.keys()]
  return `${url.origin === 'null' ? `${url.protocol}//${url.host}` : url.origin}${url.pathname}${names.length > 0 ? `?${names.join('&')}` : ''}`
}

/** The file's path, from where the user is. Told now, not after minutes of measuring, when it cannot be written. */
function writable(file: string): string {
  const path = fromCaller(file)
  try {
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats?.isDirectory()) return refuse(`${file} is a folder; name a file in it`)
    accessSync(stats === undefined ? dirname(path) : path, constants.W_OK)
  } catch {
    return refuse(`${file} cannot be written; name another file`)
  }
  return path
}

/** npm changes to the package's folder. */
function fromCaller(file: string): string {
  return resolve((isNpm ? process.env['INIT_CWD'] : undefined) ?? '.', file)
}

/** A complaint about the option that stood before npm's `--`, so that npm took it. `browser` is also one of npm's own settings. */
function keptByNpm([first, ...rest]: readonly string[]): string | undefined {
  if (!isNpm) return undefined
  const advises = first === 'recommend'
  const words = advises ? `${call} recommend` : call
  const names = advises ? ['report', ...spellings.map(({ name }) => name)] : optionNames
  const kept = names.find(
    (name) =>
      name !== 'browser' &&
      process.env[`npm_config_${name.replaceAll('-', '_')}`] !== undefined &&
      ![first, ...rest].some((arg) => arg?.startsWith(`--${name}`)),
  )
  if (kept !== undefined)
    return `npm kept --${kept} for itself: put a -- before it, as in ${words} --${kept} …`
  // `--up` it takes for one of its own settings, and leaves no trace of it but the value.
  const [value] = rest
  if (!advises || value === undefined || value.startsWith('-')) return undefined
  const name = /^[\d.]+$/.test(value) ? 'up' : 'report'
  return `${JSON.stringify(value)} has lost its option, which npm keeps unless a -- stands before it: ${words} --${name} ${value}`
}

/** All of it, before the process may exit. Whoever stops reading has what they wanted. */
function print(text: string): Promise<void> {
  return new Promise((done, failed) => {
    process.stdout.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' ? done() : failed(error),
    )
    process.stdout.write(text, () => done())
  })
}

function say(line: string): void {
  bar.clear()
  console.error(clean(line))
}

/** The same character as JSON writes it where it must: some of these steer a terminal. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function refuse(complaint: string): never {
  console.error(`${clean(complaint)}; --help says what there is`)
  process.exit(2)
}
