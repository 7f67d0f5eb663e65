import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from '@eitherway/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type Lab, startLab } from '../src/lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startLab({ port: 0 })
})
afterAll(() => lab.close())

interface Numbered {
  seq: number
}

test('the page comes with a policy that lets nothing foreign in', async () => {
  const response = await fetch(lab.url)
  expect(response.headers.get('Content-Type')).toBe('text/html; charset=utf-8')
  const policy = response.headers.get('Content-Security-Policy')
  for (const directive of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"])
    expect(policy).toContain(directive)
  expect(await response.text()).toContain('<title>Eitherway')
})

test('what is not there is a 404, also above the folder of the page', async () => {
  for (const path of ['/nothing', '/cut', '/../lab.js', '/%2e%2e/lab.js', '//nothing', '//', '/\\[']) {
    expect((await ask(path)).statusCode, path).toBe(404)
  }
})

test('a name that was pointed at this address is refused', async () => {
  expect((await ask('/', { host: 'evil.example' })).statusCode).toBe(403)
})

test('an upgrade from a page of another site is refused', async () => {
  const socket = new WebSocket(new URL('/live', lab.url), { origin: 'https://evil.example' })
  const [error] = (await once(socket, 'error')) as [Error]
  expect(error.message).toContain('403')
})

test.each(['sse', 'ws'] as const)(
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
async function ask(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const { hostname, port } = new URL(lab.url)
  const [response] = (await once(request({ host: hostname, port, path, headers }).end(), 'response')) as [
    IncomingMessage,
  ]
  response.resume()
  return response
}
