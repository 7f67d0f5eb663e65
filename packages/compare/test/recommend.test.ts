import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bounds, defaultNeeds, type Needs, parseNeeds } from '../src/needs.ts'
import { type Change, type Choice, recommend, recommendFromArgs } from '../src/recommend.ts'
import type { Report } from '../src/report.ts'
import { about, type Measured, reportOf } from './reports.ts'

const needsOf = (needs: Partial<Needs>): Needs => ({ ...defaultNeeds, ...needs })

/** What a run might find. */
function costing(
  delivery: readonly [number, number],
  memory: readonly [number, number],
): readonly Measured[] {
  const rows = ([sse, ws]: readonly [number, number]) => ({ sse: about(sse), ws: about(ws) })
  const common = { scenario: 'cost', case: '1,000 connections' }
  return [
    { ...common, figure: { name: 'delivery', unit: 'µs', better: 'less' }, rows: rows(delivery) },
    { ...common, figure: { name: 'memory', unit: 'KiB', better: 'less' }, rows: rows(memory) },
  ]
}

function percentOfBinary(sse: number, ws: number): Measured {
  const figure = { name: 'percent', unit: '%', better: 'less' } as const
  return { scenario: 'wire', case: 'binary, 16 KB', figure, rows: { sse: about(sse), ws: about(ws) } }
}

describe('by protocol alone', () => {
  const table: readonly [what: string, needs: Partial<Needs>, transport: Choice, because: string][] = [
    ['a feed', {}, 'sse', 'Clients only listen'],
    ['a word now and then', { upPerSecond: 1 }, 'sse', 'At 1 message a second'],
    ['more than a handful', { upPerSecond: 6 }, 'ws', 'a request with its headers'],
    ['a stream up', { upPerSecond: 60 }, 'ws', 'may overtake one another'],
    ['binary', { binary: true }, 'ws', 'as Base64'],
    ['unknown proxies', { proxies: 'unknown' }, 'sse', 'may refuse `Upgrade`'],
    ['unknown proxies and more than a handful', { proxies: 'unknown', upPerSecond: 10 }, 'sse', 'may refuse'],
    ['unknown proxies and a stream up', { proxies: 'unknown', upPerSecond: 60 }, 'ws', 'may overtake'],
    ['five tabs', { browsers: true, tabs: 5 }, 'sse', 'Clients only listen'],
    ['six tabs', { browsers: true, tabs: 6 }, 'ws', '6 tabs over HTTP/1.1'],
    ['eight tabs over HTTP/2', { browsers: true, tabs: 8, http2: true }, 'sse', 'Clients only listen'],
    ['eight tabs, but no pages', { tabs: 8 }, 'sse', 'Clients only listen'],
    [
      'all of it',
      { upPerSecond: 10, binary: true, fanOut: 1000, proxies: 'unknown', browsers: true, tabs: 8 },
      'ws',
      '8 tabs over HTTP/1.1',
    ],
  ]
  test.each(table)('%s', (_, needs, transport, because) => {
    const found = recommend(needsOf(needs))
    expect(found.transport).toBe(transport)
    expect(found.reasons[0]?.text).toContain(because)
    expect(found.reasons.every(({ figure }) => figure === undefined)).toBe(true)
  })

  test('what no protocol says is said to be unknown', () => {
    const texts = recommend(defaultNeeds).reasons.map(({ text }) => text)
    expect(texts.join('\n')).toContain('`eitherway-compare cost` measures it')
  })
})

describe('with figures', () => {
  test('the cost is multiplied out at the fan-out that was asked for', () => {
    const report = reportOf(...costing([3, 2], [10, 5]))
    const { reasons } = recommend(needsOf({ fanOut: 10_000 }), report)
    const texts = reasons.map(({ text }) => text).join('\n')
    expect(texts).toContain(
      'One message to 10,000 peers costs the server about 30 ms of CPU over SSE and 20 ms',
    )
    expect(texts).toContain('10,000 peers that are connected take about 97.7 MiB')
    const sources = reasons.flatMap(({ from }) => (from === undefined ? [] : [from]))
    expect(sources).toContainEqual({ scenario: 'cost', figures: ['delivery'] })
    expect(sources).toContainEqual({ scenario: 'cost', figures: ['memory'] })
  })

  test('of several numbers of connections the nearest counts', () => {
    const far = costing([300, 200], [10, 5]).map((one) => ({ ...one, case: '10 connections' }))
    const report = reportOf(...far, ...costing([3, 2], [10, 5]))
    const costs = recommend(needsOf({ fanOut: 5000 }), report).reasons.find(({ text }) =>
      text.includes('CPU'),
    )
    expect(costs?.figure).toContain('1,000 connections')
  })

  test('what costs less at a large fan-out decides where nothing weighs more', () => {
    const report = reportOf(...costing([3, 2], [20, 5]))
    expect(recommend(needsOf({ fanOut: 100 }), report).transport).toBe('sse')
    expect(recommend(needsOf({ fanOut: 10_000 }), report).transport).toBe('ws')
  })

  test('a tie decides nothing, and is called one', () => {
    const report = reportOf(...costing([3, 3], [20, 20]))
    const { transport, reasons } = recommend(needsOf({ fanOut: 1_000_000 }), report)
    expect(transport).toBe('sse')
    expect(reasons.find(({ text }) => text.includes('CPU'))).toMatchObject({ weight: 0 })
    expect(reasons.find(({ text }) => text.includes('CPU'))?.figure).toContain('a tie')
  })

  test('memory that is lost in the noise is not multiplied out', () => {
    const report = reportOf(...costing([3, 3], [-14, 0]))
    const texts = recommend(needsOf({ fanOut: 10_000 }), report).reasons.map(({ text }) => text)
    expect(texts.join('\n')).toContain('is lost in the noise of this run')
    expect(texts.join('\n')).not.toContain('MiB')
  })

  test('a rule that is contradicted beyond noise weighs nothing', () => {
    expect(recommend(needsOf({ binary: true }), reportOf(percentOfBinary(34, 0.1))).transport).toBe('ws')
    const { transport, reasons } = recommend(needsOf({ binary: true }), reportOf(percentOfBinary(1, 30)))
    expect(transport).toBe('sse')
    expect(reasons.find(({ text }) => text.includes('Base64'))?.text).toContain('says otherwise')
  })

  test('too few rounds decide nothing, and are not called a tie', () => {
    const few = costing([3, 2], [20, 5]).map((one) => ({ ...one, rows: { sse: [20, 20], ws: [5, 5] } }))
    const { transport, reasons } = recommend(needsOf({ fanOut: 1_000_000 }), reportOf(...few))
    expect(transport).toBe('sse')
    const cost = reasons.find(({ text }) => text.includes('CPU'))
    expect(cost?.text).toMatch(/: too few rounds to tell\.$/)
    expect(cost?.figure).not.toContain('a tie')
  })

  test('what speaks of order stands on what was overtaken, not on the rate', () => {
    const figure = (name: string, better: 'more' | 'less', sse: number, ws: number): Measured => {
      return {
        scenario: 'direction',
        figure: { name, unit: '', better },
        rows: { sse: about(sse), ws: about(ws) },
      }
    }
    const needs = needsOf({ upPerSecond: 60 })
    const faster = reportOf(figure('serial', 'more', 2000, 1000), figure('overtaken', 'less', 3, 0))
    const { transport, reasons } = recommend(needs, faster)
    expect(transport).toBe('ws')
    expect(reasons[0]).toMatchObject({ weight: 4, from: { scenario: 'direction', figures: ['overtaken'] } })
    const disordered = reportOf(figure('overtaken', 'less', 0, 3))
    expect(recommend(needs, disordered).transport).toBe('sse')
  })

  test('a long way lowers the rate from which requests overtake one another', () => {
    const serial = { name: 'serial', unit: '/s', better: 'more' } as const
    const report = (sse: number) =>
      reportOf({ scenario: 'direction', figure: serial, rows: { sse: about(sse), ws: about(2000) } })
    const needs = needsOf({ upPerSecond: 20, proxies: 'unknown' })
    expect(recommend(needs, report(1000)).transport).toBe('sse')
    expect(recommend(needs, report(10)).transport).toBe('ws')
  })
})

const anyNeeds: fc.Arbitrary<Needs> = fc.record({
  upPerSecond: fc.oneof(
    fc.integer({ min: 0, max: bounds.upPerSecond.most }),
    fc.double({ min: 0, max: 100, noNaN: true }),
  ),
  binary: fc.boolean(),
  fanOut: fc.oneof(fc.integer({ min: 1, max: bounds.fanOut.most }), fc.integer({ min: 1, max: 100 })),
  proxies: fc.constantFrom('none', 'own', 'unknown'),
  browsers: fc.boolean(),
  tabs: fc.integer({ min: 1, max: bounds.tabs.most }),
  http2: fc.boolean(),
})

const anyPair = fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }))
const anyReport: fc.Arbitrary<Report | undefined> = fc.option(
  fc
    .tuple(anyPair, anyPair, anyPair)
    .map(([delivery, memory, [sse, ws]]) => reportOf(...costing(delivery, memory), percentOfBinary(sse, ws))),
  { nil: undefined },
)

/** Where CPU and memory speak for the same one, so that a larger fan-out never takes back what a smaller one gave. */
const evenReport: fc.Arbitrary<Report | undefined> = fc.option(
  fc
    .tuple(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 0, max: 50 }),
      fc.integer({ min: 0, max: 50 }),
      fc.boolean(),
    )
    .map(([least, cpu, memory, isSse]) => {
      const pair = (more: number) =>
        isSse ? ([least, least + more] as const) : ([least + more, least] as const)
      return reportOf(...costing(pair(cpu), pair(memory)))
    }),
  { nil: undefined },
)

test('over a grid of needs there is a transport, a reason and a sentence of what would change it', () => {
  const choices = new Set<string>()
  for (const upPerSecond of [0, 1, 10, 100])
    for (const binary of [false, true])
      for (const fanOut of [1, 1000, 1_000_000])
        for (const proxies of ['none', 'own', 'unknown'] as const)
          for (const browsers of [false, true])
            for (const tabs of [1, 6])
              for (const http2 of [false, true]) {
                const needs = { upPerSecond, binary, fanOut, proxies, browsers, tabs, http2 }
                const { transport, reasons, wouldChange, same } = recommend(needs)
                expect(['sse', 'ws']).toContain(transport)
                expect(reasons.length).toBeGreaterThan(0)
                expect(wouldChange.length).toBeGreaterThan(0)
                expect(same).toContain('switchTo')
                choices.add(transport)
              }
  expect(choices.size).toBe(2)
})

const changed = (needs: Needs, { need, to }: Change): Needs => ({ ...needs, [need]: to })

test('each change that is named leads to the other transport', () => {
  fc.assert(
    fc.property(anyNeeds, anyReport, (needs, report) => {
      const { transport, changes } = recommend(needs, report)
      for (const change of changes)
        expect(recommend(changed(needs, change), report).transport).not.toBe(transport)
    }),
  )
})

test('no value between a need and the change that is named does', () => {
  fc.assert(
    fc.property(anyNeeds, evenReport, fc.double({ min: 0, max: 1, noNaN: true }), (needs, report, part) => {
      const { transport, changes } = recommend(needs, report)
      for (const change of changes) {
        if (typeof change.to !== 'number') continue
        const now = needs[change.need as 'tabs']
        const between = Math.round(now + (change.to - now) * part)
        if ((between - now) * (between - change.to) >= 0) continue
        expect(recommend({ ...needs, [change.need]: between }, report).transport).toBe(transport)
      }
    }),
  )
})

test('where no change is named, none of a sample does', () => {
  fc.assert(
    fc.property(anyNeeds, evenReport, anyNeeds, (needs, report, other) => {
      const { transport, changes } = recommend(needs, report)
      for (const need of Object.keys(needs) as (keyof Needs)[]) {
        if (changes.some((change) => change.need === need)) continue
        // Thresholds lie on whole numbers: what is between two is like one of them.
        const value = typeof other[need] === 'number' ? Math.ceil(other[need]) : other[need]
        expect(recommend({ ...needs, [need]: value }, report).transport).toBe(transport)
      }
    }),
  )
})

test('what would change it is said with the value', () => {
  const { changes, wouldChange } = recommend(needsOf({ browsers: true }))
  expect(changes.map(({ need, to }) => [need, to])).toEqual([
    ['upPerSecond', 6],
    ['binary', true],
    ['tabs', 6],
  ])
  expect(wouldChange).toEqual([
    'With 6 messages a second from each client instead of 0: WebSocket.',
    'With binary data: WebSocket.',
    'With 6 tabs of one user instead of 1: WebSocket.',
  ])
})

describe('needs from strings', () => {
  test('what is left out is as by default', () => {
    expect(parseNeeds({})).toEqual(defaultNeeds)
    expect(parseNeeds({ binary: undefined, browsers: 'false' })).toEqual(defaultNeeds)
  })

  test('flags and forms say the same', () => {
    const expected = needsOf({ upPerSecond: 2.5, binary: true, fanOut: 1000, browsers: true, tabs: 8 })
    const common = { up: '2.5', 'fan-out': '1000', tabs: '8' }
    expect(parseNeeds({ ...common, binary: '', browsers: '' })).toEqual(expected)
    expect(parseNeeds({ ...common, binary: 'on', browsers: 'on' })).toEqual(expected)
  })

  const nonsense: readonly [values: Record<string, string>, complaint: string][] = [
    [{ up: 'often' }, 'up must be a number from 0 to 1,000, got "often"'],
    [{ up: '' }, 'up must be a number from 0 to 1,000, got ""'],
    [{ up: '-1' }, 'up must be a number from 0 to 1,000, got "-1"'],
    [
      { up: '1001' },
      'up must be a number from 0 to 1,000 (beyond one message a millisecond an application bundles them), got "1001"',
    ],
    [{ 'fan-out': '0' }, 'fan-out must be a whole number from 1 to 1,000,000, got "0"'],
    [{ 'fan-out': '1.5' }, 'fan-out must be a whole number from 1 to 1,000,000, got "1.5"'],
    [{ 'fan-out': '1e3' }, 'fan-out must be a whole number from 1 to 1,000,000, got "1e3"'],
    [{ proxies: 'evil' }, 'proxies must be one of none, own, unknown, got "evil"'],
    [{ binary: 'maybe' }, 'binary is yes or no, got "maybe"'],
    [{ tabs: '8' }, 'tabs speaks of pages: say browsers too, or leave tabs out'],
    [{ http2: '' }, 'http2 speaks of pages: say browsers too, or leave http2 out'],
    [{ speed: '9' }, 'there is no need speed; there are up, binary, fan-out, proxies, browsers, tabs, http2'],
  ]
  test.each(nonsense)('%o', (values, complaint) => {
    expect(() => parseNeeds(values)).toThrow(new TypeError(complaint))
  })
})

describe('recommendFromArgs', () => {
  const noReport = () => {
    throw new Error('no report was asked for')
  }

  test('prints the transport, why, what would change it, and what stays the same', () => {
    const args = '--up 10 --binary --fan-out 1000 --proxies unknown --browsers --tabs=8'.split(' ')
    const text = recommendFromArgs(args, noReport)
    expect(text.split('\n')[0]).toBe("transport: 'ws'")
    for (const heading of ['Why', 'What would change it', 'What stays the same']) {
      expect(text).toContain(`\n${heading}\n`)
    }
    expect(text).toContain('by protocol alone')
  })

  test('reads the report that is named, and cites it', () => {
    const asked: string[] = []
    const text = recommendFromArgs(['--binary', '--report', 'mine.json'], (file) => {
      asked.push(file)
      return reportOf(percentOfBinary(34, 0.5))
    })
    expect(asked).toEqual(['mine.json'])
    expect(text).toContain('34 (33.7–34.3) % over SSE and 0.50 (0.50–0.51) % over WebSocket')
    expect(text).not.toContain('by protocol alone')
  })

  const nonsense: readonly [args: string, complaint: string][] = [
    ['--up', '--up needs a value'],
    ['--up --binary', '--up needs a value'],
    ['--up ten', '--up must be a number from 0 to 1,000, got "ten"'],
    ['--report', '--report needs a value'],
    ['--binary --binary', '--binary stands twice'],
    ['ws', '"ws" is no flag; flags begin with --'],
    ['--tabs 8', '--tabs speaks of pages: say --browsers too, or leave --tabs out'],
    [
      '--speed 9',
      'there is no need --speed; there are --up, --binary, --fan-out, --proxies, --browsers, --tabs, --http2',
    ],
  ]
  test.each(nonsense)('%s', (args, complaint) => {
    expect(() => recommendFromArgs(args.split(' '), noReport)).toThrow(new TypeError(complaint))
  })
})
