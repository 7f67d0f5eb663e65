import { writeFileSync } from 'node:fs'

/** @typedef {import('vitest/node').Reporter} Reporter */

/**
 * What a run of Vitest came to.
 * @typedef {{ passed: number, failed: number, skipped: number, unmatched?: string }} Counts
 */

/**
 * A reporter that prints nothing, and writes the counts to the file that `EITHERWAY_COUNTS` names.
 * @implements {Reporter}
 */
export default class {
  /** @type {import('vitest/node').Vitest | undefined} */
  #vitest

  /** @param {import('vitest/node').Vitest} vitest */
  onInit(vitest) {
    this.#vitest = vitest
  }

  /** @param {readonly import('vitest/node').TestModule[]} modules */
  onTestRunEnd(modules) {
    /** @type {Counts} */
    const counts = { passed: 0, failed: 0, skipped: 0 }
    const pattern = this.#vitest?.config.testNamePattern
    let isMatched = false
    for (const module of modules) {
      const tests = [...module.children.allTests()]
      for (const test of tests) {
        const { state } = test.result()
        counts[state === 'passed' || state === 'failed' ? state : 'skipped']++
        isMatched ||= pattern?.test(test.fullName.replaceAll(' > ', ' ')) === true
      }
      // It could not run.
      if (module.state() === 'failed' && tests.every((test) => test.result().state !== 'failed'))
        counts.failed++
    }
    if (pattern !== undefined && !isMatched) counts.unmatched = pattern.source
    writeFileSync(process.env['EITHERWAY_COUNTS'] ?? '', JSON.stringify(counts))
  }
}
