import type { Machine, Report, Result } from '../report.ts'

/** What this page has measured so far: the latest result of each scenario in each place. */
export interface Record {
  /** `undefined` before the first result. */
  readonly report: Report | undefined
  add(result: Result): void
  /** @returns its undo. */
  onChange(handler: (report: Report) => void): () => void
}

/** @param order - names of the scenarios, as a report has them. */
export function createRecord(machine: Machine, order: readonly string[]): Record {
  const handlers = new Set<(report: Report) => void>()
  let report: Report | undefined
  return {
    get report() {
      return report
    },
    add(result) {
      const startedAt = report?.startedAt ?? new Date(Date.now() - result.ms).toISOString()
      const others = (report?.results ?? []).filter(
        ({ scenario, place }) => scenario !== result.scenario || place.kind !== result.place.kind,
      )
      const rank = ({ scenario, place }: Result) =>
        2 * order.indexOf(scenario) + Number(place.kind === 'page')
      const results = [...others, result].sort((one, other) => rank(one) - rank(other))
      report = { version: 1, startedAt, machine, target: undefined, results }
      for (const handler of handlers) handler(report)
    },
    onChange(handler) {
      handlers.add(handler)
      return () => handlers.delete(handler)
    },
  }
}
