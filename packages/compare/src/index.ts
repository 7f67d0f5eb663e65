/**
 * The lab: Server-Sent Events and WebSocket side by side, fed with live readings of this host and measured on your own
 * network.
 *
 * @packageDocumentation
 */

export { type Answer, answersOf } from './answers.ts'
export type { Progress } from './bench.ts'
export type { BrowserName } from './browsers.ts'
export type { Contender, Hear, House, Line, Where } from './contender.ts'
export type { Source } from './evidence.ts'
export type { Cell, Figure, Unit } from './figure.ts'
export { type Lab, type LabOptions, startLab } from './lab.ts'
export { defaultNeeds, type Needs, type Proxies, parseNeeds } from './needs.ts'
export type { Kind, Parcel } from './parcel.ts'
export { type Change, type Choice, type Reason, type Recommendation, recommend } from './recommend.ts'
export { renderHtml } from './render/html.ts'
export { renderMarkdown } from './render/markdown.ts'
export type { Findings, Machine, Note, Place, Report, Result } from './report.ts'
export { type RunAllOptions, runAll, type Step, scenarioLimitMs } from './run.ts'
export type { Bench, Plan, Scenario, Trial, Values } from './scenario.ts'
export { scenarios } from './scenarios/index.ts'
export { nodeScenarios } from './scenarios/node.ts'
export { pageScenarios } from './scenarios/page.ts'
export type {
  Commands,
  Cost,
  Counts,
  Faults,
  Origins,
  OwnStage,
  Plant,
  Published,
  Publishing,
  Restart,
  Restarted,
  Stage,
  Taken,
} from './stage/stage.ts'
