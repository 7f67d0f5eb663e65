import { createServer } from 'node:http'
import { ConnectError, createMessage } from '@eitherway/core'
import { WebSocket as UndiciWebSocket } from 'undici'
import { describe, expect, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { type WebSocketLike, ws } from '../src/client.ts'
import { listen, start } from './bench.ts'

// So that `ws()` takes the package on every version of Node.
vi.stubGlobal('WebSocket', undefined)

const request = (signal = new AbortController().signal) => ({ lastEventId: '', channels: [], signal })

async function refusalOf(url: URL, transport = ws()): Promise<ConnectError> {
  try {
    await transport.connect(url, request())
  } catch (error) {
    if (error instanceof ConnectError) return error
    throw error
  }
  throw new Error('it connected')
}

describe('a refused upgrade', () => {
  test.each([
    [401, 4501, false],
    [403, 4503, false],
    [404, 4504, false],
    [429, 4029, true],
    [500, 4100, true],
    [503, 4103, true],
  ])('with %i is code %i, and may be tried again: %s', async (status, closeCode, retryable) => {
    const server = createServer()
    server.on('upgrade', (_, socket) =>
      socket.end(`HTTP/1.1 ${status} No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n`),
    )
    const url = new URL(`http://127.0.0.1:${await listen(server)}/live`)
    const error = await refusalOf(url)
    expect(error).toMatchObject({ status, closeCode, retryable, retryAfterMs: 7_000 })
    expect(error.message).toContain(
      `${url.host.replace('http', 'ws')}/live answered ${status} to the upgrade`,
    )
  })

  test('by a server that does not speak ours says what to do, and is final', async () => {
    const server = createServer()
    // By default the package echoes whatever is offered.
    const plain = new WebSocketServer({ server, handleProtocols: () => false })
    plain.on('connection', (socket) => socket.on('error', () => {}))
    const error = await refusalOf(new URL(`http://127.0.0.1:${await listen(server)}/live`))
    expect(error.retryable).toBe(false)
    expect(error.message).toContain(
      'does not speak eitherway.v1; if it is a plain WebSocket server, use `transport: ws({ plain: true })`',
    )
  })

  test("by a platform's WebSocket, which does not say why, may be tried again", async () => {
    const server = createServer()
    server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'))
    const url = new URL(`http://127.0.0.1:${await listen(server)}/live`)
    const error = await refusalOf(url, ws({ WebSocket: UndiciWebSocket as unknown as WebSocketLike }))
    expect(error).toMatchObject({ status: undefined, retryable: true })
    expect(error.message).toMatch(/^ws:\/\/127.0.0.1:[0-9]+\/live could not be reached/)
  })
})

describe('a plain link', () => {
  test('carries text and bytes both ways', async () => {
    const server = createServer()
    const echo = new WebSocketServer({ server })
    echo.on('connection', (socket) =>
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
    )
    const connection = await ws({ plain: true }).connect(
      new URL(`ws://127.0.0.1:${await listen(server)}/`),
      request(),
    )
    await connection.send(createMessage('message', 'ü\n'))
    await connection.send(createMessage('message', Uint8Array.of(0, 255)))
    const frames = connection[Symbol.asyncIterator]()
    expect((await frames.next()).value).toEqual({
      type: 'message',
      message: { id: '', event: 'message', data: 'ü\n' },
    })
    expect((await frames.next()).value).toMatchObject({ message: { data: Uint8Array.of(0, 255) } })
    connection.close()
  })

  test('has no word for an event or an id', async () => {
    const { url } = await start()
    const connection = await ws({ plain: true }).connect(url, request())
    await expect(connection.send(createMessage('prices', 'x'))).rejects.toThrow(
      'a plain WebSocket carries data only, so the event must be "message" without an id, got "prices"',
    )
    await expect(connection.send(createMessage('message', 'x', '1'))).rejects.toThrow(TypeError)
    connection.close()
  })
})

test('the position goes in the query, and the scheme follows the transport', async () => {
  const { url, accepted } = await start()
  const connection = await ws().connect(url, { ...request(), lastEventId: 'e-7', channels: ['a b'] })
  const server = await accepted()
  expect(server.url.search).toBe('?channel=a+b&lastEventId=e-7')
  expect(server.lastEventId).toBe('e-7')
  connection.close()
})

test('a socket that is closing refuses to send: it would drop the message in silence', async () => {
  const { url, accepted } = await start()
  const connection = await ws().connect(url, request())
  const server = await accepted()
  server.close({ code: 4000, reason: 'go' })
  // Until the client knows, it may send; from then on it must not.
  const failed = (async () => {
    for (;;) {
      await connection.send(createMessage('e', 'x'))
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  await expect(failed).rejects.toThrow(ConnectError)
})

test('a socket that says `error` and never `close`, as that of Node 22, has refused all the same', async () => {
  class Silent extends EventTarget {
    readyState = 0
    constructor() {
      super()
      setImmediate(() => this.dispatchEvent(new Event('error')))
    }
    close() {}
  }
  const error = await refusalOf(
    new URL('http://127.0.0.1:1/live'),
    ws({ WebSocket: Silent as unknown as WebSocketLike }),
  )
  expect(error.message).toBe(
    'ws://127.0.0.1:1/live could not be reached: the platform does not say why, and it may be the path; a server that does not speak eitherway.v1 needs `ws({ plain: true })`',
  )
})

test('a platform that cannot hold the sender back lets go of what nobody reads', async () => {
  const { url, accepted } = await start()
  const connection = await ws({ WebSocket: UndiciWebSocket as unknown as WebSocketLike }).connect(
    url,
    request(),
  )
  const server = await accepted()
  const chunk = server.encoder.encode({
    type: 'message',
    message: createMessage('e', 'x'.repeat(1_000_000), '1'),
  })
  for (let at = 0; at < 20; at += 1) {
    server.write(chunk)
    await server.drained()
  }
  expect(await connection.closed).toEqual({ code: 4008, reason: 'more than 16777216 bytes wait to be read' })
})

test('a plain link has no place for a token: a TypeError says so, and nothing is opened', async () => {
  const server = createServer()
  let upgrades = 0
  server.on('upgrade', (_, socket) => {
    upgrades += 1
    socket.destroy()
  })
  const url = new URL(`http://127.0.0.1:${await listen(server)}/live`)
  const connecting = ws({ plain: true }).connect(url, { ...request(), token: 'secret' })
  await expect(connecting).rejects.toThrow(TypeError)
  await expect(connecting).rejects.toThrow(
    'leave `token` out, and let the server know its clients by a cookie',
  )
  await expect(connecting).rejects.not.toThrow('secret')
  expect(upgrades).toBe(0)
})
