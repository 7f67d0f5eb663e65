import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { connect } from '@eitherway/client'
import { json, ProtocolError } from '@eitherway/core'
import { createHub, serve } from '@eitherway/server'
import { codec as sse } from '@eitherway/sse/codec'
import { plain, codec as ws } from '@eitherway/ws/codec'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'

const secret = 'hunter2-4111111111111111'

let printed: unknown[]
beforeEach(() => {
  printed = []
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, method).mockImplementation((...given) => void printed.push(...given))
  }
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** All that somebody could log of it: causes and fields too. */
const shown = (value: unknown) => inspect(value, { depth: 20, showHidden: true, maxStringLength: null })

const bytes = new TextEncoder().encode(secret)
const badFrames = [
  ['~hello', secret],
  ['~hello', `{"heartbeatMs":"${secret}"}`],
  ['~gap', `{"reason":"${secret}","channels":[]}`],
  ['~gap', `["${secret}"`],
  ['~retry', secret],
  ['~close', `{"code":"${secret}","reason":""}`],
  ['~close', `{"code":4000,"reason":"${secret.repeat(6)}"}`],
] as const

describe('no error of a codec or a format shows what came', () => {
  const rows: readonly (readonly [string, () => unknown])[] = [
    ['text that is not JSON', () => json.decode(secret)],
    ['JSON that is cut', () => json.decode(`{"password":"${secret}`)],
    ['JSON with more behind', () => json.decode(`{} ${secret}`)],
    ['a text of ws without line feeds', () => ws.decoder().push(secret)],
    ['bytes of ws without line feeds', () => ws.decoder().push(bytes)],
    [
      'bytes of ws with a head that is not UTF-8',
      () => ws.decoder().push(Uint8Array.of(255, 10, ...bytes, 10, 1)),
    ],
    ['a message of ws that is too large', () => ws.decoder({ maxMessageBytes: 3 }).push(`\na\n${secret}`)],
    ['a plain message that is too large', () => plain.decoder({ maxMessageBytes: 3 }).push(secret)],
    [
      'a message of SSE that is too large',
      () => sse.decoder({ maxMessageBytes: 3 }).push(`data: ${secret}\n\n`),
    ],
    [
      'a line of SSE that is too large',
      () => sse.decoder({ maxMessageBytes: 3 }).push(`data: ${secret.repeat(100)}`),
    ],
    ...badFrames.flatMap(([event, data]) => [
      [`${event} ${data} over ws`, () => ws.decoder().push(`\n${event}\n${data}`)] as const,
      [`${event} ${data} over SSE`, () => sse.decoder().push(`event: ${event}\ndata: ${data}\n\n`)] as const,
    ]),
  ]
  test.each(rows)('%s', (_, decode) => {
    const error = failure(decode)
    expect(error).toBeInstanceOf(ProtocolError)
    expect(shown(error)).not.toContain(secret.slice(0, 7))
  })
})

describe("nothing that a client sends shows in a server's errors, closes and console", () => {
  const rows: readonly (readonly [string, readonly string[], string | Uint8Array])[] = [
    ['no line feeds', ['eitherway.v1'], secret],
    ['bytes without line feeds', ['eitherway.v1'], bytes],
    ['no JSON', ['eitherway.v1'], `\nchat\n${secret}`],
    ['no JSON on a plain link', [], secret],
    ['an event that is too long', ['eitherway.v1'], `\n${secret.repeat(20)}\n1`],
    ['an id that is too long', ['eitherway.v1'], `${secret.repeat(20)}\na\n1`],
    ['too large', ['eitherway.v1'], `\na\n"${secret.repeat(100)}"`],
    ['too deep', ['eitherway.v1'], `\na\n${'['.repeat(100)}"${secret}"${']'.repeat(100)}`],
  ]
  test.each(rows)('%s', async (_, protocols, data) => {
    const told: unknown[] = []
    const hub = createHub({ onError: (error) => told.push(error) })
    const { server, url } = await listen()
    serve(hub, server, { path: '/live', maxMessageBytes: 1_000 })
    const headers = { Authorization: `Bearer ${secret}`, Cookie: `session=${secret}` }
    const socket = new WebSocket(`${url}live?token=${secret}`, [...protocols], { headers })
    const ended = new Promise<readonly [number, Buffer]>((resolve) =>
      socket.once('close', (code, reason) => resolve([code, reason])),
    )
    await once(socket, 'open')
    const [peer] = hub.peers
    socket.send(data)
    const [code, reason] = await ended
    expect(code).toBeGreaterThan(1_000)
    expect(`${reason} ${shown(await peer?.closed)} ${shown(told)} ${shown(printed)}`).not.toContain('hunter2')
    await hub.close()
  })

  test.each([
    ['no JSON', `data: ${secret}\n\n`],
    ['an event that is too long', `event: ${secret.repeat(20)}\ndata: 1\n\n`],
    ['too large', `data: "${secret.repeat(100)}"\n\n`],
    ['half a block', `data: ${secret}`],
    ['a broken frame of the protocol', `event: ~close\ndata: {"${secret}\n\n`],
  ])('%s by POST', async (_, body) => {
    const told: unknown[] = []
    const hub = createHub({ onError: (error) => told.push(error) })
    const { server, url } = await listen()
    serve(hub, server, { path: '/live', maxMessageBytes: 1_000 })
    const stream = await fetch(`${url}live?up=post`, { headers: { Authorization: `Bearer ${secret}` } })
    const key = stream.headers.get('Eitherway-Link') ?? ''
    const [peer] = hub.peers
    const answer = await fetch(`${url}live`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${secret}`,
        'Content-Type': 'text/event-stream',
        'Eitherway-Link': key,
        'Eitherway-Seq': '1',
      },
      body,
    })
    const said = await answer.text()
    await hub.close()
    const all = `${said} ${shown(await peer?.closed)} ${shown(told)} ${shown(printed)}`
    expect(all).not.toContain('hunter2')
    expect(all).not.toContain(key)
  })

  test('what authorize refuses', async () => {
    const hub = createHub({
      authorize() {
        throw new Error('the database is away')
      },
    })
    const { server, url } = await listen()
    serve(hub, server, { path: '/live' })
    const answer = await fetch(`${url}live?token=${secret}`, {
      headers: { Authorization: `Bearer ${secret}` },
    })
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('hunter2')
    expect(shown(printed)).toContain('the database is away')
    expect(shown(printed)).not.toContain('hunter2')
    await hub.close()
  })
})

describe("nothing that a server sends shows in a client's errors, closes and console", () => {
  const bad = [...badFrames, ['a', secret], ['a', `{"password":"${secret}`]] as const

  test.each(bad)('%s %s over SSE', async (event, data) => {
    const { server, url } = await listen()
    server.on('request', (_, response: ServerResponse) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.end(`event: ${event}\ndata: ${data}\n\n`)
    })
    await expectSilent(url, 'sse')
  })

  test.each(bad)('%s %s over ws', async (event, data) => {
    const { server, url } = await listen()
    const sockets = new WebSocketServer({ server, handleProtocols: () => 'eitherway.v1' })
    sockets.on('connection', (socket) => {
      socket.send(`\n${event}\n${data}`)
      socket.close(1_000)
    })
    await expectSilent(url, 'ws')
  })

  async function expectSilent(url: string, transport: 'sse' | 'ws') {
    const told: unknown[] = []
    const headed = `${url}?token=${secret}`
    const client = connect(headed, { transport, reconnect: false, onError: (error) => told.push(error) })
    client.on('a', () => undefined)
    const close = await client.closed
    expect(`${shown(close)} ${shown(told)} ${shown(printed)}`).not.toContain('hunter2')
  }
})

function failure(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing failed')
}

async function listen(): Promise<{ server: Server; url: string }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}
