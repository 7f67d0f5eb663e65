import type { Cell, Figure } from './figure.ts'

/** Where the clients of a run were. The server is always a Node process. */
export interface Place {
  readonly kind: 'node' | 'page'
  /** `Node 20.20.2`, `Chromium 141`. */
  readonly name: string
}

/** What the server ran on. */
export interface Machine {
  readonly node: string
  readonly system: string
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
}

/** What was not measured, and why, so that nobody takes a missing figure for a good one. */
export interface Note {
  /** The case, the row or both. */
  readonly what: string
  readonly why: string
}

/** What one scenario found, before it is put into words. */
export interface Findings {
  readonly scenario: string
  readonly title: string
  readonly question: string
  readonly place: Place
  readonly figures: readonly Figure[]
  /** Names of contenders with their titles, in the order of the table. */
  readonly rows: readonly { readonly name: string; readonly title: string; readonly control: boolean }[]
  readonly cases: readonly string[]
  readonly cells: readonly Cell[]
  readonly notes: readonly Note[]
  readonly ms: number
}

/** What one scenario found. */
export interface Result extends Findings {
  /** What the figures mean, in a few sentences. */
  readonly explanation: string
}

/** A whole run. The same as JSON. */
export interface Report {
  readonly version: 1
  /** ISO 8601. */
  readonly startedAt: string
  readonly machine: Machine
  /** `undefined` for the embedded server. */
  readonly target: { readonly sse?: string; readonly ws?: string } | undefined
  readonly results: readonly Result[]
}

/** The values of one cell; none where it was not measured. */
export function valuesOf(result: Findings, row: string, figure: string, of = ''): readonly number[] {
  return (
    result.cells.find((cell) => cell.row === row && cell.figure === figure && cell.case === of)?.values ?? []
  )
}
