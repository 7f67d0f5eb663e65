import { openPair } from './pair.mjs'

/**
 * One value that was measured.
 * @typedef {object} Sample
 * @property {string} scenario
 * @property {string} figure
 * @property {string} case - `''` where there is one only
 * @property {string} row
 * @property {number} round
 * @property {number} value
 *
 * What a scenario is given.
 * @typedef {object} Bench
 * @property {import('./options.mjs').Settings} settings
 * @property {readonly import('./pair.mjs').Row[]} rows - those of its contenders that were asked for
 * @property {ReturnType<typeof import('./chance.mjs').createChance>} chance
 * @property {(sample: { figure: string, case: string, row: string, round: number, value: number }) => void} add
 * @property {(what: string) => void} miss - what was measured and does not count, with the reason
 * @property {(what: string) => void} note - what must be known beside the tables
 * @property {(what: string) => void} say - how far it is
 *
 * A file in scenarios/.
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} title
 * @property {string} about - Markdown, below the title: what is done and counted
 * @property {readonly Figure[]} figures
 * @property {readonly string[]} [contenders] - where not all of them can do it; those that speak two wires only take part
 * where they are named
 * @property {(rows: readonly import('./table.mjs').TitledRow[]) => import('./table.mjs').TitledRow[]} [rowsOf] - its own
 * rows, where they are no servers
 * @property {(settings: import('./options.mjs').Settings, rows: number) => number} [estimateMs] - how long it takes, about
 * @property {(bench: Bench) => Promise<void>} run
 *
 * A table.
 * @typedef {object} Figure
 * @property {string} name
 * @property {string} title
 * @property {string} unit
 * @property {'raw' | 'bare' | 'first' | 'self'} base - what ratios are to: raw TCP; the same wire by hand; the row's first
 * case; or `self`, where the values are ratios already
 * @property {string} [of] - the row that `bare` means, where it is the same for all
 */

/**
 * Runs with all contenders alive, and ends them.
 * @param {readonly import('./pair.mjs').Row[]} rows
 * @param {(pairs: import('./pair.mjs').Pair[]) => Promise<void>} run
 * @param {{ historyMessages?: number }} [options]
 */
export async function withPairs(rows, run, options) {
  /** @type {import('./pair.mjs').Pair[]} */
  const pairs = []
  try {
    for (const row of rows) pairs.push(await openPair(row, options))
    await run(pairs)
  } finally {
    await Promise.all(pairs.map((pair) => pair.end()))
  }
}

/** So many rounds are taken however long they last: fewer say nothing of a difference. @see verdictOf */
export const enough = 7

/**
 * Takes a turn with each, in another order each round. A failure of one does not count and does not end the others. When
 * it takes longer than a case may, there are fewer rounds.
 * @template T
 * @param {Bench} bench
 * @param {readonly T[]} all
 * @param {number} rounds
 * @param {(one: T, round: number) => Promise<void>} turn - round -1 is for warming up
 */
export async function interleaved({ settings, chance, miss, note }, all, rounds, turn) {
  const end = performance.now() + settings.caseMs
  for (let round = -1; round < rounds; round++) {
    if (round >= enough && performance.now() > end) {
      note(`fewer rounds than ${rounds} where they took longer than ${settings.caseMs / 1000} s`)
      return
    }
    for (const one of chance.shuffled(all)) {
      try {
        await turn(one, round)
      } catch (error) {
        miss(error instanceof Error ? error.message : String(error))
      }
    }
  }
}
