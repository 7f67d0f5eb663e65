import { type Client, connect } from '@eitherway/client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Cable, layCable } from './cable.ts'
import { startHub, type TestHub } from './harness.ts'
import { eventually, type Heard, hear, positioned } from './heard.ts'

const channels = ['a', 'b']

/** A session's messages: of two channels, text and bytes, some with what could break a frame. */
const session: readonly (readonly [channel: string, data: unknown])[] = Array.from(
  { length: 20 },
  (_, at) => [
    channels[at % 2]!,
    [at, `zwei 🌍\n${at}`, Uint8Array.of(0, 10, 13, 255, at), { at, 'id: 1': '\r\n\r\n' }][at % 4],
  ],
)

async function publish(bench: TestHub, messages: readonly (readonly [string, unknown])[]): Promise<void> {
  for (const [channel, data] of messages) await bench.hub.publish(channel, data)
}

interface Run {
  readonly cable: Cable
  readonly client: Client
  readonly heard: Heard
}

/** How many sessions run beside each other: each cut costs the wait before coming back, and they share it. */
const atOnce = 200

// What chance adds to that wait is not what is tested here.
beforeEach(() => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(['sse', 'ws'] as const)('over %s', (transport) => {
  describe.each(['as it comes', 'out of history'] as const)('a session of twenty messages, %s,', (how) => {
    test('that is cut after any of its bytes is heard once and in order', async () => {
      await using bench = await startHub()
      // From here on all ids have four digits, so that every session has the same number of bytes.
      let id = ''
      for (let at = 0; at < 1_000; at += 1) id = await bench.hub.publish('before', at)

      async function start(cable: Cable): Promise<Run> {
        const client = connect(`${cable.origin}/live`, {
          transport,
          channels,
          lastEventId: how === 'as it comes' ? '' : id,
        })
        return { cable, client, heard: hear(client, [...channels, 'end']) }
      }

      /** A session for each of these numbers of bytes, cut there; then one more message. */
      async function runCut(lengths: readonly number[]): Promise<void> {
        const cables = await Promise.all(lengths.map(() => layCable(bench.origin)))
        for (const [at, cable] of cables.entries()) cable.next({ type: 'cut', after: lengths[at]! })
        if (how === 'out of history') await publish(bench, session)
        const runs = await Promise.all(cables.map(start))
        if (how === 'as it comes') {
          await Promise.all(runs.map(({ client }) => positioned(client)))
          await publish(bench, session)
        }
        for (const { heard } of runs) await heard.until(session.length)
        await eventually(() => cables.every(({ made }) => made === 2), 'a second link of each')
        id = await bench.hub.publish('a', 'end', { event: 'end' })
        for (const [at, { heard }] of runs.entries()) {
          const all = await heard.until(session.length + 1)
          expect(all, `cut after ${lengths[at]} bytes`).toEqual([...session, ['end', 'end']])
        }
        expect(cables.map(({ made }) => made)).toEqual(cables.map(() => 2))
        await Promise.all(runs.map(({ client }) => client.close()))
        await Promise.all(cables.map((cable) => cable[Symbol.asyncDispose]()))
      }

      const length = await recorded(start)
      async function recorded(start: (cable: Cable) => Promise<Run>): Promise<number> {
        await using cable = await layCable(bench.origin)
        if (how === 'out of history') await publish(bench, session)
        const { client, heard } = await start(cable)
        await positioned(client)
        if (how === 'as it comes') await publish(bench, session)
        expect(await heard.until(session.length)).toEqual(session)
        await client.close()
        id = await bench.hub.publish('before', '')
        return cable.bytes
      }

      for (let from = 0; from < length; from += atOnce) {
        await runCut(Array.from({ length: Math.min(atOnce, length - from) }, (_, at) => from + at))
      }
    }, 60_000)
  })

  test('a link that is reset again and again loses nothing', async () => {
    await using bench = await startHub()
    await using cable = await layCable(bench.origin)
    await using client = connect(`${cable.origin}/live`, { transport, channels })
    const heard = hear(client, channels)
    await positioned(client)
    const rounds = 8
    for (let round = 1; round <= rounds; round += 1) {
      await publish(bench, session)
      // Of these some were heard, some are under way, some are in the kernel's hands.
      await heard.until((round - 1) * session.length + round)
      cable.reset()
      await eventually(() => cable.made > round, 'the next link')
    }
    expect(await heard.until(rounds * session.length)).toEqual(Array(rounds).fill(session).flat())
  })

  test('a link that brings a few bytes at a time is as good as any', async () => {
    await using bench = await startHub()
    await using cable = await layCable(bench.origin, 7)
    cable.next({ type: 'trickle' })
    await using client = connect(`${cable.origin}/live`, { transport, channels })
    const heard = hear(client, channels)
    await positioned(client)
    const large = ['a', 'ü🌍\n'.repeat(2_000)] as const
    await publish(bench, [...session, large, ...session])
    expect(await heard.until(2 * session.length + 1)).toEqual([...session, large, ...session])
    expect(cable.made).toBe(1)
  })

  test('a link that went dead without a word is noticed by its silence, and nothing is lost', async () => {
    await using bench = await startHub({ heartbeatMs: 100 })
    await using cable = await layCable(bench.origin)
    await using client = connect(`${cable.origin}/live`, { transport, channels, silenceMs: 500 })
    const heard = hear(client, channels)
    const losses: (number | undefined)[] = []
    client.onState((state, close) => state === 'waiting' && losses.push(close?.code))
    await positioned(client)
    await publish(bench, session)
    await heard.until(session.length)
    cable.stall()
    await publish(bench, session)
    expect(await heard.until(2 * session.length)).toEqual([...session, ...session])
    expect(losses).toContain(4000)
  })

  test('a link that never brings an answer is given up in time, and the next one is as good as any', async () => {
    await using bench = await startHub()
    await using cable = await layCable(bench.origin)
    cable.next({ type: 'stall' })
    await using client = connect(`${cable.origin}/live`, { transport, channels, connectMs: 300 })
    const heard = hear(client, channels)
    const losses: (number | undefined)[] = []
    client.onState((state, close) => state === 'waiting' && losses.push(close?.code))
    await positioned(client)
    await publish(bench, session)
    expect(await heard.until(session.length)).toEqual(session)
    expect(losses).toContain(4001)
  })

  test('a link of which one side only learns that it has ended loses nothing, and the other side ends in time', async () => {
    await using bench = await startHub()
    await using cable = await layCable(bench.origin)
    await using client = connect(`${cable.origin}/live`, { transport, channels })
    const heard = hear(client, channels)
    await positioned(client)
    await publish(bench, session)
    await heard.until(session.length)
    const tellServer = cable.halfClose()
    await publish(bench, session)
    expect(await heard.until(2 * session.length)).toEqual([...session, ...session])
    expect(bench.hub.peers.size).toBe(2)
    tellServer()
    await eventually(() => bench.hub.peers.size === 1, 'the end of the first peer')
    await publish(bench, session)
    expect(await heard.until(3 * session.length)).toEqual([...session, ...session, ...session])
  })
})
