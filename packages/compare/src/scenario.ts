import type { Contender } from './contender.ts'
import type { Figure } from './figure.ts'
import type { Findings, Place } from './report.ts'
import type { Stage } from './stage/stage.ts'

/** One question about the two transports, and how it is answered by measurement. */
export interface Scenario {
  /** On the command line, in reports and in links. */
  readonly name: string
  readonly title: string
  /** As a user would ask it. */
  readonly question: string
  readonly figures: readonly Figure[]
  /** Where its clients can be. */
  readonly places: readonly Place['kind'][]
  run(bench: Bench): Promise<void>
  /** Says in a few plain sentences what the figures mean, with the figures. Pure. */
  explain(findings: Findings): string
}

/** Named figures of one trial; `undefined` where it has none. */
export type Values = Readonly<Record<string, number | undefined>>

/** What a scenario measures. */
export interface Plan<C> {
  /** In the order of the tables. */
  readonly cases: readonly { readonly title: string; readonly value: C }[]
  /** @defaultValue `bench.contenders` */
  readonly rows?: readonly Contender[]
  /** @defaultValue the run's: 7, or 2 in a quick run */
  readonly rounds?: number
}

/** One measurement. */
export interface Trial<C> {
  readonly case: C
  readonly row: Contender
  /** From 0. The first is not a warm-up: call what needs one by itself. */
  readonly round: number
}

/** What a scenario works with. */
export interface Bench {
  readonly stage: Stage
  readonly place: Place
  /** Those that can be compared here: ours first, then the control rows. */
  readonly contenders: readonly Contender[]
  /** Aborts when the run is to end. Checked between trials; long waits take it along. */
  readonly signal: AbortSignal
  /** Fewer rounds and less load: to see that it works. */
  readonly quick: boolean
  /**
   * Measures each row in each case, round by round: all rows of a case in turn, beginning with another one each time, so
   * that what befalls the machine befalls them alike. A trial that fails becomes a note, and the others go on.
   */
  measure<C>(plan: Plan<C>, run: (trial: Trial<C>) => Promise<Values>): Promise<void>
  /** Says what is not measured here, and why. */
  note(what: string, why: string): void
}
