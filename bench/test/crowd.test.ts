import { test } from 'vitest'
import type { Sample } from '../bench.mjs'
import { createChance } from '../chance.mjs'
import { optionsOf } from '../options.mjs'
import crowd from '../scenarios/crowd.mjs'

/** A small crowd on the server of a file in planted/. */
async function run(fault: string) {
  const samples: Pick<Sample, 'figure' | 'case' | 'row'>[] = []
  const missed: string[] = []
  await crowd.run({
    settings: { ...optionsOf(['--quick']).settings, crowdClients: 10, crowdSeconds: 2, freshRounds: 1 },
    rows: [{ name: fault, contender: `../test/planted/${fault}`, root: '' }],
    chance: createChance(1),
    add: (sample) => samples.push(sample),
    miss: (what) => missed.push(what),
    note: () => undefined,
    say: () => undefined,
  })
  return { figures: [...new Set(samples.map(({ figure }) => figure))], missed }
}

test.concurrent('where each message arrives exactly once at each client, the round counts', async ({
  expect,
}) => {
  expect(await run('none')).toEqual({ figures: ['memory', 'cpu', 'last'], missed: [] })
})

test.concurrent.for([
  ['swapped', 'swapped: of 2 messages a client had 1, another 3'],
  ['doubled', 'doubled: of 2 messages a client had 2, another 3'],
  ['lost', 'lost: of 2 messages a client had 1, another 2'],
  ['closed', 'closed: of 10 connections the clients have 10, the server 9'],
] as const)(
  'a message or a connection that is %s ends the round, and it does not count',
  async ([fault, reason], { expect }) => {
    expect(await run(fault)).toEqual({ figures: [], missed: [reason] })
  },
)
