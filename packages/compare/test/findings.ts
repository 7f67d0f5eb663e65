import type { Figure } from '../src/figure.ts'
import type { Findings } from '../src/report.ts'

const titles: Readonly<Record<string, { title: string; control: boolean }>> = {
  sse: { title: 'SSE', control: false },
  ws: { title: 'WebSocket', control: false },
  'sse-bare': { title: 'EventSource', control: true },
  'ws-bare': { title: 'bare WebSocket', control: true },
}

/** Findings made up of case, row and figure: what a scenario would have found. */
export function madeUp(
  figures: readonly Figure[],
  found: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>>>,
): Findings {
  const cases = Object.keys(found)
  const rows = [...new Set(Object.values(found).flatMap((of) => Object.keys(of)))]
  return {
    scenario: 'made-up',
    title: 'Made up',
    question: 'What would be said?',
    place: { kind: 'node', name: 'Node' },
    figures,
    rows: rows.map((name) => ({ name, ...(titles[name] ?? { title: name, control: true }) })),
    cases,
    cells: Object.entries(found).flatMap(([title, of]) =>
      Object.entries(of).flatMap(([row, values]) =>
        Object.entries(values).map(([figure, all]) => ({ case: title, row, figure, values: all })),
      ),
    ),
    notes: [],
    ms: 0,
  }
}
