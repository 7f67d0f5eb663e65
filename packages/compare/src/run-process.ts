import { type RunAllOptions, runAll } from './run.ts'
import { everyScenario, type FromRun, type RunSettings } from './runs.ts'

// The process of a run by Node: the clients are here, so that they share no event loop with the lab. It ends with its parent.

const over = new AbortController()
const graceMs = 10_000

process.once('message', (settings: RunSettings) => {
  process.once('message', () => over.abort(new Error('the run was stopped')))
  void run(settings)
})
process.once('disconnect', () => {
  over.abort(new Error('the lab has ended'))
  // Whatever does not listen to the signal.
  setTimeout(() => process.exit(1), graceMs).unref()
})

async function run({ scenarios, quick, stage }: RunSettings): Promise<void> {
  const options: RunAllOptions = {
    scenarios: everyScenario.filter(({ name }) => scenarios.includes(name)),
    quick,
    signal: over.signal,
    program: new URL(stage),
    onProgress: (progress, step) => tell({ type: 'progress', progress, step }),
    onResult: (result) => tell({ type: 'result', result }),
    onFailure: ({ title }, reason) => tell({ type: 'failure', message: `${title}: ${reason}` }),
  }
  try {
    await runAll(options)
    tell({ type: 'done' })
  } catch (error) {
    tell({ type: 'failed', message: (error as Error).message })
  }
  if (process.connected) process.disconnect()
  process.exit(0)
}

function tell(message: FromRun): void {
  if (process.connected) process.send?.(message)
}
