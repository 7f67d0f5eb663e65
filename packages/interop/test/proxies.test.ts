import { readFileSync } from 'node:fs'
import { type Client, connect } from '@eitherway/client'
import { within } from '@eitherway/core/testing'
import { describe, expect, test } from 'vitest'
import { lacks, nextPeer, startHub } from './harness.ts'
import { eventually, hear, positioned } from './heard.ts'
import { startHaproxy, startNginx, startNginxBy } from './proxies.ts'

const counted = (count: number, from = 0): unknown[] =>
  Array.from({ length: count }, (_, at) => ['news', from + at])

describe.skipIf(lacks('nginx'))('through nginx', () => {
  test('as it comes, an event stream arrives at once, message by message', async () => {
    await using bench = await startHub()
    await using nginx = await startNginx(bench.origin)
    await using client = connect(`${nginx.origin}/live`, { transport: 'sse', channels: ['news'] })
    const heard = hear(client, ['news'])
    await positioned(client)
    // Each only after the one before it was heard: a proxy that gathers a few would bring none.
    for (let at = 0; at < 20; at += 1) {
      await bench.hub.publish('news', at)
      expect(await heard.until(at + 1)).toEqual(counted(at + 1))
    }
  })

  test('with the three lines that its manual gives, WebSocket works both ways', async () => {
    await using bench = await startHub()
    await using nginx = await startNginx(bench.origin, [
      'proxy_http_version 1.1;',
      'proxy_set_header Upgrade $http_upgrade;',
      'proxy_set_header Connection "upgrade";',
    ])
    bench.hub.onMessage(({ data }) => bench.hub.publish('news', data))
    await using client = connect(`${nginx.origin}/live`, { transport: 'ws', channels: ['news'] })
    const heard = hear(client, ['news'])
    await positioned(client)
    for (let at = 0; at < 20; at += 1) {
      await client.send('say', at)
      expect(await heard.until(at + 1)).toEqual(counted(at + 1))
    }
  })

  test.each(['sse', 'ws'] as const)('set up as our guide says, %s works', async (transport) => {
    const guide = readFileSync(new URL('../../../docs/guides/proxies.md', import.meta.url), 'utf8')
    const configuration = /^```nginx\n(.*?)^```$/ms.exec(guide)?.[1] ?? ''
    await using bench = await startHub()
    await using nginx = await startNginxBy(bench.origin, configuration)
    await using client = connect(`${nginx.origin}/live`, { transport, channels: ['news'] })
    const heard = hear(client, ['news'])
    await positioned(client)
    for (let at = 0; at < 20; at += 1) {
      await bench.hub.publish('news', at)
      expect(await heard.until(at + 1)).toEqual(counted(at + 1))
    }
  })

  test('as it comes, WebSocket is refused with a reason, and the server keeps no peer', async () => {
    await using bench = await startHub()
    await using nginx = await startNginx(bench.origin)
    await using client = connect(`${nginx.origin}/live`, { transport: 'ws', channels: ['news'] })
    const { code, reason } = await within(client.closed, 'the refusal')
    expect(code).toBe(4526)
    expect(reason).toContain('/live answered 426 to the upgrade')
    await eventually(() => bench.hub.peers.size === 0, 'the end of every peer')
  })

  test.each(['sse', 'ws'] as const)(
    'when nginx is killed and comes back, %s loses nothing',
    async (transport) => {
      await using bench = await startHub()
      const lines = [
        'proxy_http_version 1.1;',
        'proxy_set_header Upgrade $http_upgrade;',
        `proxy_set_header Connection ${transport === 'ws' ? '"upgrade"' : '""'};`,
      ]
      await using nginx = await startNginx(bench.origin, lines)
      await using client = connect(`${nginx.origin}/live`, { transport, channels: ['news'] })
      const heard = hear(client, ['news'])
      await positioned(client)
      await bench.hub.publish('news', 0)
      await heard.until(1)
      const back = nextPeer(bench.hub)
      await nginx.restart(async () => {
        await bench.hub.publish('news', 1)
      })
      await back
      await bench.hub.publish('news', 2)
      expect(await heard.until(3)).toEqual(counted(3))
    },
  )
})

describe.skipIf(lacks('haproxy'))('through HAProxy, which cuts what is idle for three seconds', () => {
  const idleMs = 3_000

  /** A client that counts the links that it lost. */
  function follow(origin: string, transport: 'sse' | 'ws') {
    const client: Client = connect(`${origin}/live`, { transport, channels: ['news'] })
    let losses = 0
    client.onState((state) => {
      if (state === 'waiting') losses += 1
    })
    return { client, heard: hear(client, ['news']), losses: () => losses }
  }

  test('an idle link is made again without loss, and one with heartbeats is never cut', async () => {
    await using silent = await startHub({ heartbeatMs: 0 })
    await using speaking = await startHub({ heartbeatMs: 1_000 })
    await using toSilent = await startHaproxy(silent.origin, idleMs)
    await using toSpeaking = await startHaproxy(speaking.origin, idleMs)
    const idle = [follow(toSilent.origin, 'sse'), follow(toSilent.origin, 'ws')]
    const alive = [follow(toSpeaking.origin, 'sse'), follow(toSpeaking.origin, 'ws')]
    try {
      await Promise.all([...idle, ...alive].map(({ client }) => positioned(client)))
      for (const hub of [silent.hub, speaking.hub]) await hub.publish('news', 0)
      for (const { heard } of [...idle, ...alive]) await heard.until(1)

      await eventually(() => idle.every(({ losses }) => losses() === 1), 'the cut of both idle links')
      for (const hub of [silent.hub, speaking.hub]) await hub.publish('news', 1)
      for (const { heard } of [...idle, ...alive]) expect(await heard.until(2)).toEqual(counted(2))

      await eventually(() => idle.every(({ losses }) => losses() === 2), 'a second cut')
      for (const hub of [silent.hub, speaking.hub]) await hub.publish('news', 2)
      for (const { heard } of [...idle, ...alive]) expect(await heard.until(3)).toEqual(counted(3))
      expect(alive.map(({ losses }) => losses())).toEqual([0, 0])
    } finally {
      await Promise.all([...idle, ...alive].map(({ client }) => client.close()))
    }
  })
})
