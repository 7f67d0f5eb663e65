import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nextPeer, startHub } from './harness.ts'
import { inChromium, inFirefox, type OpenRuntime, onDeno, onNode } from './runtimes.ts'

const samples = [
  'one',
  'zwei 🌍 – три',
  'two\nlines',
  '',
  '\n',
  ' leading and trailing ',
  ': no comment',
  'a line\u2028separator',
  '🌍'.repeat(30_000), // comes in many slices, cut inside characters
]

const eventSources = [
  { name: 'EventSource in Chromium', runtime: inChromium },
  { name: 'EventSource in Firefox', runtime: inFirefox },
  { name: 'EventSource of Deno', runtime: onDeno },
  { name: 'the package eventsource on Node', runtime: onNode },
]

for (const { name, runtime } of eventSources) {
  describe.skipIf(runtime.missing)(name, () => {
    let opened: OpenRuntime
    beforeAll(async () => {
      opened = await runtime.open()
    })
    afterAll(() => opened?.[Symbol.asyncDispose]())

    test('hears messages in order, with their event and id', async () => {
      await using live = await startHub({ format: 'text' })
      const { hub } = live
      const connected = nextPeer(hub)
      const settings = { path: '/live?channel=news&channel=message', events: ['news', 'sports'] }
      await using source = await opened.start('event-source', settings, live)
      await connected

      const expected: string[][] = []
      for (const data of samples) expected.push(['news', await hub.publish('news', data), data])
      expected.push(['sports', await hub.publish('news', 'goal', { event: 'sports' }), 'goal'])
      expected.push(['message', await hub.publish('message', 'unnamed'), 'unnamed'])
      expect(await source.take(expected.length)).toEqual(expected)
    })

    test.each(['closed', 'reset'] as const)(
      'after its socket is %s, resumes with nothing lost and nothing twice',
      async (how) => {
        await using live = await startHub({ format: 'text' })
        const { hub, cut } = live
        let connected = nextPeer(hub)
        const settings = { path: '/live?channel=message' }
        await using source = await opened.start('event-source', settings, live)
        await connected

        const expected: string[][] = []
        const publish = async (count: number) => {
          for (let n = 0; n < count; n += 1) {
            const data = String(expected.length)
            expected.push(['message', await hub.publish('message', data), data])
          }
        }
        await publish(5)
        const before = await source.take(5)
        connected = nextPeer(hub)
        // On their way while the cable is cut, and while nobody is there.
        await publish(5)
        cut(how)
        await publish(5)
        await connected
        await publish(5)
        expect([...before, ...(await source.take(15))]).toEqual(expected)
      },
    )

    test('after a cut before the first message, resumes all the same', async () => {
      await using live = await startHub({ format: 'text' })
      const { hub, cut } = live
      const settings = { path: '/live?channel=news', events: ['~hello', 'news'] }
      await using source = await opened.start('event-source', settings, live)
      const [hello] = await source.take(1)
      cut()
      const id = await hub.publish('news', 'while nobody was there')

      expect(hello).toMatchObject(['~hello', expect.any(String), '{"heartbeatMs":25000}'])
      expect((await source.take(2))[1]).toEqual(['news', id, 'while nobody was there'])
    })

    test('does not notice the frames of the protocol', async () => {
      await using live = await startHub({ format: 'text' })
      const { hub } = live
      const connected = nextPeer(hub)
      // A position that the hub does not know: besides `~hello` there is a `~gap`.
      const settings = { path: '/live?channel=message&lastEventId=nonsense' }
      await using source = await opened.start('event-source', settings, live)
      const peer = await connected
      await peer.send('message', 'first')
      // And `~close`, after which every EventSource comes back.
      const back = nextPeer(hub)
      peer.close({ code: 1012, reason: 'the server restarts' })
      await back
      const id = await hub.publish('message', 'second')

      expect(await source.take(2)).toMatchObject([
        ['message', expect.any(String), 'first'],
        ['message', id, 'second'],
      ])
    })
  })
}
