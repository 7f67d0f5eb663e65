import { createServer as createHttp2Server } from 'node:http2'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacks, nextPeer, run, startHub, type TestHub, type Told } from './harness.ts'
import { startNginx } from './proxies.ts'
import { inChromium, inFirefox, type OpenRuntime, onBun, onDeno, onNode } from './runtimes.ts'

const compression = { thresholdBytes: 256 }
const start = (server?: ReturnType<typeof createHttp2Server>) =>
  startHub({ format: 'text' }, server, { compression })

/** Small ones go as they are, large ones do not. */
const texts = ['one', 'zwei 🌍 '.repeat(1_000), '', 'x'.repeat(300), 'three', 'drei 🌍\n'.repeat(20_000)]

/** Each is published when the one before has arrived: nothing in between may hold one back. */
async function hearsEach(hub: TestHub['hub'], reader: Told, shown: (text: string, id: string) => unknown) {
  const [peer] = hub.peers
  const before = peer?.bytesWritten ?? 0
  for (const text of texts) {
    const id = await hub.publish('news', text)
    expect(await reader.take(1)).toEqual([shown(text, id)])
  }
  return (peer?.bytesWritten ?? 0) - before
}

const size = Buffer.byteLength(texts.join(''))

/** Whether this runtime's WebSocket offers permessage-deflate. Their `fetch` and `EventSource` all take gzip. */
const places = [
  { where: 'in Chromium', runtime: inChromium, deflates: true },
  { where: 'in Firefox', runtime: inFirefox, deflates: true },
  { where: 'on Node', runtime: onNode, deflates: true },
  { where: 'on Bun', runtime: onBun, deflates: true },
  { where: 'on Deno', runtime: onDeno, deflates: false },
]

for (const { where, runtime, deflates } of places) {
  describe.skipIf(runtime.missing)(where, () => {
    let opened: OpenRuntime
    beforeAll(async () => {
      opened = await runtime.open()
    })
    afterAll(() => opened?.[Symbol.asyncDispose]())

    test.each([
      { transport: 'sse', isCompressed: true },
      { transport: 'ws', isCompressed: deflates },
    ])('our client over $transport hears each as it comes, late or after a cut', async (wire) => {
      await using live = await start()
      const { hub, cut } = live
      const settings = { path: '/live', transport: wire.transport, channels: ['news'] }
      const shown = (text: string) => ['news', text]
      for (let n = 0; n < 20; n += 1) await hub.publish('news', 'y'.repeat(1_000))
      let connected = nextPeer(hub)
      await using client = await opened.start('client', { ...settings, format: 'text' }, live)
      await connected
      const bytes = await hearsEach(hub, client, shown)
      if (wire.isCompressed) expect(bytes).toBeLessThan(size / 10)
      else expect(bytes).toBeGreaterThan(size)

      connected = nextPeer(hub)
      cut()
      for (const text of texts) await hub.publish('news', text)
      expect(await client.take(texts.length)).toEqual(texts.map(shown))
      const peer = await connected
      await hearsEach(hub, client, shown)
      peer.close({ code: 4500, reason: 'genug' })
      expect(await client.take(1)).toEqual([{ code: 4500, reason: 'genug' }])
    })
  })
}

const eventSources = [
  { name: 'EventSource in Chromium', runtime: inChromium },
  { name: 'EventSource in Firefox', runtime: inFirefox },
  { name: 'EventSource of Deno', runtime: onDeno },
  { name: 'the package eventsource on Node', runtime: onNode },
]

for (const { name, runtime } of eventSources) {
  test.skipIf(runtime.missing)(`${name} hears each as it comes, and comes back`, async () => {
    await using opened = await runtime.open()
    await using live = await start()
    const { hub } = live
    let connected = nextPeer(hub)
    await using source = await opened.start(
      'event-source',
      { path: '/live?channel=news', events: ['news'] },
      live,
    )
    const peer = await connected
    const shown = (text: string, id: string) => ['news', id, text]
    expect(await hearsEach(hub, source, shown)).toBeLessThan(size / 10)
    connected = nextPeer(hub)
    // After which every EventSource comes back.
    peer.close({ code: 1012, reason: 'the server restarts' })
    await connected
    await hearsEach(hub, source, shown)
  })
}

describe.skipIf(lacks('curl')).each([
  { version: 'HTTP/1.1', flag: '--http1.1', server: () => undefined },
  { version: 'HTTP/2', flag: '--http2-prior-knowledge', server: () => createHttp2Server() },
])('curl over $version', ({ flag, server }) => {
  test('shows each as it comes, and finds the whole answer sound', async () => {
    await using live = await start(server())
    const { hub, origin } = live
    const connected = nextPeer(hub)
    const args = ['--compressed', '--no-buffer', '--silent', '--show-error', '--max-time', '20', flag]
    await using reader = run('curl', [...args, `${origin}/live?channel=news`], { plain: true })
    const peer = await connected
    await reader.take(5)
    for (const text of ['small', 'x'.repeat(10_000), 'small']) {
      const id = await hub.publish('news', text)
      expect(await reader.take(4)).toEqual([`id: ${id}`, 'event: news', `data: ${text}`, ''])
    }
    peer.close()
    // It checks the length and the checksum at the end.
    expect(await reader.exited).toBe(0)
  })
})

describe.skipIf(lacks('curl') || lacks('nginx'))('behind nginx', () => {
  test.each([
    ['as it comes', []],
    ['that compresses too', ['gzip on;', 'gzip_types *;', 'gzip_min_length 0;', 'gzip_proxied any;']],
    ['over HTTP/1.1', ['proxy_http_version 1.1;']],
  ])('%s, each is heard as it comes, and the answer is sound', async (_, lines) => {
    await using live = await start()
    const { hub, origin } = live
    await using proxy = await startNginx(origin, lines)
    const connected = nextPeer(hub)
    const args = ['--compressed', '--no-buffer', '--silent', '--show-error', '--max-time', '20']
    await using reader = run('curl', [...args, `${proxy.origin}/live?channel=news`], { plain: true })
    const peer = await connected
    await reader.take(5)
    const before = peer.bytesWritten
    for (const text of ['small', 'x'.repeat(10_000), 'small']) {
      const id = await hub.publish('news', text)
      expect(await reader.take(4)).toEqual([`id: ${id}`, 'event: news', `data: ${text}`, ''])
    }
    expect(peer.bytesWritten - before).toBeLessThan(1_000)
    peer.close()
    expect(await reader.exited).toBe(0)
  })
})

describe.skipIf(lacks('python'))('Python', () => {
  const python = (program: string, url: string) =>
    run('/usr/bin/python3', [fileURLToPath(new URL(`python/${program}`, import.meta.url)), url], {
      env: { PYTHONDONTWRITEBYTECODE: '1' },
    })

  test("'s requests hears each as it comes, and comes back", async () => {
    await using live = await start()
    const { hub, origin, cut } = live
    let connected = nextPeer(hub)
    await using reader = python('event_stream.py', `${origin}/live?channel=news`)
    await connected
    const shown = (text: string, id: string) => ['news', id, text]
    expect(await hearsEach(hub, reader, shown)).toBeLessThan(size / 10)
    connected = nextPeer(hub)
    cut()
    await connected
    await hearsEach(hub, reader, shown)
  })

  test("'s websockets hears each as it comes", async () => {
    await using live = await start()
    const { hub, origin } = live
    const connected = nextPeer(hub)
    await using socket = python('web_socket.py', `${origin.replace('http', 'ws')}/live?channel=news`)
    await connected
    expect(await hearsEach(hub, socket, (text) => text)).toBeLessThan(size / 10)
  })
})
