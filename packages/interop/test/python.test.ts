import { fileURLToPath } from 'node:url'
import { connect } from '@eitherway/client'
import { sse } from '@eitherway/sse/client'
import { ws } from '@eitherway/ws/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Child, createRecords, lacks, nextPeer, run, startHub } from './harness.ts'

function python(program: string, ...args: string[]) {
  return run('/usr/bin/python3', [fileURLToPath(new URL(`python/${program}`, import.meta.url)), ...args], {
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  })
}

describe.skipIf(lacks('python'))("Python's clients, of our server", () => {
  const texts = ['one', 'zwei 🌍 – drei', 'two\nlines', 'a line\u2028separator', '']

  test('requests reads an event stream, and resumes after a cut', async () => {
    await using live = await startHub({ format: 'text' })
    const { hub, origin, cut } = live
    let connected = nextPeer(hub)
    await using reader = python('event_stream.py', `${origin}/live?channel=news`)
    await connected
    const expected: string[][] = []
    const publish = async () => {
      for (const text of texts) expected.push(['news', await hub.publish('news', text), text])
    }
    await publish()
    const before = await reader.take(texts.length)
    connected = nextPeer(hub)
    await publish()
    cut()
    await publish()
    await connected
    await publish()
    expect([...before, ...(await reader.take(texts.length * 3))]).toEqual(expected)
  })

  test('websockets carries raw data both ways', async () => {
    await using live = await startHub({ format: 'text' })
    const { hub, origin } = live
    const heard = createRecords()
    hub.onMessage(({ event, data }) => heard.push([event, data]))
    const connected = nextPeer(hub)
    await using socket = python('web_socket.py', `${origin.replace('http', 'ws')}/live`)
    const peer = await connected
    for (const text of texts) await peer.send('message', text)
    await peer.send('message', Uint8Array.of(0, 10, 255))
    expect(await heard.take(texts.length + 1)).toEqual([
      ...texts.map((text) => ['message', text]),
      ['message', Buffer.of(0, 10, 255)],
    ])
    peer.close({ code: 4321, reason: 'genug – enough' })
    expect(await socket.take(texts.length + 2)).toEqual([
      ...texts,
      { bytes: [0, 10, 255] },
      { code: 4321, reason: 'genug – enough' },
    ])
  })

  test('websockets speaks eitherway.v1 by hand, and resumes after a cut', async () => {
    await using live = await startHub({ format: 'text' })
    const { hub, origin, cut } = live
    const answers = createRecords()
    hub.onMessage(({ event, data }) => answers.push([event, data]))
    let connected = nextPeer(hub)
    const url = `${origin.replace('http', 'ws')}/live?channel=news`
    await using socket = python('web_socket.py', url, 'eitherway.v1')
    await connected
    const first = await hub.publish('news', 'zwei 🌍\nlines')
    expect(await answers.take(1)).toEqual([['answer', `${first} said zwei 🌍\nlines`]])
    connected = nextPeer(hub)
    cut()
    const second = await hub.publish('news', 'while nobody was there')
    await connected
    expect(await answers.take(1)).toEqual([['answer', `${second} said while nobody was there`]])
    expect(await socket.take(2)).toEqual([
      ['news', first, 'zwei 🌍\nlines'],
      ['news', second, 'while nobody was there'],
    ])
  })
})

describe.skipIf(lacks('python'))('our client, of a server with FastAPI', () => {
  let server: Child
  let origin: string
  beforeAll(async () => {
    server = python('server.py')
    for (let port: string | undefined; port === undefined; ) {
      const [line] = await server.errors.take(1)
      port = /running on http:\/\/127\.0\.0\.1:(\d+)/.exec(line as string)?.[1]
      if (port !== undefined) origin = `http://127.0.0.1:${port}`
    }
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  test('follows a stream in the format of sse-starlette, over its end and over its failure', async () => {
    await using client = connect(`${origin}/stream`, { transport: 'sse', format: 'text' })
    const links: string[] = []
    client.onState((state) => links.push(state))
    const messages: unknown[] = []
    for await (const { event, id, data } of client) {
      messages.push([event, id, data])
      if (messages.length === 10) break
    }
    expect(messages).toEqual(
      Array.from({ length: 10 }, (_, n) => [
        'new_message',
        `message_id_${n + 1}`,
        `Message ${n + 1} 🌍\nof ten`,
      ]),
    )
    // Three links: the first ended, the second broke inside the eighth message.
    expect(links).toEqual([
      'open',
      ...['waiting', 'connecting', 'open'],
      ...['waiting', 'connecting', 'open'],
    ])
  })

  test('reads a stream that answers a POST, as language models do', async () => {
    await using client = connect(`${origin}/complete`, {
      transport: sse({
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ prompt: 'one small step' }),
      }),
      format: 'text',
      reconnect: false,
    })
    const words: unknown[] = []
    for await (const { data } of client) words.push(data)
    expect(words).toEqual(['ONE', 'SMALL', 'STEP', '[DONE]'])
    expect(await client.closed).toEqual({ code: 1006, reason: 'the stream ended' })
  })

  test('exchanges raw text over a plain WebSocket', async () => {
    await using client = connect(`${origin}/ws`, { transport: ws({ plain: true }), format: 'text' })
    const texts = ['one', 'zwei 🌍 – drei', 'two\nlines']
    for (const text of texts) await client.send('message', text)
    const echoes: unknown[] = []
    for await (const { event, data } of client) {
      echoes.push([event, data])
      if (echoes.length === texts.length) break
    }
    expect(echoes).toEqual(texts.map((text) => ['message', `Message text was: ${text}`]))
  })

  // uvicorn refuses a WebSocket that has no route with 403.
  test.each([
    { transport: 'sse', code: 4504, status: 404 },
    { transport: ws({ plain: true }), code: 4503, status: 403 },
  ] as const)(
    'is told that there is nothing, and stays away ($status)',
    async ({ transport, code, status }) => {
      await using client = connect(`${origin}/nowhere`, { transport })
      expect(await client.closed).toMatchObject({
        code,
        reason: expect.stringContaining(`/nowhere answered ${status}`),
      })
    },
  )
})
