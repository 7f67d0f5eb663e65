import type { Contender } from '../contender.ts'
import { type Crowd, CrowdLimitError, openCrowd } from '../crowd.ts'
import type { Bench } from '../scenario.ts'
import type { Cost, OwnStage } from '../stage/stage.ts'

/** One contender and its server alone: a process that has served nobody else. */
export interface Alone {
  readonly stage: OwnStage
  readonly channel: string
  /** Opens so many clients and waits until the stage knows them. */
  gather(size: number): Promise<Crowd>
  cost(settings?: { readonly collect?: boolean }): Promise<Cost>
}

/** How long a stage may take to know a crowd that is open. */
const withinMs = 20_000

/**
 * Gives each trial a server of its own, because a process that has served others has other memory and other machine code
 * than one that has not.
 *
 * @returns what runs a trial with heartbeats so far apart (0 for none); `undefined`, and a note, where that cannot be.
 */
export function aloneOn(
  bench: Bench,
): (<T>(row: Contender, heartbeatMs: number, run: (alone: Alone) => Promise<T>) => Promise<T>) | undefined {
  const { stage: shared, signal } = bench
  if (shared.fresh === undefined) {
    bench.note('all', 'each trial needs a server process of its own, which is started from Node alone')
    return undefined
  }
  const fresh = shared.fresh
  let limit: { readonly size: number; readonly error: CrowdLimitError } | undefined

  return async (row, heartbeatMs, run) => {
    const stage = await fresh({ heartbeatMs })
    const channel = 'crowd'
    try {
      return await run({
        stage,
        channel,
        async gather(size) {
          if (limit !== undefined && size >= limit.size) throw limit.error
          const crowd = await openCrowd({ origin: stage.origins.direct, row, size, channel, signal }).catch(
            (error: unknown) => {
              if (error instanceof CrowdLimitError) limit = { size, error }
              throw error
            },
          )
          try {
            await stage.ask('wait', { house: row.house, count: size, withinMs })
          } catch (error) {
            await crowd[Symbol.asyncDispose]()
            throw error
          }
          return crowd
        },
        cost: (settings = {}) => stage.ask('cost', settings),
      })
    } finally {
      await stage.close()
    }
  }
}
