import { type Client, type ClientOptions, type Close, connect } from '@eitherway/client'
import type { Arrival } from '@eitherway/core'
import type { HubOptions } from '@eitherway/server'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { nextPeer, startHub, type TestHub } from './harness.ts'
import { inChromium, inFirefox, type OpenRuntime, onBun, onDeno, onNode } from './runtimes.ts'

const places = [
  { where: 'in Chromium', runtime: inChromium },
  { where: 'in Firefox', runtime: inFirefox },
  { where: 'on Node', runtime: onNode },
  { where: 'on Bun', runtime: onBun },
  { where: 'on Deno', runtime: onDeno },
]

/** Lets in whoever shows one of these, and says what each request showed. */
function door(open: readonly string[]) {
  const shown: unknown[] = []
  const authorize = ({ token = '' }: Arrival) => {
    shown.push(token)
    return open.includes(token) ? { context: undefined } : { status: 401, reason: 'say who you are' }
  }
  return { shown, authorize }
}

for (const { where, runtime } of places) {
  describe.skipIf(runtime.missing)(`a token ${where}`, () => {
    let opened: OpenRuntime
    beforeAll(async () => {
      opened = await runtime.open()
    })
    afterAll(() => opened?.[Symbol.asyncDispose]())

    describe.each(['sse', 'ws'] as const)('over %s', (transport) => {
      const settings = { path: '/live', transport, channels: ['news'] }

      test('that expires in the middle of the stream is renewed, with nothing lost and nothing twice', async () => {
        let isFirst = true
        const authorize = ({ token }: Arrival) => {
          if (token !== (isFirst ? 'old/+' : 'new/+')) return { status: 401, reason: 'say who you are' }
          if (!isFirst) return { context: undefined }
          isFirst = false
          return { context: undefined, expiresAt: Date.now() + 500 }
        }
        await using live = await startHub({ authorize })
        const { hub } = live
        const connected = nextPeer(hub)
        await using client = await opened.start('client', { ...settings, tokens: ['old/+', 'new/+'] }, live)
        const first = await connected
        const connectedAgain = nextPeer(hub)
        let next = 0
        const publishing = setInterval(() => void hub.publish('news', next++), 5)
        onTestFinished(() => clearInterval(publishing))
        expect((await first.closed).code).toBe(4010)
        expect((await connectedAgain).lastEventId).not.toBe('')
        clearInterval(publishing)
        for (let last = next + 5; next < last; next += 1) await hub.publish('news', next)

        const told = await client.take(next + 2)
        expect(told.filter((each) => !Array.isArray(each))).toEqual([{ renew: false }, { renew: true }])
        expect(told.filter((each) => Array.isArray(each))).toEqual(
          Array.from({ length: next }, (_, n) => ['news', n]),
        )
      })

      test('that is turned away is renewed once', async () => {
        const { shown, authorize } = door(['new'])
        await using live = await startHub({ authorize })
        const connected = nextPeer(live.hub)
        await using client = await opened.start('client', { ...settings, tokens: ['old', 'new'] }, live)
        await connected
        await live.hub.publish('news', 1)
        expect(await client.take(3)).toEqual([{ renew: false }, { renew: true }, ['news', 1]])
        expect(shown).toEqual(['old', 'new'])
      })

      test('that is turned away although it was renewed is the end', async () => {
        const { shown, authorize } = door([])
        await using live = await startHub({ authorize })
        const tokens = ['secret-1', 'secret-2', 'secret-3']
        await using client = await opened.start('client', { ...settings, tokens }, live)
        const told = await client.take(3)
        expect(told).toEqual([{ renew: false }, { renew: true }, { code: 4501, reason: expect.any(String) }])
        expect(JSON.stringify(told)).not.toContain('secret')
        expect(shown).toEqual(['secret-1', 'secret-2'])
      })
    })
  })
}

describe.each(['sse', 'ws', 'sse+post'] as const)('over %s', (transport) => {
  function start(live: TestHub, options: Partial<ClientOptions>): Client {
    const client = connect(`${live.origin}/live`, { transport, ...options })
    onTestFinished(() => void client.close())
    return client
  }

  test('a channel that is refused leaves the client as it was', async () => {
    const { authorize } = door(['mine'])
    const options: HubOptions = {
      authorize,
      authorizeChannel: (_, channel) => !channel.startsWith('secret'),
    }
    await using live = await startHub(options)
    const connected = nextPeer(live.hub)
    const asked: boolean[] = []
    const client = start(live, {
      channels: ['news'],
      token({ renew }) {
        asked.push(renew)
        return 'mine'
      },
    })
    await connected
    await open(client)
    await expect(client.subscribe('secrets')).rejects.toMatchObject({ closeCode: 4503 })
    expect([client.state, client.channels, asked]).toEqual(['open', ['news'], [false, false]])
    const heard = new Promise((resolve) => client.on('news', resolve))
    await live.hub.publish('news', 'still here')
    expect(await heard).toBe('still here')
  })

  test('a token is in no error, no close and no trace of the server', async () => {
    const secret = 'c2VjcmV0/+.token'
    const told: unknown[] = []
    const options: HubOptions = {
      authorize(request) {
        told.push(request.url.href, request.channels, request.lastEventId)
        for (const [name, value] of request.headers) if (name !== 'authorization') told.push(value)
        if (told.length > 1000) throw new Error('it comes back without an end')
        return { status: 401, reason: 'say who you are' }
      },
      onError: (error) => told.push(String(error)),
    }
    await using live = await startHub(options)
    const client = start(live, { token: () => secret, onError: (error) => told.push(String(error)) })
    client.onState((state, close: Close | undefined) => told.push(state, close?.code, close?.reason))
    told.push(await client.closed)
    const failures = [
      start(live, { token: () => `${secret} ${secret}` }),
      start(live, { token: () => `${secret}é` }),
    ]
    for (const failed of failures) told.push((await failed.closed).reason)
    expect(told).toContain(4501)
    const all = JSON.stringify(told)
    for (const form of [secret, btoa(secret), encodeURIComponent(secret), btoa(secret).replaceAll('=', '')]) {
      expect(all).not.toContain(form)
    }
  })
})

function open(client: Client): Promise<void> {
  return new Promise((resolve) => {
    if (client.state === 'open') return resolve()
    const off = client.onState((state) => {
      if (state !== 'open') return
      off()
      resolve()
    })
  })
}
