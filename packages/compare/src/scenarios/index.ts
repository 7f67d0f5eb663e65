import type { Scenario } from '../scenario.ts'
import { care } from './care.ts'
import { direction } from './direction.ts'
import { handshake } from './handshake.ts'
import { latency } from './latency.ts'

/** Those that run in Node and in browsers alike, in the order of a report. */
export const scenarios: readonly Scenario[] = [direction, handshake, latency, care]
