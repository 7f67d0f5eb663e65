import type { Figure } from '../src/figure.ts'
import type { Place, Report, Result } from '../src/report.ts'

/** Rounds of a row: four or more, so that a difference can count. */
export interface Measured {
  readonly scenario: string
  readonly figure: Pick<Figure, 'name' | 'unit' | 'better'>
  readonly case?: string
  readonly rows: Readonly<Record<string, readonly number[]>>
  readonly place?: Place
  readonly notes?: Result['notes']
}

/** A report with these figures: what a run would have written had it measured them. */
export function reportOf(...measured: readonly Measured[]): Report {
  return {
    version: 1,
    startedAt: '2026-11-22T12:00:00.000Z',
    machine: { node: '20.20.2', system: 'Linux', processor: 'one', cores: 2, memoryBytes: 2 ** 33 },
    target: undefined,
    results: measured.map(resultOf),
  }
}

function resultOf({ scenario, figure, case: title = '', rows, place, notes = [] }: Measured): Result {
  return {
    scenario,
    title: scenario,
    question: `${scenario}?`,
    place: place ?? { kind: 'node', name: 'Node 20.20.2' },
    figures: [{ ...figure, title: figure.name }],
    rows: Object.keys(rows).map((name) => ({ name, title: name, control: name.endsWith('-bare') })),
    cases: [title],
    cells: Object.entries(rows).map(([row, values]) => ({ case: title, row, figure: figure.name, values })),
    notes,
    ms: 1,
    explanation: '',
  }
}

/** Four rounds about a value, a hundredth apart. */
export function about(value: number): readonly number[] {
  return [0.99, 1, 1, 1.01].map((part) => part * value)
}
