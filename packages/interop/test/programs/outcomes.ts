import { print } from './print.ts'

/** What became of a test: its name, and `fine` or why not. */
export type Outcome = readonly [name: string, outcome: string]

/** Gathers the tests of a suite, to be run one after the other. */
export function createTests() {
  const tests: { name: string; run: () => void | Promise<void> }[] = []
  return {
    test: (name: string, run: () => void | Promise<void>) => tests.push({ name, run }),
    /** @param tell - hears of each at once. */
    async run(tell: (outcome: Outcome) => void): Promise<void> {
      for (const { name, run } of tests) {
        try {
          await run()
          tell([name, 'fine'])
        } catch (error) {
          tell([name, String(error)])
        }
      }
    },
  }
}

/** Runs them, and prints what became of each, and then `end`. */
export async function printOutcomes(tests: ReturnType<typeof createTests>): Promise<void> {
  await tests.run(print)
  print('end')
}
