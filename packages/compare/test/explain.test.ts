import { expect, test } from 'vitest'
import type { Note } from '../src/report.ts'
import { latency, percentilesOf } from '../src/scenarios/latency.ts'
import { slowReader } from '../src/scenarios/slow-reader.ts'
import { http1, http2, tabs } from '../src/scenarios/tabs.ts'
import { wire } from '../src/scenarios/wire.ts'
import { madeUp } from './findings.ts'

const left =
  'Of fewer than 100 messages p99 is left out, and of fewer than 1,000 p99.9: it would be the slowest of them.'

test.each([
  ['of nothing', {}, ''],
  [
    'of a difference and a tie',
    {
      '100 B, 100 per second': { sse: { p99: [3, 3, 3, 3] }, ws: { p99: [1, 1, 1, 2] } },
      '16 KB, 100 per second': { sse: { p99: [3, 3, 3, 3] }, ws: { p99: [1, 1, 1, 4] } },
    },
    'At 100 B, 100 per second, p99 is 3 ms over SSE and 1 ms over WebSocket. ' +
      `At 16 KB, 100 per second, p99 is 3 ms over SSE and 1 ms over WebSocket, a tie. ${left}`,
  ],
  [
    'of too few rounds, and too few messages for a p99',
    { '100 B, 100 per second': { sse: { p50: [3, 3] }, ws: { p50: [1, 1] } } },
    `At 100 B, 100 per second, the median is 3 ms over SSE and 1 ms over WebSocket, too few rounds to tell. ${left}`,
  ],
])('latency, %s', (_, found, expected) => {
  expect(latency.explain(madeUp(latency.figures, found))).toBe(expected)
})

test.each([
  [30, { p50: 15 }],
  [99, { p50: 50 }],
  [200, { p50: 100, p99: 198 }],
  [999, { p50: 500, p99: 990 }],
  [2000, { p50: 1000, p99: 1980, p999: 1998 }],
])('of %d messages latency has the percentiles %j', (count, expected) => {
  const delays = Array.from({ length: count }, (_, index) => index + 1)
  expect(percentilesOf(delays)).toEqual(expected)
})

const wall = { open: [6, 6, 6, 6] }
const all = { open: [12, 12, 12, 12] }
const unanswered: Note = { what: 'a fetch beside 6 streams, SSE, HTTP/1.1', why: 'waits' }

test.each([
  ['of nothing', {}, [], ''],
  [
    'of a shortfall whose cause no figure tells',
    { [http1]: { sse: { open: [11, 12, 12, 12], fetch: [3, 3, 3, 3] }, ws: all } },
    [],
    'Over HTTP/1.1, 11 to 12 of 12 SSE streams and 12 of 12 WebSockets came through, and a fetch beside 6 streams took 3 ms.',
  ],
  [
    'of fetches that nobody answered',
    { [http1]: { sse: wall, ws: all } },
    [unanswered],
    'Over HTTP/1.1, 6 of 12 SSE streams and 12 of 12 WebSockets came through. A fetch beside 6 SSE streams was not answered in time.',
  ],
  [
    'of fetches of which some were',
    { [http1]: { sse: { ...wall, fetch: [3] }, ws: all }, [http2]: { sse: all, ws: all } },
    [unanswered],
    'Over HTTP/1.1, 6 of 12 SSE streams and 12 of 12 WebSockets came through, and a fetch beside 6 streams took 3 ms. ' +
      'In other rounds nobody had answered it in time. ' +
      'Over HTTP/2, 12 of 12 SSE streams and 12 of 12 WebSockets came through.',
  ],
])('tabs, %s', (_, found, notes, expected) => {
  expect(tabs.explain({ ...madeUp(tabs.figures, found), notes })).toBe(expected)
})

test('wire says how many bytes there are, and not which differ most', () => {
  const found = {
    'binary, 16 KB': { sse: { percent: [34] }, ws: { percent: [0.2] }, 'sse-bare': { percent: [33] } },
  }
  const words = wire.explain(madeUp(wire.figures, found))
  expect(words).toContain('16 KB of bytes cost +34 % over SSE')
  expect(words).not.toMatch(/most|gzip/i)
})

test('slow-reader calls too few rounds no tie, and what was before no contest', () => {
  const found = {
    '1 MiB published': { sse: { owed: [1], letGo: [1], before: [1], meanwhile: [2] } },
  }
  const words = slowReader.explain(madeUp(slowReader.figures, found))
  expect(words).toContain('was 1 ms before and 2 ms meanwhile, too few rounds to tell.')
  expect(slowReader.figures.find(({ name }) => name === 'before')?.better).toBe('neither')
})
