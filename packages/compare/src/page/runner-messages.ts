export type { FromRunner, Orders, Run, ToRunner } from '../runner.ts'
export { runnerUrl } from '../runner.ts'
