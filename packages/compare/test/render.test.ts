import { expect, test } from 'vitest'
import { renderHtml } from '../src/render/html.ts'
import { renderMarkdown } from '../src/render/markdown.ts'
import { scaleOf } from '../src/render/scale.ts'
import { renderText } from '../src/render/text.ts'
import type { Report, Result } from '../src/report.ts'

const rows = [
  { name: 'sse', title: 'SSE', control: false },
  { name: 'ws', title: 'WebSocket', control: false },
  { name: 'sse-bare', title: 'EventSource, bare http', control: true },
  { name: 'ws-bare', title: 'WebSocket, bare ws', control: true },
]

const base: Result = {
  scenario: 'latency',
  title: 'Latency',
  question: 'How long is a message under way?',
  explanation: 'p99 is 2.00 ms over SSE and 1.00 ms over WebSocket.',
  place: { kind: 'node', name: 'Node 20.20.2' },
  figures: [
    { name: 'p50', title: 'Median', unit: 'ms', better: 'less' },
    { name: 'rate', title: 'Rate', unit: '/s', better: 'neither' },
  ],
  rows,
  cases: ['100 B', '16 KB'],
  cells: [
    ['100 B', 'sse', 'p50', [2, 2.1, 2.2, 2.3]],
    ['100 B', 'ws', 'p50', [1, 1.1, 1.2, 1.3]],
    ['100 B', 'sse-bare', 'p50', [1, 1.1, 1.2, 1.3]],
    ['100 B', 'ws-bare', 'p50', [1, 1.1, 1.2, 1.3]],
    ['100 B', 'sse', 'rate', [9, 9, 9, 9]],
    ['100 B', 'ws', 'rate', [7, 7, 7, 7]],
    ['16 KB', 'sse', 'p50', [200, 210, 220, 500]],
    ['16 KB', 'ws', 'p50', [190, 200, 210, 230]],
  ].map(([title, row, figure, values]) => ({ case: title, row, figure, values }) as Result['cells'][number]),
  notes: [{ what: 'p99.9, control rows', why: 'too few messages' }],
  ms: 1,
}

function reportOf(...results: Partial<Result>[]): Report {
  return {
    version: 1,
    startedAt: '2026-11-22T20:15:31.123Z',
    machine: { node: '20.20.2', system: 'Linux 6', processor: 'P9', cores: 2, memoryBytes: 8 * 1024 ** 3 },
    target: undefined,
    results: results.map((result) => ({ ...base, ...result })),
  }
}

const renderers = { html: renderHtml, markdown: renderMarkdown, text: renderText }
const each = Object.entries(renderers)

test.each(each)('%s says where, when, on what and how it was measured, and what was not', (_, render) => {
  const text = render(reportOf({}))
  for (const part of [
    '2026-11-22 20:15 UTC',
    '2 × P9, 8 GiB, Linux 6, Node 20.20.2',
    base.question,
    base.explanation,
    'too few messages',
  ]) {
    expect(text).toContain(part)
  }
})

test.each(each.slice(0, 2))('%s holds the method and the seven questions', (_, render) => {
  const text = render(reportOf({}))
  expect(text).toContain('the median of 4 rounds')
  expect(text).toContain('anything else is a tie, and fewer are too few to tell')
  expect(text).toContain('in brackets its spread: the lowest and the highest round.')
  expect(text).toContain('Use cases: which for what?')
})

test.each(each)('%s says when the rounds are too few to tell anything', (_, render) => {
  const few = base.cells.map((cell) => ({ ...cell, values: cell.values.slice(0, 2) }))
  const text = render(reportOf({ cells: few }))
  expect(text).toContain('2 rounds are too few to compare anything')
  expect(text).not.toMatch(/is a tie$|everything is a tie|, a tie/m)
  expect(render(reportOf({}))).not.toContain('too few to compare anything')
})

test('only what is better beyond the noise is marked, each kind by itself', () => {
  const lines = renderMarkdown(reportOf({}))
    .split('\n')
    .filter((line) => line.startsWith('|'))
  expect(lines).toEqual([
    '| Case | Row | Median, ms | Rate, /s |',
    '| --- | --- | ---: | ---: |',
    '| 100 B | SSE | 2.15 (2–2.30) | 9 |',
    '|  | WebSocket | **1.15 (1–1.30)** | 7 |',
    '|  | *EventSource, bare http* | 1.15 (1–1.30) | – |',
    '|  | *WebSocket, bare ws* | 1.15 (1–1.30) | – |',
    '| 16 KB | SSE | 215 (200–500) | – |',
    '|  | WebSocket | 205 (190–230) | – |',
  ])
  const html = renderHtml(reportOf({}))
  expect(html.match(/aria-label="best"/g)).toHaveLength(1)
  expect(html).toMatch(/<td class="best">.*?1\.15 <small>\(1–1\.30\)<\/small><\/td>/)
  expect(renderText(reportOf({})).match(/\* 1\.15/g)).toHaveLength(1)
})

test('each plot says its values in words, and spans of more than two decades are logarithmic', () => {
  const html = renderHtml(reportOf({}))
  expect(html).toContain('<title>SSE: 215 ms, from 200 to 500</title>')
  expect(html).toContain('less is better, logarithmic')
})

test.each([
  [[1, 5, 9], false, [0, 5]],
  [[0, 0.4], false, [0, 0.2, 0.4]],
  [[-3, 4], false, [-2, 0, 2, 4]],
  [[1, 100], false, [0, 50, 100]],
  [[0.5, 60], true, [0.1, 1, 10, 100]],
  [[1, 1e8], true, [1, 1000, 1e6]],
  [[0, 1e6], false, [0, 5e5, 1e6]],
])('the scale of %j', (values, isLog, ticks) => {
  const scale = scaleOf(values)
  expect(scale.isLog).toBe(isLog)
  expect(scale.ticks.map((tick) => Number(tick.toPrecision(6)))).toEqual(ticks)
  for (const value of [...values, ...ticks]) {
    expect(scale.at(value)).toBeGreaterThanOrEqual(0)
    expect(scale.at(value)).toBeLessThanOrEqual(100)
  }
})

const hostile = `</title><script>alert(1)</script><img src=x onerror="a()">' | **b** [l](javascript:1) \u001b[31m\u202e\n# h`

const poisoned: Report = {
  ...reportOf({
    scenario: `"><b>`,
    title: hostile,
    question: hostile,
    explanation: hostile,
    place: { kind: 'page', name: hostile },
    figures: base.figures.map((figure) => ({ ...figure, title: hostile, unit: hostile as 'ms' })),
    rows: rows.map((row) => ({ ...row, title: hostile })),
    cases: [hostile],
    cells: base.cells.slice(0, 6).map((cell) => ({ ...cell, case: hostile })),
    notes: [{ what: hostile, why: hostile }],
  }),
  startedAt: hostile,
  machine: { node: hostile, system: hostile, processor: hostile, cores: 1, memoryBytes: 1 },
  target: { sse: hostile, ws: hostile },
}

test.each(each)('%s: nothing from outside becomes markup or steers a terminal', (form, render) => {
  const text = render(poisoned)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come through
  expect(text).not.toMatch(/[\u001b\u0007\u202e]/)
  if (form === 'text') return
  expect(text).not.toMatch(/<(script|img)/)
  if (form === 'html') {
    const known = new Set(renderHtml(reportOf({}, {})).match(/<[a-z][^\s/>]*/g))
    for (const tag of text.match(/<[a-z][^\s/>]*/g) ?? []) expect(known).toContain(tag)
    expect(text).not.toMatch(/="[^"]*<|\son\w+="/)
  } else {
    expect(text).not.toMatch(/(?<!\\)\]\(/)
    // No field of a table ends early.
    const widths = text
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .map((line) => line.match(/(?<!\\)\|/g)?.length)
    expect(new Set(widths)).toEqual(new Set([5]))
  }
})

test('a page of a report needs nothing beside itself', () => {
  for (const report of [reportOf({}, {}), poisoned]) {
    const html = renderHtml(report)
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`)
    expect(html).not.toMatch(/<(script|link|iframe|object|embed|base)\b|\b(src|href)="(?!#)|url\(|@import/i)
  }
})

test.each(each)('%s divides an explanation where it has a line feed', (form, render) => {
  const text = render(reportOf({ explanation: 'One thing.\nAnother.' }))
  expect(text).toContain(
    form === 'html' ? 'One thing.</p>\n<p class="explanation">Another.' : 'One thing.\n\nAnother.',
  )
})

test('anchors are unique and lead somewhere', () => {
  const html = renderHtml(reportOf({}, {}, { scenario: 'wire' }))
  const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target)
})

test.each(each)('%s of a run that measured nothing', (_, render) => {
  expect(render(reportOf())).toContain('2026-11-22')
  expect(render(reportOf({ cells: [], rows: [], cases: [], explanation: '' }))).toContain('Latency')
})

test('tables fit into the terminal: figures without room go below', () => {
  const figures = Array.from({ length: 6 }, (_, index) => ({
    ...base.figures[0]!,
    name: `f${index}`,
    title: `Figure ${index}`,
  }))
  const cells = figures.flatMap(({ name }) =>
    rows.map((row) => ({ case: '', row: row.name, figure: name, values: [1.1, 2.2] })),
  )
  const text = renderText(reportOf({ figures, cells, cases: [''] }), 60)
  const lines = text.split('\n').filter((line) => /Figure|bare/.test(line))
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(60)
  for (const { title } of figures) expect(text).toContain(title)
})
