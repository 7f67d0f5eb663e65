import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo, Socket } from 'node:net'
import type { ServerConnection } from '@eitherway/core'
import { hostileSuite, transportSuite } from '@eitherway/core/testing'
import { ssePost } from '@eitherway/post/client'
import { createListeners } from '@eitherway/server'
import { createHandler, createHub } from '@eitherway/server/web'
import { sse } from '@eitherway/sse/client'
import { getRequestListener } from '@hono/node-server'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { bundle } from './bundle.ts'
import { run } from './harness.ts'
import { entrances, posting, startStage, usedBytes } from './hostile.ts'

describe.each([
  { name: 'Server-Sent Events', transport: sse() },
  { name: 'Server-Sent Events and POST', transport: ssePost() },
])('$name by a Response, on Node', ({ transport }) => {
  transportSuite({
    test,
    direction: transport.direction,
    network: true,
    async setup() {
      const waiting: ((connection: ServerConnection) => void)[] = []
      const sockets = new Set<Socket>()
      const handle = createHandler({
        admit: () => (connection) => waiting.shift()?.(connection),
        refused: () => undefined,
      })
      const server = createServer(getRequestListener(handle))
      server.on('connection', (socket) => sockets.add(socket))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const cut = () => {
        for (const socket of sockets) socket.resetAndDestroy()
      }
      return {
        transport,
        url: new URL(`http://127.0.0.1:${port}/live`),
        accepted: () => new Promise((resolve) => waiting.push(resolve)),
        network: { cut, nowhere: new URL('http://127.0.0.1:1/live') },
        async close() {
          cut()
          await new Promise((resolve) => server.close(resolve))
        },
      }
    },
  })
})

describe.each([entrances.stream, posting])('$name, by a Response', (entrance) => {
  hostileSuite({
    test,
    entrance,
    usedBytes,
    setup: () =>
      startStage({}, createServer(), {}, (hub, server, { path: _, ...options }) => {
        server.on('request', getRequestListener(createHandler(hub, options)))
        server.on('upgrade', createListeners(hub, options).upgrade)
      }),
  })
})

const require = createRequire(import.meta.url)
const runtimes = [
  { name: 'Bun', file: require.resolve('bun/bin/bun.exe'), args: ['run', '-'] },
  {
    name: 'Deno',
    file: require.resolve('deno/deno'),
    args: ['run', '--quiet', '--allow-net=127.0.0.1', '-'],
  },
]

describe.each(runtimes)('on $name', ({ file, args }) => {
  test.each([
    { transport: 'sse', least: 30 },
    { transport: 'ws', least: 34 },
    { transport: 'sse+post', least: 35 },
  ])('the conformance suite of $transport passes, on its own server', async ({ transport, least }) => {
    const input = await bundle('suites', { transport }, 'module')
    await using program = run(file, args, { input, env: { DENO_NO_UPDATE_CHECK: '1' } })
    const results: unknown[] = []
    for (;;) {
      const [result] = await program.take(1)
      if (result === 'end') break
      results.push(result)
    }
    const failed = results.filter((result) => (result as [string, string])[1] !== 'fine')
    expect(failed).toEqual([])
    expect(results.length).toBeGreaterThanOrEqual(least)
    // A server that warns at each request, say.
    await expect(program.errors.take(1)).rejects.toThrow('0 came')
  })
})

test('the way in of the web imports nothing of Node', async () => {
  const { metafile } = await build({
    stdin: {
      contents: `export * from '@eitherway/server/web'; export * from '@eitherway/server/bun'`,
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    write: false,
    metafile: true,
    // Here what is of Node could not even be found.
    platform: 'browser',
    format: 'esm',
    conditions: ['@eitherway/source'],
  })
  const imported = Object.keys(metafile.inputs)
  expect(imported.filter((path) => /node:|\/ws@/.test(path))).toEqual([])
  expect(imported.some((path) => path.endsWith('server/src/web-entrance.ts'))).toBe(true)
})

describe('the gate', () => {
  const hub = createHub({
    authorize: ({ token }) =>
      token === 'good' ? { context: undefined } : { status: 401, reason: 'who are you?' },
  })
  const handle = createHandler(hub, { origins: ['https://app.example'], hosts: ['live.example'] })
  const ask = (init: RequestInit = {}, url = 'http://live.example/live') => handle(new Request(url, init))

  test.each([
    { what: 'a stream', init: {}, status: 401 },
    { what: 'a stream with a token', init: { headers: { Authorization: 'Bearer good' } }, status: 200 },
    { what: 'HEAD', init: { method: 'HEAD' }, status: 405 },
    { what: 'DELETE', init: { method: 'DELETE' }, status: 405 },
    { what: 'another type', init: { headers: { Accept: 'text/html' } }, status: 406 },
    { what: 'an upgrade', init: { headers: { Upgrade: 'websocket' } }, status: 400 },
    { what: "another origin's page", init: { headers: { Origin: 'https://evil.example' } }, status: 403 },
    { what: 'another host', url: 'http://evil.example/live', status: 421 },
    { what: 'a long URL', url: `http://live.example/live?${'x'.repeat(9000)}`, status: 414 },
    { what: 'a channel of the protocol', url: 'http://live.example/live?channel=~x', status: 400 },
  ])('answers $what with $status', async ({ init, url, status }) => {
    const response = await ask(init, url)
    expect(response.status).toBe(status)
    if (status !== 200) expect(response.headers.get('Content-Type')).toBe('text/plain; charset=utf-8')
    await response.body?.cancel()
  })

  test.each([
    ['nothing', null],
    ['a context without an environment', { env: null, server: undefined }],
    ['an environment that is text', { env: 'production' }],
  ])('%s beside the request is as well', async (_, info) => {
    const request = new Request('http://live.example/live', { headers: { Authorization: 'Bearer good' } })
    const response = await handle(request, info)
    expect(response.status).toBe(200)
    await response.body?.cancel()
  })

  test('a page of an allowed origin asks leave and may read the answer, also a refusal', async () => {
    const Origin = 'https://app.example'
    const leave = await ask({
      method: 'OPTIONS',
      headers: { Origin, 'Access-Control-Request-Method': 'GET' },
    })
    expect(leave.status).toBe(204)
    expect(leave.headers.get('Access-Control-Allow-Headers')).toContain('Last-Event-ID')
    for (const response of [leave, await ask({ headers: { Origin } })]) {
      expect(response.headers.get('Access-Control-Allow-Origin')).toBe(Origin)
      expect(response.headers.get('Vary')).toBe('Origin')
    }
  })

  test('the head is that of Node: nobody on the way may hold it back, change it or keep it', async () => {
    const response = await ask({ headers: { Authorization: 'Bearer good' } })
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    await response.body?.cancel()
  })
})
