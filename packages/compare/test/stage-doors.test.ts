import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { connect as connectSession } from 'node:http2'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { contenders } from '../src/contenders/node.ts'
import { openDeaf } from '../src/scenarios/deaf-peer.ts'
import { createSockets } from '../src/stage/sockets.ts'
import { type SpawnedStage, spawnStage } from '../src/stage/spawn.ts'
import { stageProgram } from './program.ts'

const allowed = 'http://lab.example:8080'
let program: URL
let stage: SpawnedStage
beforeAll(async () => {
  program = await stageProgram()
  stage = await spawnStage({ program, secure: true, allowed: [allowed] })
})
afterAll(async () => {
  await stage?.close()
  await rm(new URL('.', program), { recursive: true })
})

const evil = 'Origin: https://evil.example'
const upgrade = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]
const say = 'POST /say?house=bare&client=nobody'
const nothing = 'Content-Length: 0'

/** What is asked, further lines of it, the status. `HERE` is the host and port. */
test.each<[string, readonly string[], number]>([
  // No URL, or none that is served.
  ['GET //', [], 404],
  ['GET //nothing', [], 404],
  ['GET /\\[', [], 404],
  ['GET http://elsewhere/ours', [], 400],
  ['GET http://[', [], 400],
  ['OPTIONS *', [], 400],
  ['GET /oursx', [], 404],
  ['GET /bare/nothing', [], 404],
  ['GET /nothing', upgrade, 404],
  ['GET //', upgrade, 404],
  ['GET /bare/sse', upgrade, 404],
  ['GET http://[', upgrade, 400],
  // A name that somebody pointed here, and what is none.
  ...['/ours', '/bare/sse', '/runner'].map(
    (path) => [`GET ${path}`, ['Host: evil.example'], 403] as [string, string[], number],
  ),
  [say, ['Host: evil.example', nothing], 403],
  ['GET /ours', ['Host: evil.example', ...upgrade], 403],
  ['GET /bare/ws', ['Host: evil.example', ...upgrade], 403],
  ['GET /ours', ['Host: 127.0.0.1:99999'], 403],
  ['GET /ours', ['Host: [127.0.0.1]'], 403],
  // A page of another site.
  [say, [evil, nothing], 403],
  [say, ['Origin: null', nothing], 403],
  ['GET /ours', [evil, ...upgrade], 403],
  ['GET /bare/ws', [evil, ...upgrade], 403],
  // Whom it is for.
  [say, [nothing], 204],
  [say, ['Origin: http://HERE', nothing], 204],
  [say, [`Origin: ${allowed}`, nothing], 204],
  ['GET /ours', [], 200],
  ['GET /bare/sse', [], 200],
  ['GET /ours', upgrade, 101],
  ['GET /bare/ws', upgrade, 101],
  ['GET /ours', ['Origin: http://HERE', ...upgrade], 101],
  ['GET /bare/ws', ['Origin: http://HERE', ...upgrade], 101],
  ['GET /bare/ws', [], 426],
])('%s %j is answered with %i, and the stage lives on', async (what, lines, status) => {
  for (const origin of [stage.origins.direct, stage.origins.relay]) {
    const { host } = new URL(origin)
    const socket = open(origin)
    const all = lines.some((line) => line.startsWith('Host:')) ? lines : ['Host: HERE', ...lines]
    socket.write([`${what} HTTP/1.1`, ...all, '', ''].join('\r\n').replaceAll('HERE', host))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString('latin1').split(' ', 2)[1]).toBe(`${status}`)
    socket.destroy()
  }
  expect(await stage.ask('clock', {})).toHaveProperty('now')
})

test.each([
  ['HTTP/2 from its own page', {}, 204],
  ['HTTP/2 from no page', { origin: undefined }, 204],
  ['HTTP/2 from another site', { origin: 'https://evil.example' }, 403],
  ['HTTP/2 to a name that was pointed here', { ':authority': 'evil.example' }, 403],
])('%s', async (_, headers, status) => {
  const origin = stage.origins.secure as string
  const session = connectSession(origin, { rejectUnauthorized: false })
  onTestFinished(() => session.destroy())
  const path = '/say?house=bare&client=nobody'
  const request = session.request({ ':method': 'POST', ':path': path, origin, ...headers }).end()
  const [answer] = (await once(request, 'response')) as [Record<string, unknown>]
  expect(answer[':status']).toBe(status)
})

const doors = [
  ['the control', () => stage.access.control, '/'],
  ['/say', () => stage.origins.direct, '/say?house=bare&client=nobody'],
] as const
test.each(
  doors.flatMap(([name, origin, path]) => [
    { name, origin, path, how: 'Content-Length: 100000000', chunk: 'x'.repeat(4096) },
    { name, origin, path, how: 'Transfer-Encoding: chunked', chunk: `1000\r\n${'x'.repeat(4096)}\r\n` },
  ]),
)('$name lets go of a body that goes on and on: $how', async ({ origin, path, how, chunk }) => {
  const socket = open(origin())
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.resume()
  socket.write(`POST ${path} HTTP/1.1\r\nHost: ${new URL(origin()).host}\r\n${how}\r\n\r\n`)
  // One more than there is room for, and never an end.
  for (let sent = 0; sent < 17; sent += 1) socket.write(chunk)
  await closed
  expect(await stage.ask('clock', {})).toHaveProperty('now')
})

test.each(['sse-bare', 'ws-bare'])('to %s that does not read, an echo waits up to a bound', async (name) => {
  const row = contenders.find((each) => each.name === name)
  if (row === undefined) throw new Error(`there is no ${name}`)
  using deaf = await openDeaf(row, stage.origins.direct, `deaf-${name}`, 'none')
  await stage.ask('wait', { house: 'bare', client: deaf.client, count: 1 })
  const owed = () => stage.ask('owed', { port: deaf.port })
  await owed()
  const url = new URL(`/say?house=bare&client=${deaf.client}`, stage.origins.direct)
  const body = 'x'.repeat(60_000)
  // More than the system takes in for one socket, as it does before anything waits here.
  for (let round = 0; round < 40; round += 1) {
    await Promise.all(Array.from({ length: 10 }, () => fetch(url, { method: 'POST', body })))
  }
  const { most } = await owed()
  expect(most).toBeGreaterThan(500_000)
  expect(most).toBeLessThan(1_200_000)
})

test('of connections beyond the bound, the sockets let go', async () => {
  const sockets = createSockets(2)
  const server = createServer()
  sockets.watch(server)
  onTestFinished(() => void server.close())
  onTestFinished(() => sockets.destroyAll())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const enter = async () => {
    const socket = open(origin).resume()
    await once(server, 'connection')
    return socket
  }
  const first = await enter()
  const second = await enter()
  const third = await enter()
  if (!third.closed) await new Promise((resolve) => third.once('close', resolve))
  expect([first.destroyed, second.destroyed]).toEqual([false, false])
  // Whoever goes makes room.
  first.destroy()
  await expect
    .poll(async () => {
      const next = await enter()
      return Promise.race([
        new Promise((resolve) => next.once('close', () => resolve('let go'))),
        new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
      ])
    })
    .toBe(2)
})

/** A socket, and nothing that would tidy up what is said on it. */
function open(origin: string): Socket {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port) })
  // It may be reset.
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  return socket
}
