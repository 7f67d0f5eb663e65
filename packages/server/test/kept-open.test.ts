import { createBunHandler, createHandler, createHub } from '@eitherway/server/bun'
import { expect, test } from 'vitest'

/** Bun's server, as far as it is asked, and what it was told of timeouts. */
function bun() {
  const seconds: number[] = []
  const server = {
    requestIP: () => ({ address: '127.0.0.1', port: 1 }),
    timeout: (_: Request, asked: number) => void seconds.push(asked),
    upgrade: () => true,
  }
  return { server, seconds }
}

const stream = { headers: { accept: 'text/event-stream' } }
const upgrade = { headers: { upgrade: 'websocket' } }

test.each<[string, string, RequestInit, number[], string | undefined]>([
  ['a stream has no timeout, and takes its connection with it', '', stream, [0], 'close'],
  ['a refusal has it again', '?channel=', stream, [0, 10], undefined],
  ['so has what is for another method', '', { method: 'PUT' }, [0, 10], undefined],
  ['so has a POST for no link', '', { method: 'POST', body: ' ' }, [0, 10], undefined],
])('%s', async (_, query, init, told, connection) => {
  const hub = createHub()
  for (const handle of [createBunHandler(hub).fetch, createHandler(hub)]) {
    const { server, seconds } = bun()
    const response = await handle(new Request(`http://test/live${query}`, init), server)
    expect(response?.headers.get('Connection') ?? undefined).toBe(connection)
    expect(seconds).toEqual(told)
    await response?.body?.cancel()
  }
})

test('a WebSocket has a timeout of its own', async () => {
  const { server, seconds } = bun()
  const { fetch } = createBunHandler(createHub())
  expect(await fetch(new Request('http://test/live', upgrade), server)).toBeUndefined()
  expect(seconds).toEqual([0])
})

test('what fails has it again', async () => {
  const { server, seconds } = bun()
  server.upgrade = () => {
    throw new Error('no upgrade today')
  }
  await expect(
    createBunHandler(createHub()).fetch(new Request('http://test/live', upgrade), server),
  ).rejects.toThrow('no upgrade today')
  expect(seconds).toEqual([0, 10])
})
