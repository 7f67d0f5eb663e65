import { describe, expect, test } from 'vitest'
import { chaos } from './chaos.ts'
import { type Account, type Heard, judge } from './judge.ts'
import { hasRedis } from './server.ts'

const numberOf = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise)
const options = {
  seed: numberOf('CHAOS_SEED', 1),
  seconds: numberOf('CHAOS_SECONDS', 10),
  clients: numberOf('CHAOS_CLIENTS', 40),
}

describe.skipIf(!hasRedis)('chaos', () => {
  test(`every client is told all, once and in order, while nodes and Redis are killed (seed ${options.seed})`, {
    timeout: options.seconds * 1_000 + 400_000,
  }, async () => {
    const { wrongs, ...counts } = await chaos(options)
    console.log(JSON.stringify({ ...options, ...counts, wrongs: wrongs.length }))
    expect(wrongs.slice(0, 20)).toEqual([])
    expect(counts.nodeKills).toBeGreaterThan(0)
    expect(counts.redisKills).toBeGreaterThan(0)
  })
})

describe('the judge', () => {
  const message = (id: string): Heard => ({ id, channel: 'a', data: id })
  const all = ['1-1', '1-2', '1-3', '2-1', '2-2'].map(message)
  const [one, two, three, four, five] = all as [Heard, Heard, Heard, Heard, Heard]
  const epoch = { reason: 'epoch', channels: ['a'] } as const
  const evicted = { reason: 'evicted', channels: ['a'] } as const
  const wrongsOf = (told: Account['told'], losses = ['1-3'], lost: string[] = [], position = '2-2') =>
    judge({
      confirmed: all,
      lost: new Set(lost),
      losses,
      accounts: [{ name: 'one', channels: ['a'], told, position }],
    }).wrongs

  test('finds nothing wrong where all was told, or a gap where Redis lost its data', () => {
    expect(wrongsOf([one, two, three, epoch, four, five])).toEqual([])
    expect(wrongsOf([one, epoch, epoch, five])).toEqual([])
  })

  test.each([
    ['one that was missed', [one, three, epoch, four, five], /missed 1 from 1-2 on/],
    ['one that came twice', [one, two, two, three, epoch, four, five], /heard 1-2 after 1-2/],
    ['two that came the other way around', [one, three, two, epoch, four, five], /heard 1-2 after 1-3/],
    ['an end that never came', [one, two, three, epoch, four], /did not hear the last 1/],
    ['a gap where nothing was lost', [one, epoch, three, epoch, five], /told a gap before 1-3/],
    ['a gap of another reason', [one, evicted, five], /gap of reason evicted/],
    ['a loss without a gap', [one, two, three, four, five], /told no gap before 2-1/],
  ])('finds %s', (_, told, wrong) => {
    expect(wrongsOf(told)).toContainEqual(expect.stringMatching(wrong))
  })

  test('finds a gap where Redis began anew with all it had, and takes it without', () => {
    expect(wrongsOf([one, two, three, epoch, four, five], [])).toEqual([
      'one was told a gap before 2-1, where nothing was lost',
    ])
    expect(wrongsOf([one, two, three, four, five], [])).toEqual([])
  })

  test('takes a gap for the end of one that came back when all was over, where Redis lost its data', () => {
    const end = ['one did not hear the last 3 from 1-3 on']
    expect(wrongsOf([one, two, epoch])).toEqual([])
    expect(wrongsOf([one, two, epoch], ['1-3'], [], '2-1')).toEqual(end)
    expect(wrongsOf([one, two, epoch], [])).toEqual(end)
    expect(wrongsOf([one, two])).toEqual(end)
  })

  test('finds one that was said not to be published', () => {
    expect(wrongsOf([one, two, three, epoch, four, five], ['1-3'], ['1-2'])[0]).toMatch(/1-2 was said not/)
  })
})
