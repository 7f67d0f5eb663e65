export type { FromRunner, Run, ToRunner } from '../runner.ts'
export { runnerUrl } from '../runner.ts'
