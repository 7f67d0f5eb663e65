import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { seeded } from '@eitherway/core/testing'
import { startCoverage } from './coverage.ts'
import { mutate, shrink } from './mutation.ts'
import { attempt, maxInputBytes, type Target, toBytes } from './target.ts'
import { targets } from './targets.ts'

const findings = fileURLToPath(new URL('./findings/', import.meta.url))
const cache = fileURLToPath(new URL('../../../../node_modules/.cache/fuzz/', import.meta.url))
/** How long one target has its turn, in milliseconds. */
const turnMs = 5_000
/** What the heap may grow by over a whole run, in bytes, once everything is collected. */
const maxGrowthBytes = 64 * 1024 * 1024

/** Inputs between two looks at what was reached: a look costs more than a run. */
const batch = 16

/** A target under way. */
interface Course {
  readonly target: Target
  /** Inputs that led somewhere new, each from one before it. */
  readonly corpus: Uint8Array[]
  readonly words: readonly Uint8Array[]
  readonly folder: string
  runs: number
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', default: '' },
  },
})
const random = seeded(Number(values.seed))
const until = performance.now() + Number(values.minutes) * 60_000
/** What came up past the target, in some later turn. */
let stray: unknown
let found = 0
/** Those that were told: one input for each is enough. */
const kinds = new Set<string>()
const known = new Set<string>()
/** Where a batch has led, whose runs add up. */
const knownOfBatches = new Set<string>()
for (const event of ['uncaughtException', 'unhandledRejection', 'warning'] as const) {
  process.on(event, (error: unknown) => {
    stray ??= error
  })
}

const coverage = startCoverage((url) => /\/packages\/\w+\/src\/|\/eventsource-parser\/|\/ws\/lib\//.test(url))
try {
  await fuzz()
} catch (error) {
  // The handler above would keep it to itself.
  console.error(error)
  process.exit(1)
}

async function fuzz(): Promise<void> {
  const courses = targets.filter(({ name }) => name.includes(values.target)).map(enter)
  if (courses.length === 0) throw new Error(`there is no target "${values.target}"`)
  for (const course of courses) await warmUp(course)
  const before = heapBytes()
  while (performance.now() < until) {
    for (const course of courses) await go(course)
  }
  coverage.stop()
  const grown = heapBytes() - before
  for (const { target, runs, corpus } of courses) {
    console.log(`${target.name}: ${runs} runs, ${corpus.length} inputs that led somewhere new`)
  }
  console.log(`heap: ${Math.round(grown / 1024)} KiB more than at first; ${found} findings`)
  if (found > 0 || grown > maxGrowthBytes) process.exitCode = 1
}

function enter(target: Target): Course {
  const folder = `${cache}${target.name}/`
  mkdirSync(folder, { recursive: true })
  const kept = readdirSync(folder).map((file) => new Uint8Array(readFileSync(folder + file)))
  return {
    target,
    corpus: [...target.seeds.map(toBytes), ...kept],
    words: target.words.map(toBytes),
    folder,
    runs: 0,
  }
}

async function warmUp({ target, corpus }: Course): Promise<void> {
  for (const input of corpus) await check(target, input)
  for (const part of coverage.reached()) known.add(part)
}

async function go(course: Course): Promise<void> {
  const { target, corpus, words, folder } = course
  const end = Math.min(until, performance.now() + turnMs)
  while (performance.now() < end) {
    const inputs = Array.from({ length: batch }, () =>
      mutate(chosen(corpus), chosen(corpus), words, random, maxInputBytes),
    )
    for (const input of inputs) await check(target, input)
    course.runs += batch
    if (!isNews(knownOfBatches)) continue
    for (const input of inputs) {
      await check(target, input)
      if (!isNews(known)) continue
      corpus.push(input)
      writeFileSync(folder + nameOf(input), input)
    }
  }
}

/** Whether something ran since the last call that is not in `known`, where it is put. */
function isNews(known: Set<string>): boolean {
  const { size } = known
  for (const part of coverage.reached()) known.add(part)
  return known.size > size
}

/** The newest have been tried least. */
function chosen(corpus: readonly Uint8Array[]): Uint8Array {
  const at = random() < 0.5 ? 1 - random() ** 2 : random()
  return corpus[Math.min(corpus.length - 1, Math.floor(at * corpus.length))] as Uint8Array
}

async function check(target: Target, input: Uint8Array): Promise<void> {
  const failure = await failureOf(target, input)
  const kind = kindOf(failure)
  if (kind === undefined || kinds.has(kind)) return
  kinds.add(kind)
  // An input that fails by itself, and not by what another has left behind, is made small.
  const small = await shrink(input, async (smaller) => kindOf(await failureOf(target, smaller)) === kind)
  const name = `${target.name}-${nameOf(small)}`
  const file = findings + name
  writeFileSync(file, small)
  found += 1
  console.log(`${file}: ${failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)}`)
}

async function failureOf(target: Target, input: Uint8Array): Promise<unknown> {
  stray = undefined
  try {
    await attempt(target, input)
  } catch (error) {
    return error ?? 'a failure without an error'
  }
  return stray
}

/** Two failures of one kind differ in the values that they tell of. */
function kindOf(failure: unknown): string | undefined {
  if (failure === undefined) return undefined
  return failure instanceof Error ? failure.message.slice(0, 20) : String(failure)
}

function nameOf(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 12)
}

function heapBytes(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
