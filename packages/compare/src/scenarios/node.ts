import type { Scenario } from '../scenario.ts'
import { cost } from './cost.ts'
import { proxies } from './proxies.ts'
import { slowReader } from './slow-reader.ts'
import { throughput } from './throughput.ts'
import { wire } from './wire.ts'

/** Those that only Node can run: a page's bundle must not hold them. */
export const nodeScenarios: readonly Scenario[] = [wire, throughput, cost, slowReader, proxies]
