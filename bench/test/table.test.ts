import { expect, test } from 'vitest'
import type { Figure, Sample } from '../bench.mjs'
import { againstOf, type TitledRow, tableOf } from '../table.mjs'

const row = (name: string, bare: string, contender = name): TitledRow => ({
  name,
  contender,
  root: '',
  title: `the ${name}`,
  bare,
  isMixed: false,
})
const rows = [row('raw-net', 'raw-net'), row('bare-ws', 'bare-ws'), row('ours-ws', 'bare-ws')]
const figure = (base: Figure['base']): Figure => ({ name: 'cpu', title: 'CPU', unit: 'µs', base })

/** One value for each round. */
function values(name: string, of: string, all: readonly number[]): Sample[] {
  return all.map((value, round) => ({ scenario: 's', figure: 'cpu', case: of, row: name, round, value }))
}

const seven = [1, 2, 3, 4, 5, 6, 7]

test('ratios are taken within a round; the median stands before what lies between all but the outermost', () => {
  const samples = [
    ...values('raw-net', '100 × 100 B', seven),
    // By rounds 2, 2.1, … 2.6: the medians alone would say nothing of the spread.
    ...values(
      'ours-ws',
      '100 × 100 B',
      seven.map((value, round) => value * (2 + round / 10)),
    ),
  ]
  expect(tableOf(figure('raw'), samples, rows)).toEqual([
    '| CPU | 100 × 100 B |',
    '| --- | --- |',
    '| the raw-net | 4.00 µs |',
    '| the ours-ws | 2.30 (2.10–2.50) |',
  ])
})

test('a round that one of both lacks has no ratio', () => {
  const samples = [...values('raw-net', 'a', [1, 1, 1]), ...values('ours-ws', 'a', [2, 4, 9, 9, 9])]
  expect(tableOf(figure('raw'), samples, rows).at(-1)).toBe('| the ours-ws | 4.00 (2.00–9.00) |')
})

test('the mean over the sizes is geometric, and round by round', () => {
  const samples = [
    ...values('raw-net', 'a', [1, 1, 1]),
    ...values('raw-net', 'b', [10, 10, 10]),
    ...values('ours-ws', 'a', [1, 2, 4]),
    ...values('ours-ws', 'b', [40, 80, 160]),
  ]
  expect(tableOf(figure('raw'), samples, rows)).toEqual([
    '| CPU | a | b | mean |',
    '| --- | --- | --- | --- |',
    '| the raw-net | 1.00 µs | 10.0 µs | 1 |',
    '| the ours-ws | 2.00 (1.00–4.00) | 8.00 (4.00–16.0) | 4.00 (2.00–8.00) |',
  ])
})

test('beside the same wire by hand both stand, the value and the ratio', () => {
  const samples = [...values('bare-ws', 'idle', [10]), ...values('ours-ws', 'idle', [12])]
  expect(tableOf(figure('bare'), samples, rows).slice(2)).toEqual([
    '| the bare-ws | 10.0 µs |',
    '| the ours-ws | 12.0 µs = × 1.20 |',
  ])
})

test('by the first case, which is the least', () => {
  const samples = [...values('ours-ws', '1000', [30]), ...values('ours-ws', '10', [15])]
  expect(tableOf(figure('first'), samples, rows)).toEqual([
    '| CPU | 10 | 1000 |',
    '| --- | --- | --- |',
    '| the ours-ws | 15.0 µs | 30.0 µs = × 2.00 |',
  ])
})

test('what was not measured is a dash, and a row without values is none', () => {
  const samples = [
    ...values('raw-net', 'a', [1]),
    ...values('raw-net', 'b', [1]),
    ...values('ours-ws', 'a', [2]),
  ]
  expect(tableOf(figure('raw'), samples, rows).slice(2)).toEqual([
    '| the raw-net | 1.00 µs | 1.00 µs | 1 |',
    '| the ours-ws | 2.00 | – | – |',
  ])
})

test('today against another commit: new to old, over all sizes', () => {
  const both = [...rows, row('ours-ws@main', 'bare-ws', 'ours-ws')]
  const old = (by: number) => [
    ...values(
      'ours-ws',
      'a',
      seven.map((value) => value * by),
    ),
    ...values('ours-ws@main', 'a', seven),
    ...values(
      'ours-ws',
      'b',
      seven.map((value) => value * by),
    ),
    ...values('ours-ws@main', 'b', seven),
  ]
  const lineOf = (by: number) =>
    againstOf([{ figure: figure('raw'), scenario: 'fanout', rows: both, samples: old(by) }]).at(-1)
  expect(lineOf(1.25)).toBe('| fanout | CPU | ours-ws | 1.25 (1.25–1.25) | slower |')
  expect(lineOf(0.8)).toBe('| fanout | CPU | ours-ws | 0.80 (0.80–0.80) | faster |')
  expect(lineOf(1)).toBe('| fanout | CPU | ours-ws | 1.00 (1.00–1.00) | tie |')
})
