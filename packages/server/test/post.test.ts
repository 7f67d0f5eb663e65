import { once } from 'node:events'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createHub, type HubOptions, type Peer, serve } from '@eitherway/server'
import { expect, onTestFinished, test } from 'vitest'

/** A hub on HTTP/2, and a link of it to which something can be posted. */
async function start(options: HubOptions = {}) {
  const hub = createHub(options)
  const server = createHttp2Server()
  const undo = serve(hub, server, { path: '/live', maxMessageBytes: 1000 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    session.destroy()
    server.close()
    await hub.close()
  })
  const connected = new Promise<Peer>((resolve) => hub.onConnect(resolve))
  const stream = session.request({ ':path': '/live?up=post' })
  const [head] = await once(stream, 'response')
  return { hub, server, undo, session, peer: await connected, key: String(head['eitherway-link']) }
}

function post({ session, key }: Awaited<ReturnType<typeof start>>, headers: Record<string, string> = {}) {
  return session.request({
    ':method': 'POST',
    ':path': '/live',
    'content-type': 'text/event-stream',
    'eitherway-link': key,
    'eitherway-seq': '1',
    ...headers,
  })
}

test('what is posted over HTTP/2 reaches the handlers, and the peer is two-way', async () => {
  const given = await start()
  expect(given.peer.direction).toBe('two-way')
  const heard = new Promise((resolve) => given.hub.onMessage(resolve))
  const stream = post(given).end('event: e\ndata: {"a":1}\n\n')
  const [head] = await once(stream, 'response')
  expect(head[':status']).toBe(200)
  expect(await heard).toEqual({ id: '', event: 'e', data: { a: 1 } })
})

/** What is posted to one server for a link of another, with which it shares nothing. */
async function postAstray(given: Awaited<ReturnType<typeof start>>, key: string): Promise<void> {
  const [head] = await once(post({ ...given, key }).end('data: 1\n\n'), 'response')
  expect(head[':status']).toBe(503)
}

test('a server that cannot hand on what is posted says once what it lacks, where a client tries again', async () => {
  const told: unknown[] = []
  const given = await start({ onError: (error) => told.push(error) })
  const { key } = await start()
  await postAstray(given, (await start()).key)
  await postAstray(given, key)
  expect(told).toEqual([])
  await postAstray(given, key)
  await postAstray(given, key)
  expect(told.map(String)).toEqual([
    expect.stringContaining('need one broker with a relay, such as `redisBroker`'),
  ])
})

test('a server whose client posts after its link has ended has nothing to say', async () => {
  const told: unknown[] = []
  const given = await start({ onError: (error) => told.push(error) })
  given.peer.close()
  const [head] = await once(post(given).end('data: 1\n\n'), 'response')
  expect(head[':status']).toBe(404)
  expect(told).toEqual([])
})

test.each([
  ['announces too much', { 'content-length': '1000000' }, 413],
  ['is of another type', { 'content-type': 'text/plain' }, 415],
  ['names no link', { 'eitherway-link': 'nobody' }, 404],
])('a POST over HTTP/2 that %s is refused and counted', async (_, headers, status) => {
  const given = await start()
  const stream = post(given, headers as Record<string, string>)
  stream.on('error', () => {
    // It is reset, once it is answered.
  })
  const [head] = await once(stream, 'response')
  expect(head[':status']).toBe(status)
  // Node 20's client would destroy a session for ever on which a request has no end.
  stream.end()
  expect(given.hub.stats()).toMatchObject({ peers: 1, refused: { [status]: 1 } })
})

test('after its undo, what is posted is left to the application', async () => {
  const given = await start()
  given.server.on('request', (request, response) => {
    response.writeHead(request.method === 'POST' ? 418 : 404).end()
  })
  given.undo()
  const [head] = await once(post(given).end('data: 1\n\n'), 'response')
  expect(head[':status']).toBe(418)
})
