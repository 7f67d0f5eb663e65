import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { connect } from '@eitherway/client'
import { ConnectError, type ConnectOptions, type Transport } from '@eitherway/core'
import { ssePost } from '@eitherway/post/client'
import { sse } from '@eitherway/sse/client'
import { ws } from '@eitherway/ws/client'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { bundle } from './bundle.ts'
import { layCable } from './cable.ts'
import { type Child, run } from './harness.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const require = createRequire(import.meta.url)

// The examples are plain JavaScript and import what a user would install: the build.
beforeAll(() => {
  execFileSync(process.execPath, [
    `${root}/node_modules/typescript/bin/tsc`,
    '-b',
    `${root}/packages/client`,
    `${root}/packages/server`,
  ])
}, 120_000)

const bun = { file: require.resolve('bun/bin/bun.exe'), args: ['run'] }
const deno = {
  file: require.resolve('deno/deno'),
  args: ['run', '--quiet', '--no-prompt', '--allow-net=127.0.0.1', '--allow-env', '--allow-read'],
}
const node = { file: process.execPath, args: [] }

/** The examples of frameworks, each as its user meets it. */
const servers = [
  { name: 'express', runtime: node },
  { name: 'fastify', runtime: node },
  { name: 'koa', runtime: node },
  { name: 'hono', runtime: node },
  { name: 'bun', runtime: bun },
  { name: 'deno', runtime: deno },
]

const transports: Record<string, Transport> = { sse: sse(), 'sse+post': ssePost(), ws: ws() }

async function start({ name, runtime: { file, args } }: (typeof servers)[number]) {
  const child = run(file, [...args, `${root}examples/frameworks/${name}.js`, '--port', '0'], {
    plain: true,
    env: { DENO_NO_UPDATE_CHECK: '1' },
  })
  const [line] = (await child.take(1)) as [string]
  const [, origin = '', port = ''] = /^listening on (http:\/\/127\.0\.0\.1:(\d+))\/live$/.exec(line) ?? []
  expect(port).not.toBe('')
  return { child, origin }
}

const options = (more: Partial<ConnectOptions> = {}): ConnectOptions => ({
  lastEventId: '',
  channels: ['news'],
  signal: new AbortController().signal,
  ...more,
})

describe.each(servers)('a hub on $name', (server) => {
  let child: Child
  let origin: string
  beforeAll(async () => {
    ;({ child, origin } = await start(server))
  })
  afterAll(() => child?.[Symbol.asyncDispose]())

  test('lets in whom the middleware before it knows, and other routes go on', async () => {
    expect(await (await fetch(`${origin}/health`)).text()).toBe('fine')
    expect((await fetch(`${origin}/elsewhere`)).status).toBe(404)
    const refused = await fetch(`${origin}/live`)
    expect([refused.status, await refused.text()]).toEqual([401, 'log in first\n'])
    for (const transport of Object.values(transports)) {
      const connecting = transport.connect(new URL(`${origin}/live`), options())
      // A WebSocket of ours learns it by the close.
      const code = await connecting.then(
        async (connection) => (await connection.closed).code,
        (error: unknown) => (error instanceof ConnectError ? error.closeCode : error),
      )
      expect(code, transport.name).toBe(4501)
    }
  })

  test('over each transport all arrives once and in order, across a cut', async () => {
    await using cable = await layCable(origin)
    const clients = Object.values(transports).map((transport) => {
      const client = connect(`${cable.origin}/live?user=ann`, { transport, channels: ['news'] })
      onTestFinished(() => {
        client.close()
      })
      return client
    })
    const heard = clients.map(() => [] as unknown[])
    let wake = () => {}
    for (const [at, client] of clients.entries()) {
      client.on('news', (data) => {
        heard[at]?.push(data)
        wake()
      })
    }
    const hear = async (count: number) => {
      while (heard.some(({ length }) => length < count)) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
    const publish = (text: string) => fetch(`${origin}/publish?text=${text}`, { method: 'POST' })
    await Promise.all(
      clients.map(
        (client) => new Promise<void>((resolve) => client.onState((state) => state === 'open' && resolve())),
      ),
    )
    const texts = ['1', '2', '3', '4', '5']
    for (const text of texts.slice(0, 3)) await publish(text)
    await hear(3)
    cable.reset()
    for (const text of texts.slice(3)) await publish(text)
    await hear(5)
    for (const client of clients) {
      if (client.direction === 'one-way') continue
      texts.push(`a word of ${texts.length}`)
      await client.send('say', texts.at(-1))
      await hear(texts.length)
    }
    expect(texts.length).toBe(7)
    await publish('last')
    await hear(8)
    expect(heard).toEqual(clients.map(() => [...texts, 'last']))
  })

  test('tells a gap, and a goodbye when it is asked to end', async () => {
    const links = await Promise.all(
      Object.values(transports).map((transport) =>
        transport.connect(new URL(`${origin}/live?user=ann`), options({ lastEventId: 'gone-1' })),
      ),
    )
    const told = links.map(() => [] as string[])
    const ends = await new Promise<Promise<void>[]>((resolve) => {
      const drains = links.map(async (link, at) => {
        for await (const { type } of link) {
          told[at]?.push(type)
          if (told.every((types) => types.includes('gap'))) resolve(drains)
        }
      })
    })
    process.kill(child.pid, 'SIGINT')
    await Promise.all(ends)
    for (const [at, { closed }] of links.entries()) {
      // Deno, which goes down at once, says it to its WebSockets in words of its own.
      const isDenos = server.name === 'deno' && at === links.length - 1
      const reason = isDenos ? 'Server shutting down' : 'the server goes away'
      expect(await closed).toEqual({ code: 1001, reason })
    }
    expect(await child.exited).toBe(0)
    await expect(child.errors.take(9)).rejects.toThrow('0 came')
  })
})

test('Bun cuts an answer that is silent, and leaves a stream of ours alone', async () => {
  const input = await bundle('idle', {}, 'module')
  await using program = run(bun.file, ['run', '-'], { input })
  expect(await program.take(2)).toEqual(['the other was cut', 'ours live'])
})

// Next itself is over 300 MB: its route is asked as Next asks it, by a request and the route's parameters.
test('a route of Next.js answers with a stream, and takes what is posted', async () => {
  const { GET, POST, OPTIONS, hub, dynamic } = await import('../../../examples/frameworks/next-route.js')
  expect(dynamic).toBe('force-dynamic')
  const ask = (handle: typeof GET, init: RequestInit = {}, query = 'channel=news') =>
    handle(new Request(`http://localhost:3000/live?${query}`, init), { params: Promise.resolve({}) })
  const heard = new Promise<unknown>((resolve) => hub.onMessage(({ data }) => resolve(data)))

  const down = await ask(GET, {}, 'channel=news&up=post')
  expect(down.headers.get('Content-Type')).toBe('text/event-stream')
  const up = await ask(POST, {
    method: 'POST',
    headers: {
      'Content-Type': 'text/event-stream',
      'Eitherway-Link': down.headers.get('Eitherway-Link') ?? '',
      'Eitherway-Seq': '1',
    },
    body: 'event: say\ndata: "hi"\n\n',
  })
  expect([up.status, await heard]).toEqual([200, 'hi'])

  await hub.publish('news', 'hello')
  const reader = down.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes('data: "hello"')) text += (await reader?.read())?.value ?? ''
  const leave = await ask(OPTIONS, { method: 'OPTIONS' })
  expect(leave.status).toBe(405)

  const gone = new Promise<void>((resolve) => {
    for (const { closed } of hub.peers) void closed.then(() => resolve())
  })
  await reader?.cancel()
  await gone
  expect(hub.peers.size).toBe(0)
})
