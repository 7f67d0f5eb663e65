import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { root, start } from './program.ts'

const parts = (process.env['EITHERWAY_PARTS'] ?? '').split(',')
const program = 'examples/11-two-nodes.js'

beforeAll(() => {
  execFileSync(process.execPath, [
    `${root}/node_modules/typescript/bin/tsc`,
    '-b',
    `${root}/packages/client`,
    `${root}/packages/redis`,
    `${root}/packages/server`,
  ])
}, 120_000)

/** The example, with a folder of its own for what it leaves in the system's. */
async function run(env: Record<string, string>, ...args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'eitherway-example-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const settings = Object.entries({ TMPDIR: folder, ...env }).map(([name, value]) => `${name}=${value}`)
  const ended = await start('/usr/bin/env', [...settings, process.execPath, program, ...args]).ended
  return { ...ended, left: await readdir(folder) }
}

describe.skipIf(!parts.includes('redis'))('11-two-nodes', () => {
  for (const [balancer, transport] of [
    ['nginx', 'sse'],
    ['nginx', 'auto'],
    ['haproxy', 'ws'],
    ['haproxy', 'sse+post'],
  ] as const) {
    test.skipIf(!parts.includes(balancer))(
      `the node of a client over ${transport} behind ${balancer} is killed, and it gets all once, in order`,
      async () => {
        const { code, stdout, stderr, left } = await run({}, '--transport', transport, '--balancer', balancer)
        expect([code, stderr, left]).toEqual([0, '', []])
        const [first, second] = stdout.includes('\nnode a is killed\n') ? ['a', 'b'] : ['b', 'a']
        const prices = (from: number, to: number) =>
          Array.from(
            { length: to - from + 1 },
            (_, index) => `the client got { tick: ${from + index}, EURUSD: 1.08 }`,
          )
        expect(stdout.trimEnd().split('\n')).toEqual([
          `nodes a and b, behind ${balancer}; a client over ${transport}`,
          `the client is on node ${first}`,
          ...prices(1, 8),
          `node ${first} is killed`,
          'the client has lost its link',
          `the client is on node ${second}`,
          ...prices(9, 20),
          '20 prices, each once and in order',
        ])
      },
    )
  }
})

test('11-two-nodes says in one line how to install a Redis that is missing, and leaves nothing', async () => {
  expect(await run({ PATH: join(root, 'examples') })).toEqual({
    code: 1,
    stdout: '',
    stderr: 'there is no redis-server; install it with: sudo apt-get install redis-server\n',
    left: [],
  })
})

test.each([
  ['--transport', 'post', 'sse, ws, sse+post or auto'],
  ['--balancer', 'caddy', 'nginx or haproxy'],
])('11-two-nodes %s %s: one line says what it can be', async (option, value, what) => {
  expect(await run({}, option, value)).toEqual({
    code: 1,
    stdout: '',
    stderr: `${option} must be ${what}, got ${value}\n`,
    left: [],
  })
})
