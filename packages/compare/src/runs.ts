import { type ChildProcess, fork } from 'node:child_process'
import type { Progress } from './bench.ts'
import type { Place, Result } from './report.ts'
import type { Step } from './run.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'
import { nodeScenarios } from './scenarios/node.ts'
import { pageScenarios } from './scenarios/page.ts'
import type { Access } from './stage/ask.ts'
import { type SpawnedStage, spawnStage } from './stage/spawn.ts'

/** What a page asks for. */
export interface RunRequest {
  /** Where the clients are to be: in that page, or in a process of the lab's machine. */
  readonly place: Place['kind']
  /** Names of scenarios. */
  readonly scenarios: readonly string[]
  readonly quick: boolean
}

/** A run, and what came of it so far. */
export interface Run extends RunRequest {
  readonly id: number
  readonly status: 'running' | 'done' | 'stopped' | 'failed'
  /** Why it failed. */
  readonly message?: string
  /** Scenarios that failed, and why; the others went on. */
  readonly failures: readonly string[]
  readonly progress?: Progress
  readonly step?: Step
  /** Of a run by Node: those of a page stay in the page. */
  readonly results: readonly Result[]
}

/** What the channel `runs` carries. */
export type RunEvent =
  | { readonly id: number; readonly type: 'progress'; readonly progress: Progress; readonly step: Step }
  | { readonly id: number; readonly type: 'result'; readonly result: Result }
  | { readonly id: number; readonly type: 'begun' | 'ended' }

/** What the process of a run is told. */
export interface RunSettings {
  readonly scenarios: readonly string[]
  readonly quick: boolean
  /** The URL of the stage's program. */
  readonly stage: string
}

/** What the process of a run tells. */
export type FromRun =
  | { readonly type: 'progress'; readonly progress: Progress; readonly step: Step }
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'failure'; readonly message: string }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string }

/** Settings of {@link createRuns}. */
export interface RunsOptions {
  readonly host: string
  /** Origins of the lab's page. */
  readonly allowed: () => readonly string[]
  readonly tell: (event: RunEvent) => void
  /** Whether this page is still there. */
  readonly isThere: (page: string) => boolean
}

/** The lab's measuring: one run at a time, or they would measure each other. */
export interface Runs {
  /** The latest run. */
  readonly latest: Run | undefined
  /** What pages measure against. Started when it is first asked for; `undefined` where it does not start. */
  stage(): Promise<Access | undefined>
  /**
   * Begins a run. One of a page is the page's own work, and only announced here.
   *
   * @param page - tells pages apart.
   * @returns the run, or why there is none now.
   */
  begin(request: RunRequest, page: string): Run | { readonly refusal: string }
  /** Ends the run, where it is this one. @param failure - why, where it was not meant to end. */
  end(id: number, failure?: string): Promise<void>
  close(): Promise<void>
}

/** All that there is to measure, in the order of a report. */
export const everyScenario: readonly Scenario[] = [...scenarios, ...nodeScenarios, ...pageScenarios]

// From `src` and from `dist` alike, and always what is built: processes do not run from sources.
const programs = {
  stage: new URL('../dist/stage/main.js', import.meta.url),
  run: new URL('../dist/run-process.js', import.meta.url),
}

/** Longer than any full run takes. */
const longestMs = 60 * 60_000
/** How long a process may take to clear up. */
const graceMs = 5000
/** Progress is for people. */
const progressMs = 100

/** Makes the lab's measuring; nothing runs yet. */
export function createRuns({ host, allowed, tell, isThere }: RunsOptions): Runs {
  let stage: Promise<SpawnedStage> | undefined
  let latest: Run | undefined
  let holder = ''
  let child: ChildProcess | undefined
  let isClosed = false

  function change(id: number, change: Partial<Run>): void {
    if (latest?.id === id) latest = { ...latest, ...change }
  }
  function settle(id: number, status: Run['status'], message?: string): void {
    if (latest?.id !== id || latest.status !== 'running') return
    change(id, message === undefined ? { status } : { status, message })
    tell({ id, type: 'ended' })
  }

  function start(id: number, settings: RunSettings): void {
    const process = fork(programs.run, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    child = process
    const limit = setTimeout(() => {
      settle(id, 'failed', 'it took longer than an hour')
      void stop(process)
    }, longestMs)
    let toldAt = 0
    process.send(settings)
    process.on('message', (message: FromRun) => {
      if (message.type === 'progress') {
        const { progress, step } = message
        change(id, { progress, step })
        const now = performance.now()
        if (now - toldAt < progressMs) return
        toldAt = now
        tell({ id, type: 'progress', progress, step })
      } else if (message.type === 'result') {
        change(id, { results: [...(latest?.results ?? []), message.result] })
        tell({ id, type: 'result', result: message.result })
      } else if (message.type === 'failure') {
        change(id, { failures: [...(latest?.failures ?? []), message.message] })
      } else if (message.type === 'done') settle(id, 'done')
      else settle(id, 'failed', message.message)
    })
    process.on('error', (error) => settle(id, 'failed', error.message))
    process.on('exit', (code) => {
      clearTimeout(limit)
      if (child === process) child = undefined
      settle(id, 'failed', `the process of the run ended with ${code}`)
    })
  }

  return {
    get latest() {
      return latest
    },
    async stage() {
      const before = stage
      const known = await before?.catch(() => undefined)
      // One that did not start, or has ended: its own words are in the terminal, and the next may have more luck.
      if (stage === before && (known === undefined || !isRunning(known.pid))) {
        stage = isClosed ? undefined : spawnStage({ host, allowed: allowed(), program: programs.stage })
      }
      return (await stage?.catch(() => undefined))?.access
    },
    begin(request, page) {
      if (isClosed) return { refusal: 'the lab is closing' }
      if (child !== undefined || (latest?.status === 'running' && holder !== page && isThere(holder))) {
        return { refusal: 'another run is on; two at once would measure each other' }
      }
      // Also after the lab was started anew: a page that outlives it has seen runs of before.
      const id = Math.max(Date.now(), (latest?.id ?? 0) + 1)
      latest = { ...request, id, status: 'running', results: [], failures: [] }
      holder = page
      tell({ id, type: 'begun' })
      if (request.place === 'node') {
        start(id, { scenarios: request.scenarios, quick: request.quick, stage: programs.stage.href })
      }
      return latest
    },
    async end(id, failure) {
      if (latest?.id !== id) return
      const { place } = latest
      if (failure !== undefined) settle(id, 'failed', failure)
      else settle(id, 'stopped')
      if (place === 'node') await stop(child)
    },
    async close() {
      isClosed = true
      await Promise.all([stop(child), stage?.then((one) => one.close()).catch(() => undefined)])
    },
  }
}

/** @param pid - of a child of this process, which Node takes leave of as soon as it has ended. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Lets a process clear up, and ends it where it does not. */
async function stop(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
  if (child.connected) child.send('stop', () => undefined)
  await exited
  clearTimeout(timer)
}
