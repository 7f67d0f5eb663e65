import { connect, type Gap } from '@eitherway/client'
import { expect, test } from 'vitest'
import { bundle } from './bundle.ts'
import { run } from './harness.ts'
import { eventually, hear, positioned } from './heard.ts'

/** A server in a process of its own, at a port of its choice or at this one. */
async function startServer(port = 0) {
  const child = run(process.execPath, ['-'], { input: await bundle('hub', { port }, 'node') })
  const [told] = (await child.take(1)) as [{ port: number }]
  const origin = `http://127.0.0.1:${told.port}`
  return {
    port: told.port,
    origin,
    async publish(channel: string, data: unknown): Promise<void> {
      const response = await fetch(`${origin}/${channel}`, { method: 'POST', body: JSON.stringify(data) })
      expect(response.status).toBe(204)
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

test('when the server is killed and its history with it, each client is told of one gap and goes on', async () => {
  let server = await startServer()
  const followers = (['sse', 'ws', 'sse', 'ws'] as const).map((transport) => {
    const client = connect(`${server.origin}/live`, { transport, channels: ['a', 'b'] })
    const told: (Gap | string)[] = []
    client.onGap((gap) => told.push(gap))
    client.on('a', (data) => told.push(`a${data}`))
    client.on('b', (data) => told.push(`b${data}`))
    return { client, told, heard: hear(client, ['a', 'b']) }
  })
  const gap: Gap = { reason: 'epoch', channels: ['a', 'b'] }
  const expected: (Gap | string)[] = []
  let messages = 0
  async function publish(): Promise<void> {
    for (const channel of ['a', 'b', 'a']) {
      await server.publish(channel, messages)
      expected.push(`${channel}${messages}`)
      messages += 1
    }
    for (const { heard } of followers) await heard.until(messages)
  }
  try {
    await Promise.all(followers.map(({ client }) => positioned(client)))
    await publish()
    for (let kills = 0; kills < 2; kills += 1) {
      const { port } = server
      // By SIGKILL: it says no goodbye.
      await server[Symbol.asyncDispose]()
      await eventually(
        () => followers.every(({ client }) => client.state !== 'open'),
        'the news of its end at every client',
      )
      server = await startServer(port)
      expected.push(gap)
      await eventually(() => followers.every(({ told }) => told.length === expected.length), 'a gap for each')
      await publish()
    }
    for (const { told } of followers) expect(told).toEqual(expected)
  } finally {
    await Promise.all(followers.map(({ client }) => client.close()))
    await server[Symbol.asyncDispose]()
  }
})
