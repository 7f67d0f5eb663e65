import { once } from 'node:events'
import { connect } from '@eitherway/client'
import { describe, expect, test } from 'vitest'
import { lacks, startHub } from './harness.ts'
import { hear, positioned } from './heard.ts'
import { startNginx } from './proxies.ts'

/** Takes minutes: `EITHERWAY_LONG=1 npm test -- packages/interop/test/long`. */
const isAsked = process.env['EITHERWAY_LONG'] !== undefined

describe.skipIf(!isAsked || lacks('nginx'))(
  'through nginx, which by default cuts what is idle for 60 seconds',
  () => {
    test.concurrent.each([
      ['sse', 25_000, 0],
      ['ws', 25_000, 0],
      ['sse', 0, 1],
      ['ws', 0, 1],
    ] as const)(
      '%s with heartbeats every %i ms is cut %i times in 75 seconds, and loses nothing',
      async (transport, heartbeatMs, cuts) => {
        await using bench = await startHub({ heartbeatMs })
        await using nginx = await startNginx(bench.origin, [
          'proxy_http_version 1.1;',
          'proxy_set_header Upgrade $http_upgrade;',
          `proxy_set_header Connection ${transport === 'ws' ? '"upgrade"' : '""'};`,
        ])
        await using client = connect(`${nginx.origin}/live`, { transport, channels: ['news'] })
        const heard = hear(client, ['news'])
        let losses = 0
        client.onState((state) => {
          if (state === 'waiting') losses += 1
        })
        await positioned(client)
        // The time itself is what is tested here.
        await once(AbortSignal.timeout(75_000), 'abort')
        await bench.hub.publish('news', 1)
        expect(await heard.until(1)).toEqual([['news', 1]])
        expect(losses).toBe(cuts)
      },
      120_000,
    )
  },
)
