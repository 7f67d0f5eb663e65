import type { Result } from '../src/report.ts'
import type { Run } from '../src/runs.ts'

/** What the live figures are at their widest. */
export const widest: Readonly<Record<string, string>> = {
  state: 'connecting',
  rate: '999.9',
  median: '−1234',
  p99: '123456',
  error: '± 1234',
  perMessage: '99999',
  reconnects: '1,234',
  gaps: '1,234',
  lost: '12,345',
  twice: '12,345',
  disordered: '12,345',
  cpu: '100',
  memory: '99.9 GiB of 99.9 GiB',
  load: '128.00  128.00  128.00',
  loopDelay: '12345 ms',
  bytes: '99.9 MiB',
  lastEventId: '17bx15apsx17bx15apsx-1234567890123456789',
  note: `Closed for good: ${'x'.repeat(123)}.`,
  echo: `“${'W'.repeat(200)}” came back after 12345.6 ms.`,
}

const rows = [
  ['sse', 'SSE', false],
  ['ws', 'WebSocket', false],
  ['sse-bare', 'EventSource, bare http', true],
  ['ws-deflate', 'WebSocket, permessage-deflate without context takeover', true],
] as const

function resultOf(scenario: string, columns: number): Result {
  const figures = Array.from({ length: columns }, (_, index) => ({
    name: `f${index}`,
    title:
      index === 1 ? 'Back after, from when a link could be made again' : 'CPU while idle, per connection',
    unit: 'KiB' as const,
    better: 'more' as const,
  }))
  const cases = ['1,000 subscribers, 100 B, 10 at once, through a proxy that buffers', '']
  return {
    scenario,
    title: 'Connection care, with a title that goes on and on',
    question: 'What happens when a link is cut, the server restarts, or nothing is heard any more?',
    place: { kind: 'node', name: 'Node 20.20.2' },
    figures,
    rows: rows.map(([name, title, control]) => ({ name, title, control })),
    cases,
    cells: cases.flatMap((title) =>
      rows.flatMap(([row], at) =>
        figures.map(({ name }) => ({
          case: title,
          row,
          figure: name,
          values: [1, 2, 3, 4].map((step) => 123_456 * 10 ** (at % 2) + step * 10_000),
        })),
      ),
    ),
    notes: [{ what: 'the case of the proxy', why: `it says ${'x'.repeat(200)}` }],
    ms: 1,
    explanation: `It says \`${'connect'.repeat(30)}\` and more.`,
  }
}

/** A run as wide as one gets. */
export const widestRun: Run = {
  id: 1,
  place: 'node',
  scenarios: ['latency'],
  quick: false,
  status: 'done',
  failures: [`${'x'.repeat(200)} failed`],
  results: [1, 2, 3, 4, 5, 8].map((columns) => resultOf(`wide-${columns}`, columns)),
}

/** Plants the figures and looks what sticks out of the page or runs out of its place. Runs in the page. */
export function plantAndLook(figures: Readonly<Record<string, string>>): string[] {
  for (const place of document.querySelectorAll<HTMLElement>('[data-figure], [data-cell]')) {
    const name = place.dataset['figure'] ?? place.dataset['cell']?.split('.')[1] ?? ''
    place.textContent = figures[name] ?? place.textContent
  }
  for (const details of document.querySelectorAll('details')) details.open = true
  const edge = document.documentElement.clientWidth + 0.5
  const all = [...document.querySelectorAll<HTMLElement>('body *')]
  // What is in a box that scrolls sideways may.
  const isScrolled = (element: HTMLElement): boolean => {
    const box = element.parentElement?.closest('.figures')
    return box != null && getComputedStyle(box).overflowX === 'auto'
  }
  const texts =
    'dt, dd:not(.id), th, td, figcaption, p:not(.now), li, legend:not(.hidden), button, label, .median, .chip'
  return [
    ...all
      .filter((element) => element.getBoundingClientRect().right > edge)
      .filter((element) => !isScrolled(element))
      .map((element) => `sticks out: ${element.outerHTML.slice(0, 80)}`),
    ...all
      .filter((element) => element.matches(texts) && element.scrollWidth > element.clientWidth + 1)
      // An inline element has no width of its own.
      .filter((element) => getComputedStyle(element).display !== 'inline')
      .map((element) => `overflows: ${element.outerHTML.slice(0, 80)}`),
  ]
}
