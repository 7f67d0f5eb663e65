import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runScenario } from '../src/bench.ts'
import { contenders } from '../src/contenders/node.ts'
import { type Result, valuesOf } from '../src/report.ts'
import { care } from '../src/scenarios/care.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { madeUp } from './findings.ts'
import { stageProgram } from './program.ts'

describe('a quick run', () => {
  let stage: SpawnedStage
  let program: URL
  let result: Result
  beforeAll(async () => {
    program = await stageProgram()
    stage = await spawnStage({ program })
    const place = { kind: 'node', name: 'Node' } as const
    result = await runScenario(care, { stage, place, contenders, quick: true })
  }, 120_000)
  afterAll(async () => {
    await stage?.close()
    await rm(new URL('.', program), { recursive: true })
  })

  const one = (row: string, figure: string, title: string) => valuesOf(result, row, figure, title)[0]
  const broken = ['connection cut', 'server restarted', 'server killed, history lost']
  const quiet = ['half-open link', 'server silent']

  test('undisturbed, everybody hears everything once and in order', () => {
    for (const { name } of contenders) {
      for (const figure of ['lost', 'missed', 'told', 'twice', 'disordered', 'away']) {
        expect(one(name, figure, 'undisturbed'), `${name} ${figure}`).toBe(0)
      }
    }
  })

  test.each(['sse', 'ws'])('%s notices every fault, comes back, and loses nothing in silence', (row) => {
    for (const title of [...broken, ...quiet]) {
      expect(one(row, 'noticed', title), title).toBeGreaterThanOrEqual(0)
      expect(one(row, 'back', title), title).toBeGreaterThanOrEqual(0)
      for (const figure of ['lost', 'twice', 'disordered']) {
        expect(one(row, figure, title), `${title}: ${figure}`).toBe(0)
      }
      const isForgotten = title.endsWith('history lost')
      expect(one(row, 'told', title), title).toBe(isForgotten ? 1 : 0)
      expect((one(row, 'missed', title) ?? 0) > 0, title).toBe(isForgotten)
    }
  })

  test('an EventSource by itself comes back, and what it missed is lost without a word', () => {
    for (const title of broken) {
      expect(one('sse-bare', 'back', title), title).toBeGreaterThanOrEqual(0)
      expect(one('sse-bare', 'lost', title), title).toBeGreaterThan(0)
    }
  })

  test('a bare WebSocket notices, and stays away', () => {
    for (const title of broken) {
      expect(one('ws-bare', 'noticed', title), title).toBeGreaterThanOrEqual(0)
      expect(one('ws-bare', 'back', title), title).toBeUndefined()
      expect(one('ws-bare', 'lost', title), title).toBeGreaterThan(0)
    }
  })

  test.each(['sse-bare', 'ws-bare'])('%s never notices that a link is half-open', (row) => {
    expect(one(row, 'noticed', 'half-open link')).toBeUndefined()
    expect(one(row, 'back', 'half-open link')).toBeUndefined()
    expect(one(row, 'lost', 'half-open link')).toBeGreaterThan(0)
    expect(one(row, 'back', 'server silent')).toBeGreaterThanOrEqual(0)
    expect(one(row, 'lost', 'server silent')).toBe(0)
  })

  test('nothing failed, and what is missing is said', () => {
    const said = result.notes.map(({ what, why }) => `${what}: ${why}`)
    expect(said.filter((note) => note.includes('failed'))).toEqual([])
    expect(said).toContain('WebSocket, bare ws, connection cut: it does not come back by itself')
    expect(said).toContain('WebSocket, bare ws, half-open link: it had not noticed within 8 s')
  })
})

const counted = 'Times are medians, and numbers of messages are sums over all rounds.'
const whole = { lost: [0], missed: [0], told: [0], twice: [0], disordered: [0] }

test.each([
  ['of nothing', {}, ''],
  [
    'of a stream that stayed whole',
    { undisturbed: { sse: whole, ws: whole } },
    'Undisturbed, every row heard every message once and in order.',
  ],
  [
    'of a stream that did not',
    { undisturbed: { sse: whole, ws: { ...whole, lost: [1, 2], twice: [0, 4], disordered: [1, 0] } } },
    'Undisturbed, and yet not whole, over all rounds: WebSocket: 3 lost, 4 heard twice, 1 heard out of order.',
  ],
  [
    'of a cut',
    {
      'connection cut': {
        sse: { ...whole, noticed: [2], back: [600] },
        ws: { ...whole, noticed: [3], back: [700], missed: [12], told: [1] },
        'sse-bare': { ...whole, noticed: [4], back: [3000], lost: [298] },
        'ws-bare': { ...whole, noticed: [5], lost: [350] },
      },
    },
    'Whatever broke, ours came back over either transport, lost nothing without saying so, and brought nothing twice. ' +
      'Connection cut. SSE: noticed at once, back after 600 ms, lost nothing; ' +
      'WebSocket: noticed at once, back after 700 ms, said that messages were lost (12); ' +
      'EventSource: noticed at once, back after 3,000 ms, lost 298 without a word; ' +
      `bare WebSocket: noticed at once, stayed away. ${counted} ` +
      'There are too few rounds to tell which of the two is back sooner in: connection cut.',
  ],
  [
    'of rows that did not notice, one of them none the worse',
    {
      'server silent': {
        'sse-bare': { ...whole, back: [20], twice: [2] },
        'ws-bare': { ...whole, lost: [9] },
      },
    },
    'Server silent. EventSource: did not notice, back at once, heard 2 twice, lost nothing; ' +
      `bare WebSocket: did not notice, heard nothing more. ${counted}`,
  ],
  [
    'of one tie and one difference, of ours that once did not come back',
    {
      'connection cut': {
        sse: { ...whole, noticed: [1, 2, 3, 4], back: [900, 910, 920, 930], lost: [0, 0, 0, 0] },
        ws: { ...whole, noticed: [1, 2, 3, 4], back: [500, 510, 520, 530], lost: [0, 0, 0, 0, 0] },
      },
      'server restarted': {
        sse: { ...whole, noticed: [1, 2, 3, 4], back: [500, 500, 500, 900], lost: [0, 0, 0, 0] },
        ws: { ...whole, noticed: [1, 2, 3, 4], back: [800, 800, 800, 800], lost: [0, 0, 0, 0] },
      },
      'half-open link': {
        sse: { ...whole, noticed: [200], back: [900] },
        ws: { ...whole, noticed: [300], back: [500] },
      },
    },
    'Connection cut. SSE: noticed at once, back after 915 ms, lost nothing; ' +
      'WebSocket: noticed at once in 4 of 5 rounds, back after 515 ms, but not in 1 of 5 rounds, lost nothing. ' +
      'Server restarted. SSE: noticed at once, back after 500 ms, lost nothing; ' +
      'WebSocket: noticed at once, back after 800 ms, lost nothing. ' +
      'Half-open link. SSE: noticed after 200 ms, back after 900 ms, lost nothing; ' +
      `WebSocket: noticed after 300 ms, back after 500 ms, lost nothing. ${counted} ` +
      'Between SSE and WebSocket the time to come back is a tie in: server restarted. ' +
      'There are too few rounds to tell which of the two is back sooner in: half-open link.',
  ],
  [
    'of what went wrong in one round of four only',
    {
      'connection cut': {
        ws: {
          noticed: [1, 1, 1, 1],
          back: [500, 500, 500, 500],
          lost: [0, 0, 25, 0],
          missed: [0, 12, 0, 0],
          told: [0, 1, 0, 0],
          twice: [3, 0, 0, 0],
          disordered: [0, 0, 0, 2],
        },
      },
    },
    'Connection cut. WebSocket: noticed at once, back after 500 ms, said that messages were lost (12), ' +
      `lost 25 without a word, heard 3 twice, heard 2 out of order. ${counted}`,
  ],
  [
    'of rows with the same fate',
    {
      'half-open link': {
        sse: { ...whole, noticed: [11_000], back: [11_900] },
        'sse-bare': { ...whole, lost: [1550] },
        'ws-bare': { ...whole, lost: [1550] },
      },
    },
    'Half-open link. SSE: noticed after 11,000 ms, back after 11,900 ms, lost nothing; ' +
      `EventSource and bare WebSocket: did not notice, heard nothing more. ${counted}`,
  ],
])('the explanation %s', (_, found, expected) => {
  expect(care.explain(madeUp(care.figures, found))).toBe(expected)
})
