import type { Scenario } from '../scenario.ts'
import { latency } from './latency.ts'

/** All that the lab can measure, in the order of a report. */
export const scenarios: readonly Scenario[] = [latency]
