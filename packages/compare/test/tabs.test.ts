import { once } from 'node:events'
import { connect } from 'node:http2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Findings } from '../src/report.ts'
import { http1, http2, tabs } from '../src/scenarios/tabs.ts'
import type { SpawnedStage } from '../src/stage/spawn.ts'
import { stageWithRunner } from './runner-page.ts'

// What browsers make of it is told by runner.test.ts.

let stage: SpawnedStage
beforeAll(async () => {
  stage = await stageWithRunner({ secure: true })
})
afterAll(() => stage?.close())

test.each(['/ours', '/bare/sse'])('%s is served by HTTP/2, before and after a restart', async (path) => {
  const { secure } = stage.access.origins
  const house = path === '/ours' ? 'ours' : 'bare'
  for (const client of ['before', 'after']) {
    const session = connect(secure ?? '', { rejectUnauthorized: false })
    const closed = new Promise((resolve) => session.on('close', resolve))
    session.on('error', () => {}) // the restart ends it
    const stream = session.request({ ':path': `${path}?client=${client}&channel=news` })
    stream.on('error', () => {}).resume()
    const [headers] = await once(stream, 'response')
    expect(headers[':status']).toBe(200)
    expect(headers['content-type']).toContain('text/event-stream')
    await stage.ask('wait', { house, client, count: 1 })
    if (client === 'before') await stage.ask('restart', { downMs: 0, history: 'kept', how: 'kill' })
    else session.destroy()
    await closed
  }
})

test('the runner comes with a policy that lets it reach its own stage alone', async () => {
  const { relay } = stage.access.origins
  const response = await fetch(`${relay}/runner`)
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const policy = response.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'; script-src 'self';")
  expect(policy).toContain(`connect-src 'self' ${relay.replace('http', 'ws')} `)
  expect(policy).toContain(`${stage.access.control};`)
  expect(policy).toContain("frame-ancestors 'none'")
  await response.arrayBuffer()
  for (const path of ['/runner/', '/runner.html', '/main.js', '/']) {
    const { status, body } = await fetch(`${relay}${path}`)
    expect(status, path).toBe(404)
    await body?.cancel()
  }
})

const cell = (of: string, row: string, figure: string, value: number) => ({
  case: of,
  row,
  figure,
  values: [value],
})
const findings: Findings = {
  ...tabs,
  scenario: 'tabs',
  place: { kind: 'page', name: 'Browser' },
  rows: [],
  cases: [http1, http2],
  cells: [],
  notes: [],
  ms: 0,
}

test.each([
  ['nothing', [], ''],
  [
    'a wall',
    [cell(http1, 'sse', 'open', 6), cell(http1, 'ws', 'open', 12)],
    'Over HTTP/1.1, 6 of 12 SSE streams and 12 of 12 WebSockets came through.',
  ],
  [
    'no wall',
    [cell(http2, 'sse', 'open', 12), cell(http2, 'ws', 'open', 12), cell(http2, 'sse', 'fetch', 3)],
    'Over HTTP/2, 12 of 12 SSE streams and 12 of 12 WebSockets came through, and a fetch beside 6 streams took 3 ms.',
  ],
])('of %s it says what it is', (_, cells, words) => {
  expect(tabs.explain({ ...findings, cells })).toBe(words)
})
