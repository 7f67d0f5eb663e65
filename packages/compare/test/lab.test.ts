import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from '@eitherway/client'
import type { Received } from '@eitherway/core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { type Lab, startLab } from '../src/lab.ts'
import { createLinks } from '../src/links.ts'
import { clockMs } from '../src/publishing.ts'
import type { Run } from '../src/runs.ts'
import { type Access, ask as askStage } from '../src/stage/ask.ts'
import type { Faults } from '../src/stage/stage.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startLab({ port: 0 })
})
afterAll(() => lab.close())

interface Numbered {
  seq: number
  at: number
}

const nextOf = async (messages: AsyncIterator<Received>): Promise<Numbered> =>
  ((await messages.next()).value as Received<Numbered>).data

const post = (path: string, body?: object) =>
  fetch(new URL(path, lab.url), {
    method: 'POST',
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })

test('the page comes with a policy that lets nothing foreign in', async () => {
  const response = await fetch(lab.url)
  expect(response.headers.get('Content-Type')).toBe('text/html; charset=utf-8')
  const policy = response.headers.get('Content-Security-Policy')
  for (const directive of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"])
    expect(policy).toContain(directive)
  // One frame, and nothing with a star.
  const { origins } = (await (await fetch(new URL('/stage', lab.url))).json()) as Access
  expect(policy).toContain(`; frame-src ${origins.relay};`)
  expect(policy).not.toContain('*')
  expect(await response.text()).toContain('<title>Eitherway')
})

test('what is not there is a 404, also above the folder of the page', async () => {
  for (const path of ['/nothing', '/cut', '/../lab.js', '/%2e%2e/lab.js', '//nothing', '//', '/\\[']) {
    expect((await ask(path)).statusCode, path).toBe(404)
  }
})

test.each(['evil.example', '127.0.0.1:99999', '[127.0.0.1]'])('the host %s is refused', async (host) => {
  expect((await ask('/', { host })).statusCode).toBe(403)
})

test('an upgrade from a page of another site is refused', async () => {
  const socket = new WebSocket(new URL('/live', lab.url), { origin: 'https://evil.example' })
  const [error] = (await once(socket, 'error')) as [Error]
  expect(error.message).toContain('403')
})

test.concurrent.each(['sse', 'ws'] as const)(
  'over %s, a cut link comes back by itself and nothing is lost',
  async (transport) => {
    await using client = connect(new URL(`/live?panel=test-${transport}`, lab.url), {
      transport,
      channels: ['vitals', 'load'],
    })
    const seen: number[] = []
    let openings = 0
    client.onState((state) => {
      if (state === 'open') openings += 1
    })
    for await (const { data } of client) {
      seen.push((data as Numbered).seq)
      if (seen.length === 5) {
        const response = await fetch(new URL(`/cut?panel=test-${transport}`, lab.url), { method: 'POST' })
        expect(await response.json()).toEqual({ cut: true })
      }
      if (openings === 2 && seen.length > 20) break
    }
    expect(seen).toEqual(seen.map((_, index) => (seen[0] ?? 0) + index))
  },
)

test('the meter counts the bytes of one panel', async () => {
  await using client = connect(new URL('/live?panel=metered', lab.url), {
    transport: 'sse',
    channels: ['vitals'],
  })
  await client[Symbol.asyncIterator]().next()
  const meter = (await (await fetch(new URL('/meter?panel=metered', lab.url))).json()) as { bytes: number }
  expect(meter.bytes).toBeGreaterThan(200)
  expect(await (await fetch(new URL('/meter?panel=nobody', lab.url))).json()).toBeNull()
})

test('a cut of nobody cuts nothing', async () => {
  const response = await fetch(new URL('/cut?panel=nobody', lab.url), { method: 'POST' })
  expect(await response.json()).toEqual({ cut: false })
})

test.concurrent.each(['sse', 'ws'] as const)(
  'over %s, a throttle slows the next link as well',
  async (transport) => {
    const panel = `slow-${transport}`
    await using client = connect(new URL(`/live?panel=${panel}`, lab.url), {
      transport,
      channels: ['vitals'],
    })
    const messages = client[Symbol.asyncIterator]()
    /** The least of what ten messages took. */
    async function leastMs(): Promise<number> {
      let least = Number.POSITIVE_INFINITY
      for (let count = 0; count < 10; count += 1) {
        const { at } = await nextOf(messages)
        least = Math.min(least, clockMs() - at)
      }
      return least
    }
    await messages.next()
    await post(`/throttle?panel=${panel}&on=true`)
    await leastMs() // what was under way
    // At 4 KiB a second a message of over 100 bytes cannot be faster.
    expect(await leastMs()).toBeGreaterThan(10)
    const back = new Promise<void>((resolve) => client.onState((state) => state === 'open' && resolve()))
    await post(`/cut?panel=${panel}`)
    await Promise.all([back, leastMs()])
    await leastMs()
    expect(await leastMs()).toBeGreaterThan(10)
    await post(`/throttle?panel=${panel}&on=false`)
    // At full speed again, sooner or later.
    while ((await leastMs()) > 10);
  },
)

test.concurrent.each(['sse', 'ws'] as const)(
  'over %s, a stalled link brings nothing, and its end costs nothing',
  async (transport) => {
    const panel = `stalled-${transport}`
    await using client = connect(new URL(`/live?panel=${panel}`, lab.url), {
      transport,
      channels: ['vitals'],
    })
    const seen: number[] = []
    const messages = client[Symbol.asyncIterator]()
    const take = async () => seen.push((await nextOf(messages)).seq)
    await take()
    expect(await (await post(`/stall?panel=${panel}`)).json()).toEqual({ stalled: true })
    const last = client.lastEventId
    // The other panel's link goes on meanwhile, so that time has passed in which this one would have heard something.
    await using other = connect(new URL('/live?panel=other', lab.url), { transport, channels: ['load'] })
    await other[Symbol.asyncIterator]().next()
    expect(client.lastEventId).toBe(last)
    expect(client.state).toBe('open')
    expect(await (await post(`/release?panel=${panel}`)).json()).toEqual({ released: true })
    for (let count = 0; count < 40; count += 1) await take()
    // `load` counts as well, and this client does not follow it.
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toEqual([...seen].sort((one, next) => one - next))
    const holes = seen.slice(1).filter((seq, index) => seq - (seen[index] ?? 0) > 2)
    expect(holes).toEqual([])
  },
)

test.each([
  ['kept', 0],
  ['lost', 1],
] as const)('after a restart with its history %s, both clients hear of %i gaps', async (history, gaps) => {
  const clients = await Promise.all(
    (['sse', 'ws'] as const).map(async (transport) => {
      const client = connect(new URL('/live?panel=restarted', lab.url), {
        transport,
        channels: ['vitals', 'load'],
      })
      onTestFinished(() => void client.close())
      const told: string[] = []
      const codes: (number | undefined)[] = []
      client.onGap(({ reason }) => told.push(reason))
      client.onState((state, reason) => state === 'waiting' && codes.push(reason?.code))
      const messages = client[Symbol.asyncIterator]()
      const next = async () => (await nextOf(messages)).seq
      return { client, told, codes, next, seen: [await next()] }
    }),
  )
  expect((await post(`/restart?history=${history}`)).status).toBe(202)
  await Promise.all(
    clients.map(async ({ client, told, codes, next, seen }) => {
      while (codes.length === 0 || client.state !== 'open' || seen.length < 30) seen.push(await next())
      expect(codes[0]).toBe(1012)
      expect(told).toHaveLength(gaps)
      const [first = 0] = seen
      if (history === 'kept') expect(seen).toEqual(seen.map((_, index) => first + index))
      else expect(new Set(seen).size).toBe(seen.length)
    }),
  )
})

test.each([
  ['no JSON', 'nonsense', 'no JSON'],
  ['no place', { scenarios: ['latency'], quick: true }, 'place'],
  ['no scenario', { place: 'node', scenarios: [], quick: true }, 'at least one'],
  ['a scenario that there is not', { place: 'node', scenarios: ['<b>'], quick: true }, 'no scenario "<b>"'],
  ['a scenario of another place', { place: 'node', scenarios: ['tabs'], quick: true }, 'for this place'],
  ['no depth', { place: 'node', scenarios: ['latency'] }, 'quick'],
])('a run is refused: %s', async (_, body, complaint) => {
  const response = await fetch(new URL('/runs?page=one', lab.url), {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  expect(response.status).toBe(400)
  expect(((await response.json()) as { error: string }).error).toContain(complaint)
})

test('while a page measures, another page is refused, until the first has gone', async () => {
  const request = { place: 'page', scenarios: ['latency'], quick: true }
  const client = connect(new URL('/live?page=first', lab.url), { transport: 'ws', channels: ['runs'] })
  await new Promise<void>((resolve) => client.onState((state) => state === 'open' && resolve()))
  const run = (await (await post('/runs?page=first', request)).json()) as Run
  expect(run).toMatchObject({ ...request, status: 'running', results: [] })
  const refused = await post('/runs?page=second', request)
  expect(refused.status).toBe(409)
  expect(await refused.json()).toEqual({ error: 'another run is on; two at once would measure each other' })
  await client.close()
  await expect.poll(async () => (await post('/runs?page=second', request)).status).toBe(202)
  const latest = (await (await fetch(new URL('/runs', lab.url))).json()) as Run
  const ended = (await (await post(`/runs/end?run=${latest.id}`)).json()) as Run
  expect(ended.status).toBe('stopped')
})

test('a stage that has ended is not handed out again', async () => {
  const stage = async () => (await (await fetch(new URL('/stage', lab.url))).json()) as Access
  const before = await stage()
  process.kill((await askStage(before, 'cost', {})).pid, 'SIGKILL')
  await expect.poll(async () => (await stage()).token, { timeout: 10_000 }).not.toBe(before.token)
  expect((await askStage(await stage(), 'cost', {})).pid).toBeGreaterThan(0)
})

test('one that asks again and again on one socket is listened for once', async () => {
  const warnings: Error[] = []
  const note = (warning: Error) => {
    if (warning.name === 'MaxListenersExceededWarning') warnings.push(warning)
  }
  process.on('warning', note)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => {
    agent.destroy()
    process.off('warning', note)
  })
  for (let count = 0; count < 20; count += 1) {
    const panel = `again-${count % 3}`
    const response = await ask(`/live?panel=${panel}`, { accept: 'text/plain' }, agent)
    expect(response.statusCode).toBe(406)
    await once(response, 'end')
  }
  expect(warnings).toEqual([])
})

test('a panel that others push out takes its stall and its throttle along', () => {
  const faults = new Map<number, Faults | undefined>()
  const ended: number[] = []
  const links = createLinks({ setFaultsOf: (port, next) => faults.set(port, next) }, (port) => {
    ended.push(port)
    return true
  })
  links.begin('stalled', 1)
  links.stall('stalled')
  links.throttle('slow', 1)
  links.begin('slow', 2)
  expect([faults.get(1), faults.get(2)]).toEqual([{ stalled: true }, { bytesPerSecond: 1 }])
  for (let panel = 0; panel < 200; panel += 1) links.throttle(`stranger ${panel}`, undefined)
  expect([faults.get(1), faults.get(2)]).toEqual([undefined, undefined])
  expect(ended).toEqual([1])
})

test('close ends every connection, also those that nobody reads', async () => {
  const short = await startLab({ port: 0 })
  const { hostname, port } = new URL(short.url)
  const stalled = request({ host: hostname, port, path: '/live?channel=vitals' }).end()
  const [response] = (await once(stalled, 'response')) as [IncomingMessage]
  response.pause()
  const gone = once(response.socket, 'close')
  await short.close()
  response.resume()
  await gone
  await short.close()
})

/** With the path and the headers as they are, which fetch would tidy up. */
async function ask(
  path: string,
  headers: Record<string, string> = {},
  agent?: Agent,
): Promise<IncomingMessage> {
  const { hostname, port } = new URL(lab.url)
  const [response] = (await once(
    request({ host: hostname, port, path, headers, ...(agent && { agent }) }).end(),
    'response',
  )) as [IncomingMessage]
  response.resume()
  return response
}
