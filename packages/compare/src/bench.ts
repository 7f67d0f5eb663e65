import type { Contender } from './contender.ts'
import type { Cell } from './figure.ts'
import type { Findings, Note, Place, Result } from './report.ts'
import type { Bench, Scenario } from './scenario.ts'
import type { Stage } from './stage/stage.ts'

/** Settings of {@link runScenario}. */
export interface RunOptions {
  readonly stage: Stage
  readonly place: Place
  readonly contenders: readonly Contender[]
  /** @defaultValue false */
  readonly quick?: boolean
  /** How often each trial is run, whatever the scenario would choose. @defaultValue its choice: mostly 7, or 2 in a quick run */
  readonly rounds?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
}

/** How far a scenario is. */
export interface Progress {
  readonly scenario: string
  readonly title: string
  readonly done: number
  readonly of: number
  /** What is measured now, for people. */
  readonly now: string
}

/** Runs one scenario. What fails in it is noted in the result, so that one failure costs no other figure. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Result> {
  const { stage, place, contenders, quick = false, onProgress } = options
  const signal = options.signal ?? new AbortController().signal
  const startedAt = performance.now()
  const cells = new Map<string, Cell & { readonly values: number[] }>()
  const cases: string[] = []
  const rows: Contender[] = []
  const notes: Note[] = []
  let done = 0
  let of = 0

  function record(title: string, row: string, figure: string, value: number | undefined): void {
    if (value === undefined || !Number.isFinite(value)) return
    const key = JSON.stringify([title, row, figure])
    const cell = cells.get(key) ?? { case: title, row, figure, values: [] }
    cell.values.push(value)
    cells.set(key, cell)
  }

  const bench: Bench = {
    stage,
    place,
    contenders,
    signal,
    quick,
    async measure(plan, run) {
      const { rows: mine = contenders } = plan
      // Whoever asks for a number of rounds gets it, of every scenario.
      const rounds = options.rounds ?? plan.rounds ?? (quick ? 2 : 7)
      for (const row of mine) if (!rows.some(({ name }) => name === row.name)) rows.push(row)
      for (const { title } of plan.cases) if (!cases.includes(title)) cases.push(title)
      of += rounds * plan.cases.length * mine.length
      for (let round = 0; round < rounds; round += 1) {
        for (const { title, value } of plan.cases) {
          for (let turn = 0; turn < mine.length; turn += 1) {
            const row = mine[(turn + round) % mine.length] as Contender
            signal.throwIfAborted()
            onProgress?.({
              scenario: scenario.name,
              title: scenario.title,
              done,
              of,
              now: [row.title, title].filter(Boolean).join(', '),
            })
            try {
              const values = await run({ case: value, row, round })
              for (const [figure, found] of Object.entries(values)) record(title, row.name, figure, found)
            } catch (error) {
              signal.throwIfAborted()
              note([row.title, title].filter(Boolean).join(', '), `failed: ${(error as Error).message}`)
            }
            done += 1
          }
        }
      }
    },
    note,
  }
  /** The same failure in each round is one note. */
  function note(what: string, why: string): void {
    if (!notes.some((one) => one.what === what && one.why === why)) notes.push({ what, why })
  }

  await scenario.run(bench)
  onProgress?.({ scenario: scenario.name, title: scenario.title, done, of: done, now: '' })
  const found: Findings = {
    scenario: scenario.name,
    title: scenario.title,
    question: scenario.question,
    place,
    figures: scenario.figures,
    rows: rows.map(({ name, title, control }) => ({ name, title, control })),
    cases,
    cells: [...cells.values()],
    notes,
    ms: performance.now() - startedAt,
  }
  return { ...found, explanation: scenario.explain(found) }
}
