import type { Scenario } from '../scenario.ts'
import { tabs } from './tabs.ts'

/** Those that only a browser can run. */
export const pageScenarios: readonly Scenario[] = [tabs]
