import { once } from 'node:events'
import { connect, createServer } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { lacks, nextPeer, run, startHub } from './harness.ts'

/** curl that writes each line as it comes. */
function curl(...args: string[]) {
  return run('curl', ['--no-buffer', '--silent', '--show-error', '--max-time', '20', ...args], {
    plain: true,
  })
}

const httpVersions = [
  { version: 'HTTP/1.1', flag: '--http1.1', server: () => undefined },
  { version: 'HTTP/2', flag: '--http2-prior-knowledge', server: () => createServer() },
]

describe.skipIf(lacks('curl')).each(httpVersions)('curl over $version', ({ flag, server }) => {
  test('shows each message when it comes, and resumes by the header', async () => {
    await using live = await startHub({ retryMs: 1234 }, server())
    const { hub, origin } = live
    let connected = nextPeer(hub)
    await using reader = curl(flag, `${origin}/live?channel=news`)
    await connected
    await reader.take(5)
    const first = await hub.publish('news', { text: 'zwei 🌍' })
    expect(await reader.take(4)).toEqual([`id: ${first}`, 'event: news', 'data: {"text":"zwei 🌍"}', ''])

    const second = await hub.publish('news', 'missed')
    connected = nextPeer(hub)
    await using later = curl(flag, '-H', `Last-Event-ID: ${first}`, `${origin}/live?channel=news`)
    await connected
    expect(await later.take(9)).toEqual([
      'retry: 1234',
      `id: ${first}`,
      'event: ~hello',
      'data: {"heartbeatMs":25000}',
      '',
      `id: ${second}`,
      'event: news',
      'data: "missed"',
      '',
    ])
  })

  test('is told what it gets, and that nothing on the way may keep it', async () => {
    await using live = await startHub({}, server())
    const connected = nextPeer(live.hub)
    await using reader = curl(flag, '--include', `${live.origin}/live`)
    ;(await connected).close()
    await reader.exited
    const [status = '', ...headers] = reader.output().split('\r\n\r\n')[0]!.toLowerCase().split('\r\n')
    expect(status).toMatch(/^http\/(1.1 200 ok|2 200 )$/)
    expect(headers).toEqual(
      expect.arrayContaining([
        'content-type: text/event-stream',
        'cache-control: no-cache, no-transform',
        'x-accel-buffering: no',
      ]),
    )
  })

  test('reads a stream of its own, byte for byte', async () => {
    await using live = await startHub({ format: 'text', retryMs: 500 }, server())
    live.hub.onConnect(async (peer) => {
      const last = Number(/^message_id_(\d+)$/.exec(peer.lastEventId)?.[1] ?? 0)
      for (let i = last + 1; i <= 10; i += 1) {
        await peer.send('message', `Message ${i}`, { id: `message_id_${i}`, retryMs: 15_000 })
      }
      peer.close()
    })
    const block = (i: number) => `retry: 15000\nid: message_id_${i}\nevent: message\ndata: Message ${i}\n\n`
    const streamAfter = (last: number) =>
      'retry: 500\nevent: ~hello\ndata: {"heartbeatMs":25000}\n\n' +
      Array.from({ length: 10 - last }, (_, n) => block(last + 1 + n)).join('') +
      'event: ~close\ndata: {"code":1000,"reason":""}\n\n'

    await using whole = curl(flag, `${live.origin}/live`)
    expect(await whole.exited).toBe(0)
    expect(whole.output()).toBe(streamAfter(0))
    await using rest = curl(flag, '-H', 'Last-Event-ID: message_id_7', `${live.origin}/live`)
    expect(await rest.exited).toBe(0)
    expect(rest.output()).toBe(streamAfter(7))
  })
})

describe("Node's http2 client", () => {
  test('reads two streams over one socket, and ending one leaves the other', async () => {
    await using live = await startHub({ format: 'text' }, createServer())
    const { hub, origin } = live
    const session = connect(origin)
    const open = async (channel: string, lastEventId?: string) => {
      const connected = nextPeer(hub)
      const headers = { ':path': `/live?channel=${channel}`, accept: 'text/event-stream' }
      const request = session.request(
        lastEventId === undefined ? headers : { ...headers, 'last-event-id': lastEventId },
      )
      let text = ''
      request.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      const [answer] = await once(request, 'response')
      const until = async (end: string) => {
        while (!text.endsWith(end)) await once(request, 'data')
        return text
      }
      return { request, answer, until, peer: await connected }
    }

    const news = await open('news')
    const sports = await open('sports')
    expect(news.answer).toMatchObject({ ':status': 200, 'content-type': 'text/event-stream' })
    expect(news.answer).not.toHaveProperty('connection')
    const first = await hub.publish('news', 'zwei 🌍')
    await news.until(`id: ${first}\nevent: news\ndata: zwei 🌍\n\n`)

    news.request.close()
    await news.peer.closed
    const missed = await hub.publish('news', 'missed')
    const goal = await hub.publish('sports', 'goal')
    expect(await sports.until(`id: ${goal}\nevent: sports\ndata: goal\n\n`)).not.toContain('news')

    const again = await open('news', first)
    expect(await again.until(`id: ${missed}\nevent: news\ndata: missed\n\n`)).not.toContain('zwei')
    session.destroy()
  })
})
