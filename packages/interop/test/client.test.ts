import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRecords, nextPeer, startHub } from './harness.ts'
import { inChromium, inFirefox, type OpenRuntime, onBun, onDeno, onNode } from './runtimes.ts'

const places = [
  { where: 'in Chromium', runtime: inChromium },
  { where: 'in Firefox', runtime: inFirefox },
  { where: 'on Node', runtime: onNode },
  { where: 'on Bun', runtime: onBun },
  { where: 'on Deno', runtime: onDeno },
]

for (const { where, runtime } of places) {
  describe.skipIf(runtime.missing)(`our client ${where}`, () => {
    let opened: OpenRuntime
    beforeAll(async () => {
      opened = await runtime.open()
    })
    afterAll(() => opened?.[Symbol.asyncDispose]())

    describe.each(['sse', 'ws'] as const)('over %s', (transport) => {
      const settings = { path: '/live', transport, channels: ['news'] }

      test('hears messages in order, text and bytes, until the server is done', async () => {
        await using live = await startHub()
        const { hub } = live
        const connected = nextPeer(hub)
        await using client = await opened.start('client', settings, live)
        const peer = await connected

        const values = ['one', 'zwei 🌍\r\nlines', { nested: [1, null, 'two'] }, '']
        for (const value of values) await hub.publish('news', value)
        await hub.publish('news', Uint8Array.of(0, 10, 13, 255), { event: 'picture' })
        peer.close({ code: 4500, reason: 'genug – enough' })

        expect(await client.take(6)).toEqual([
          ...values.map((value) => ['news', value]),
          ['picture', { bytes: [0, 10, 13, 255] }],
          { code: 4500, reason: 'genug – enough' },
        ])
      })

      test.each(['closed', 'reset'] as const)(
        'after its socket is %s, resumes with nothing lost and nothing twice',
        async (how) => {
          await using live = await startHub()
          const { hub, cut } = live
          let connected = nextPeer(hub)
          await using client = await opened.start('client', settings, live)
          await connected

          let next = 0
          const publish = async (count: number) => {
            for (const last = next + count; next < last; next += 1) await hub.publish('news', next)
          }
          await publish(5)
          const before = await client.take(5)
          connected = nextPeer(hub)
          // On their way while the cable is cut, and while nobody is there.
          await publish(5)
          cut(how)
          await publish(5)
          await connected
          await publish(5)

          const expected = Array.from({ length: 20 }, (_, n) => ['news', n])
          expect([...before, ...(await client.take(15))]).toEqual(expected)
        },
      )

      test('is told of a gap when history is gone', async () => {
        await using live = await startHub({ history: { messages: 1 } })
        const { hub, cut } = live
        const connected = nextPeer(hub)
        await using client = await opened.start('client', settings, live)
        await connected
        await hub.publish('news', 'before')
        const before = await client.take(1)
        const back = nextPeer(hub)
        cut()
        for (const lost of ['lost', 'lost as well', 'lost with them']) await hub.publish('news', lost)
        await back
        await hub.publish('news', 'after')

        expect([...before, ...(await client.take(2))]).toEqual([
          ['news', 'before'],
          { gap: { reason: 'evicted', channels: ['news'] } },
          ['news', 'after'],
        ])
      })
    })

    test('over ws, sends, before a cut and after it', async () => {
      await using live = await startHub()
      const { hub, cut } = live
      const answers = createRecords()
      hub.onMessage(({ event, data }) => answers.push([event, data]))
      const connected = nextPeer(hub)
      const settings = { path: '/live', transport: 'ws', channels: ['news'] }
      await using _client = await opened.start('client', settings, live)
      await connected
      await hub.publish('news', { text: 'zwei 🌍\nlines' }, { event: 'question' })
      expect(await answers.take(1)).toEqual([['answer', { text: 'zwei 🌍\nlines' }]])
      const back = nextPeer(hub)
      cut()
      await back
      await hub.publish('news', 'again', { event: 'question' })
      expect(await answers.take(1)).toEqual([['answer', 'again']])
    })
  })
}
