import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRecords, nextPeer, startHub } from './harness.ts'
import { inChromium, inFirefox, type OpenRuntime, onBun, onDeno, onNode } from './runtimes.ts'

const webSockets = [
  { name: 'WebSocket in Chromium', runtime: inChromium },
  { name: 'WebSocket in Firefox', runtime: inFirefox },
  { name: 'WebSocket of Bun', runtime: onBun },
  { name: 'WebSocket of Deno', runtime: onDeno },
  { name: 'the package ws on Node', runtime: onNode },
]

const text = ['one', 'zwei 🌍 – drei', 'two\nlines\r\n', '', 'x'.repeat(70_000)]
const bytes = [Uint8Array.of(0, 10, 13, 255), new Uint8Array(300).fill(7)]

for (const { name, runtime } of webSockets) {
  describe.skipIf(runtime.missing)(name, () => {
    let opened: OpenRuntime
    beforeAll(async () => {
      opened = await runtime.open()
    })
    afterAll(() => opened?.[Symbol.asyncDispose]())

    test('without a subprotocol, carries raw data both ways', async () => {
      await using live = await startHub({ format: 'text' })
      const { hub } = live
      const heard = createRecords()
      hub.onMessage(({ event, data }) => {
        heard.push([event, data instanceof Uint8Array ? Uint8Array.from(data) : data])
      })
      const connected = nextPeer(hub)
      const settings = { scheme: 'ws', path: '/live', answer: 'echo' } as const
      await using socket = await opened.start('web-socket', settings, live)
      const peer = await connected
      for (const data of [...text, ...bytes]) await peer.send('message', data)
      const echoes = await heard.take(text.length + bytes.length)
      peer.close({ code: 4321, reason: 'genug – enough' })

      expect(await socket.take(9)).toEqual([
        { protocol: '' },
        ...text,
        ...bytes.map((data) => ({ bytes: [...data] })),
        { code: 4321, reason: 'genug – enough' },
      ])
      expect(echoes).toEqual([...text, ...bytes].map((data) => ['message', data]))
    })

    test('follows a channel without a subprotocol: a message is its data', async () => {
      await using live = await startHub()
      const { hub } = live
      const connected = nextPeer(hub)
      const settings = { scheme: 'ws', path: '/live?channel=prices' } as const
      await using socket = await opened.start('web-socket', settings, live)
      await connected
      await hub.publish('prices', { EURUSD: 1.08 })
      expect(await socket.take(2)).toEqual([{ protocol: '' }, '{"EURUSD":1.08}'])
    })

    test('speaks eitherway.v1 by hand', async () => {
      await using live = await startHub({ format: 'text', retryMs: 1234, heartbeatMs: 60_000 })
      const { hub } = live
      const answers = createRecords()
      hub.onMessage(({ event, data }) => answers.push([event, data]))
      const connected = nextPeer(hub)
      const settings = {
        scheme: 'ws',
        path: '/live?channel=news',
        protocols: ['eitherway.v1'],
        answer: 'frame',
      } as const
      await using socket = await opened.start('web-socket', settings, live)
      const peer = await connected
      const first = await hub.publish('news', 'zwei 🌍\nlines')
      const second = await hub.publish('news', 'goal', { event: 'sports' })
      expect(await answers.take(2)).toEqual([
        ['answer', `${first} said zwei 🌍\nlines`],
        ['answer', `${second} said goal`],
      ])
      peer.close()

      expect(await socket.take(6)).toEqual([
        { protocol: 'eitherway.v1' },
        '\n~retry\n1234',
        expect.stringMatching(/^[^\n]+\n~hello\n\{"heartbeatMs":60000\}$/),
        `${first}\nnews\nzwei 🌍\nlines`,
        `${second}\nsports\ngoal`,
        { code: 1000, reason: '' },
      ])
    })

    test('hears heartbeats, and resumes by hand after the position that it names', async () => {
      await using live = await startHub({ format: 'text', heartbeatMs: 20 })
      const { hub } = live
      const seen = await hub.publish('news', 'seen')
      const missed = await hub.publish('news', 'missed')
      const settings = {
        scheme: 'ws',
        path: `/live?channel=news&lastEventId=${seen}`,
        protocols: ['eitherway.v1'],
      } as const
      await using socket = await opened.start('web-socket', settings, live)
      const [, , , ...records] = await socket.take(6)
      expect(records).toEqual([`${missed}\nnews\nmissed`, '\n~heartbeat\n', '\n~heartbeat\n'])
    })
  })
}
