import { type Progress, runScenario } from './bench.ts'
import type { BrowserName } from './browsers.ts'
import { contenders } from './contenders/node.ts'
import { readMachine } from './machine.ts'
import type { Place, Report, Result } from './report.ts'
import type { Scenario } from './scenario.ts'
import { type SpawnedStage, spawnStage } from './stage/spawn.ts'
import type { Stage } from './stage/stage.ts'

/** Settings of {@link runAll}. */
export interface RunAllOptions {
  readonly scenarios: readonly Scenario[]
  /** @defaultValue false */
  readonly quick?: boolean
  /** @defaultValue 7, or 2 in a quick run */
  readonly rounds?: number
  /** Ends the run; the report then holds what was measured until then. */
  readonly signal?: AbortSignal
  /** Where the clients are, if not in this process. */
  readonly browsers?: readonly BrowserName[]
  /** Of a run against a user's own server: what it is called in the report. No stage is started for it. */
  readonly target?: Report['target']
  /** Longest time for one scenario, in milliseconds. @defaultValue {@link scenarioLimitMs} */
  readonly limitMs?: number
  readonly onProgress?: (progress: Progress, step: Step) => void
  readonly onResult?: (result: Result) => void
  /** Hears of a scenario that failed. The others go on. */
  readonly onFailure?: (scenario: Scenario, reason: string) => void
  /** The program of the stage. @internal */
  readonly program?: URL
}

/** Which of the scenarios of a run it is. */
export interface Step {
  /** From 0. */
  readonly index: number
  readonly of: number
}

/** How long one scenario may take, in milliseconds. */
export const scenarioLimitMs: { readonly full: number; readonly quick: number } = {
  full: 10 * 60_000,
  quick: 2 * 60_000,
}

/** How long a scenario may take to end after it was told to, before the run goes on without it. */
const graceMs = 5000

/**
 * Runs scenarios one after the other, each on a stage of its own, so that none finds what another left behind. One that
 * fails or takes too long costs no other.
 */
export async function runAll(options: RunAllOptions): Promise<Report> {
  const { scenarios, quick = false, browsers = [], signal = new AbortController().signal } = options
  const startedAt = new Date().toISOString()
  const steps =
    browsers.length === 0
      ? scenarios.map((scenario) => ({ scenario, browser: undefined }))
      : browsers.flatMap((browser) => scenarios.map((scenario) => ({ scenario, browser })))
  const results: Result[] = []

  for (const [index, { scenario, browser }] of steps.entries()) {
    if (signal.aborted) break
    const limitMs = options.limitMs ?? (quick ? scenarioLimitMs.quick : scenarioLimitMs.full)
    const over = AbortSignal.timeout(limitMs)
    const ends = AbortSignal.any([signal, over])
    const whyEnded = () => {
      if (signal.aborted) return 'the run was ended'
      return over.aborted ? `it took longer than ${limitMs / 1000} s, and was ended` : undefined
    }
    let hasFailed = false
    const failed = (reason: string): void => {
      // What the user ended has not failed; and of one scenario, the first reason is the one that counts.
      if (!hasFailed && !signal.aborted) options.onFailure?.(scenario, reason)
      hasFailed = true
    }
    const onProgress = (progress: Progress) => options.onProgress?.(progress, { index, of: steps.length })
    try {
      const found = await settled(
        browser === undefined
          ? runHere(guarded(scenario, whyEnded, failed), options, ends, onProgress)
          : runThere(browser, scenario, options, ends, onProgress),
        ends,
      )
      for (const result of found) {
        // What was stopped before its first figure tells nothing.
        if (result.cells.length === 0 && signal.aborted) continue
        results.push(result)
        options.onResult?.(result)
        if (result.cells.length === 0) failed(result.notes[0]?.why ?? 'it measured nothing')
      }
    } catch (error) {
      failed(whyEnded() ?? messageOf(error))
    }
  }
  return { version: 1, startedAt, machine: readMachine(), target: options.target, results }
}

/** Clients in this process. */
async function runHere(
  scenario: Scenario,
  { quick = false, rounds, target, program }: RunAllOptions,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<readonly Result[]> {
  const stage = target === undefined ? await spawnStage(program === undefined ? {} : { program }) : undefined
  const place: Place = { kind: 'node', name: `Node ${process.versions.node}` }
  const rows = { stage: stage ?? absentStage, place, contenders: stage === undefined ? [] : contenders }
  return closing(stage, signal, async () => [
    await runScenario(scenario, {
      ...rows,
      quick,
      signal,
      onProgress,
      ...(rounds === undefined ? {} : { rounds }),
    }),
  ])
}

/** Clients in a page. */
async function runThere(
  browser: BrowserName,
  scenario: Scenario,
  { quick = false, rounds, program }: RunAllOptions,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<readonly Result[]> {
  // Only who asks for a browser needs the package that drives one.
  const { runInBrowser } = await import('./browsers.ts')
  // Browsers speak HTTP/2 with TLS only, and where it matters both are measured.
  const stage = await spawnStage({ secure: true, ...(program === undefined ? {} : { program }) })
  const plan = { scenarios: [scenario.name], quick, ...(rounds === undefined ? {} : { rounds }) }
  return closing(stage, signal, () => runInBrowser(browser, stage.access, plan, onProgress, signal))
}

/** Ends the stage with the work, or soon after the work was told to end: what waits for the stage fails with it. */
async function closing<T>(
  stage: SpawnedStage | undefined,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const onAbort = () => {
    timer = setTimeout(() => void stage?.close(), graceMs / 2)
  }
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) onAbort()
  try {
    return await work()
  } finally {
    signal.removeEventListener('abort', onAbort)
    clearTimeout(timer)
    await stage?.close()
  }
}

/** A server of the user's takes no commands of ours. */
const absentStage: Stage = {
  origins: { direct: '', relay: '' },
  clockErrorMs: 0,
  now: () => performance.now(),
  ask: (command) => Promise.reject(new Error(`a server that is not ours cannot be asked to ${command}`)),
}

/** The scenario, so that what it measured before it failed or was ended is kept. */
function guarded(
  scenario: Scenario,
  whyEnded: () => string | undefined,
  failed: (reason: string) => void,
): Scenario {
  return {
    ...scenario,
    async run(bench) {
      try {
        await scenario.run(bench)
      } catch (error) {
        const ended = whyEnded()
        bench.note('the rest', ended ?? `failed: ${messageOf(error)}`)
        failed(ended ?? messageOf(error))
      }
    },
    explain(findings) {
      try {
        return scenario.explain(findings)
      } catch (error) {
        failed(`its figures could not be put into words: ${messageOf(error)}`)
        return ''
      }
    },
  }
}

/** The promise, or an error where it does not end in time after it was told to. */
async function settled<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  let onAbort: () => void = () => undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        onAbort = () => {
          timer = setTimeout(() => reject(new Error('it did not end when told to')), graceMs)
        }
        signal.addEventListener('abort', onAbort)
        if (signal.aborted) onAbort()
      }),
    ])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
