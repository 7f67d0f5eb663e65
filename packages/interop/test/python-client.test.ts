import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { lacks, nextPeer, run, startHub } from './harness.ts'

const module = fileURLToPath(new URL('../../../examples/python/eitherway.py', import.meta.url))
const python = (...args: string[]) =>
  run('/usr/bin/python3', [module, ...args], { env: { PYTHONDONTWRITEBYTECODE: '1' } })

describe.skipIf(lacks('python'))("the example's client in Python", () => {
  for (const transport of ['sse', 'ws']) {
    const follow = (origin: string, ...args: string[]) =>
      python(`${origin}/live`, ...args, '--transport', transport)

    test(`hears each once and in order over ${transport}, whatever it is, over cuts`, async () => {
      await using live = await startHub({ format: 'text' })
      const { hub, origin, cut } = live
      const values = [
        'one',
        'zwei 🌍\nlines',
        'a\r\nb\rc',
        '',
        'data:text/plain;charset=utf-8;base64,eA==',
        'x'.repeat(200_000),
      ]
      let connected = nextPeer(hub)
      await using reader = follow(origin, 'news', 'pictures')
      await connected
      const expected: unknown[] = []
      const publish = async () => {
        for (const text of values) expected.push(['news', await hub.publish('news', text), text])
        const id = await hub.publish('pictures', Uint8Array.of(0, 10, 13, 255))
        expected.push(['pictures', id, { bytes: [0, 10, 13, 255] }])
      }
      await publish()
      expect(await reader.take(expected.length)).toEqual(expected.splice(0))
      connected = nextPeer(hub)
      cut()
      await publish()
      await connected
      connected = nextPeer(hub)
      cut('reset')
      await publish()
      await connected
      await publish()
      expect(await reader.take(expected.length)).toEqual(expected)
    })

    test(`hears of a gap over ${transport}, before what follows it`, async () => {
      await using live = await startHub({ format: 'text', history: { messages: 2 } })
      const { hub, origin, cut } = live
      let connected = nextPeer(hub)
      await using reader = follow(origin, 'news', 'rare')
      await connected
      const first = await hub.publish('news', 'first')
      expect(await reader.take(1)).toEqual([['news', first, 'first']])
      connected = nextPeer(hub)
      cut()
      for (const text of ['a', 'b', 'c', 'd']) await hub.publish('news', text)
      const rare = await hub.publish('rare', 'kept')
      await connected
      const last = await hub.publish('news', 'after it')
      expect(await reader.take(3)).toEqual([
        { gap: 'evicted', channels: ['news'] },
        ['rare', rare, 'kept'],
        ['news', last, 'after it'],
      ])
    })

    test(`is told over ${transport} that its position is of another history`, async () => {
      await using live = await startHub({ format: 'text' })
      const { hub, origin } = live
      await hub.publish('news', 'before')
      const connected = nextPeer(hub)
      await using reader = follow(origin, 'news', '--last-event-id', 'abc-0')
      await connected
      const id = await hub.publish('news', 'now')
      expect(await reader.take(2)).toEqual([{ gap: 'epoch', channels: ['news'] }, ['news', id, 'now']])
    })

    test(`comes back over ${transport} after a code that lets it, and stays away after one that does not`, async () => {
      await using live = await startHub({ format: 'text' })
      const { hub, origin } = live
      let connected = nextPeer(hub)
      await using reader = follow(origin, 'news')
      ;(await connected).close({ code: 4008, reason: 'too slow' })
      connected = nextPeer(hub)
      ;(await connected).close({ code: 4555, reason: 'genug – enough' })
      expect(await reader.take(1)).toEqual([{ closed: 4555, reason: 'genug – enough' }])
      expect(await reader.exited).toBe(0)
    })

    test(`ends over ${transport} when the server is done`, async () => {
      await using live = await startHub({ format: 'text' })
      const { hub, origin } = live
      const connected = nextPeer(hub)
      await using reader = follow(origin, 'news')
      ;(await connected).close({ code: 1000, reason: '' })
      expect(await reader.take(1)).toEqual([{ closed: 1000 }])
    })

    test(`shows its token over ${transport}, and is told when it is worth nothing`, async () => {
      await using live = await startHub({
        format: 'text',
        authorize: ({ token }) =>
          token === 'to~?k' ? { context: undefined } : { status: 401, reason: 'say who you are' },
      })
      const { hub, origin } = live
      const connected = nextPeer(hub)
      await using reader = follow(origin, 'news', '--token', 'to~?k')
      await connected
      const id = await hub.publish('news', 'for you')
      expect(await reader.take(1)).toEqual([['news', id, 'for you']])
      await using stranger = follow(origin, 'news', '--token', 'wrong')
      expect(await stranger.take(1)).toEqual([
        { closed: 4501, reason: expect.stringContaining('say who you are') },
      ])
    })
  }

  /** A server that gives these answers, one after the other. */
  async function serving(...answers: ((response: ServerResponse) => void)[]) {
    const asked: (string | undefined)[] = []
    const server = createServer(({ headers }, response) => {
      asked.push(headers['last-event-id'] as string | undefined)
      answers[asked.length - 1]?.(response)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      asked,
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/any?of=it`,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      },
    }
  }
  const head = { 'Content-Type': 'text/event-stream' }
  const done = (response: ServerResponse) => void response.writeHead(204).end()

  test('reads all that the standard allows, however it is cut, and keeps the last id', async () => {
    const stream =
      '\ufeff: hi\r\ndata:no space\r\nid: ü1\r\n\r\nevent: e\rdata: two\rdata:  lines\r\rretry: 1\nid: 2\n\ndata\nnonsense\n\ndata: data:text/plain;charset=utf-8;base64,%%\n\ndata: cut'
    const byByte = (response: ServerResponse) => {
      response.writeHead(200, head)
      for (const byte of Buffer.from(stream)) response.write(Buffer.of(byte))
      response.end()
    }
    const whole = (response: ServerResponse) => void response.writeHead(200, head).end(stream)
    await using server = await serving(byByte, whole, done)
    await using reader = python(server.url)
    const messages = [
      ['message', 'ü1', 'no space'],
      ['e', '', 'two\n lines'],
      ['message', '', ''],
      ['message', '', 'data:text/plain;charset=utf-8;base64,%%'],
    ]
    expect(await reader.take(9)).toEqual([...messages, ...messages, { closed: 1000 }])
    expect(server.asked).toEqual([undefined, '2', '2'])
  })

  test('comes back after a 503, and stays away from what is no event stream', async () => {
    await using server = await serving(
      (response) => response.writeHead(503, { 'Retry-After': '0' }).end('soon'),
      (response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>hello'),
    )
    await using reader = python(server.url)
    expect(await reader.take(1)).toEqual([
      { closed: 1002, reason: 'the answer is text/html, no event stream' },
    ])
    expect(server.asked).toHaveLength(2)
  })

  test('ends a link with a message over its limit', async () => {
    await using server = await serving((response) => {
      response.writeHead(200, head)
      response.write(`data: ${'x'.repeat(2_000_000)}`)
    })
    await using reader = python(server.url)
    expect(await reader.take(1)).toEqual([{ closed: 1009, reason: 'a message is over 1048576 bytes' }])
  })
})
