import { once } from 'node:events'
import { type Close, closeCodeOfStatus, linked, type Refusal } from '@eitherway/core'
import {
  type AdmissionOptions,
  type Authorized,
  createHub,
  type Hub,
  type HubOptions,
} from '@eitherway/server'
import { describe, expect, test } from 'vitest'
import { join, link } from './bench.ts'
import { start, streamHead, upgradeHead } from './sockets.ts'

type Options = HubOptions<unknown>

const refusals: readonly Refusal[] = [
  { status: 401, reason: 'say who you are' },
  { status: 403, reason: 'not for you' },
  { status: 429, reason: 'later', retryAfterMs: 1_500 },
  { status: 503, reason: 'much later', retryAfterMs: 60_000 },
]

describe.each(refusals)('a refusal with $status', (refusal) => {
  const { status, reason: text, retryAfterMs } = refusal
  const seconds = retryAfterMs === undefined ? undefined : String(Math.ceil(retryAfterMs / 1000))
  const options: readonly AdmissionOptions<unknown>[] = [
    { authorize: () => refusal },
    { authorize: async () => refusal },
    { authorizeChannel: async () => refusal },
  ]

  test.each(options)('is a status to SSE and a plain WebSocket, and a close to ours', async (given) => {
    const { stream, socket, hub } = await start<unknown>(given)
    expect(await stream('?channel=a')).toEqual({ status, retryAfter: seconds, text })
    expect(await socket('?channel=a', false)).toEqual({ status, retryAfter: seconds, text })
    const retryAfter = retryAfterMs === undefined ? undefined : String(retryAfterMs)
    expect(await socket('?channel=a')).toEqual({ status: closeCodeOfStatus(status), retryAfter, text })
    expect(hub.stats()).toMatchObject({
      peers: 0,
      refused: { [status]: 3 },
      opened: { 'one-way': 0, 'two-way': 0 },
    })
  })

  test('is a close to a connection that is there already', async () => {
    const hub = createHub({ authorize: async () => refusal })
    const { connection } = await link(hub as Hub)
    expect(await connection.closed).toEqual({ code: closeCodeOfStatus(status), reason: text })
    await hub.close()
  })
})

/** An `authorize` that waits, and says when it was asked. */
function asked() {
  let ask!: () => void
  let answer!: (verdict: Authorized<string> | Refusal) => void
  const asking = new Promise<void>((resolve) => {
    ask = resolve
  })
  const verdict = new Promise<Authorized<string> | Refusal>((resolve) => {
    answer = resolve
  })
  let count = 0
  return {
    asking,
    answer,
    /** Only the first has to wait. */
    authorize() {
      count += 1
      if (count > 1) return { context: 'next' }
      ask()
      return verdict
    },
  }
}

describe.each([
  ['a stream', streamHead, 'HTTP/1.1 200'],
  ['an upgrade', upgradeHead, 'HTTP/1.1 101'],
])('%s about which is not decided yet', (_, head, first) => {
  test('has not been given a byte', async () => {
    const { asking, answer, authorize } = asked()
    const { raw } = await start({ authorize })
    const socket = await raw(head)
    await asking
    // Whoever asks later has been through the same loop of events, and was answered.
    const next = await raw(streamHead)
    await once(next, 'data')
    expect(socket.bytesRead).toBe(0)
    answer({ context: 'first' })
    const [data] = await once(socket, 'data')
    expect(String(data)).toContain(first)
  })

  test('leaves no place behind when its client goes', async () => {
    const { asking, answer, authorize } = asked()
    const { raw, server, hub, stream } = await start({
      authorize,
      maxConnections: 1,
      maxConnectionsPerAddress: 1,
    })
    const arrived = once(server, 'connection')
    const socket = await raw(head)
    const [theirs] = await arrived
    await asking
    // Until it is decided the place is taken: so many at most ask the application at once.
    expect(await stream()).toMatchObject({ status: 503 })
    socket.resetAndDestroy()
    await new Promise((resolve) => theirs.once('close', resolve))
    answer({ context: 'gone' })
    await turn()
    expect(await stream()).toMatchObject({ statusCode: 200 })
    expect(hub.stats()).toMatchObject({ peers: 1, opened: { 'one-way': 1, 'two-way': 0 } })
  })

  test('is refused when the hub begins to close', async () => {
    const { asking, answer, authorize } = asked()
    const { raw, hub } = await start({ authorize })
    const socket = await raw(head)
    await asking
    await hub.close()
    answer({ context: 'late' })
    // Ours learns it by its close: 4103.
    const news = head === streamHead ? 'HTTP/1.1 503' : '\x10\x07the server goes away'
    let heard = ''
    for await (const data of socket) {
      heard += String(data)
      if (heard.includes(news)) break
    }
    expect(heard).toContain(news)
    expect(hub.stats()).toMatchObject({ peers: 0, refused: { 503: 1 } })
  })
})

test('a connection in memory that has gone before the decision makes no peer', async () => {
  const { asking, answer, authorize } = asked()
  const hub = createHub({ authorize, maxConnections: 1 })
  const met: unknown[] = []
  hub.onConnect(({ context }) => met.push(context))
  const { connection } = await link(hub as unknown as Hub)
  await asking
  connection.close()
  answer({ context: 'gone' })
  await turn()
  expect(hub.stats()).toMatchObject({ peers: 0, opened: { 'one-way': 0 } })
  await join(hub as unknown as Hub)
  expect(met).toEqual(['next'])
  await hub.close()
})

describe('places', () => {
  const ends: readonly (readonly [string, Options, string])[] = [
    [
      'refused',
      { authorize: ({ headers }) => (headers.has('x-in') ? { context: 1 } : (refusals[0] as Refusal)) },
      '',
    ],
    [
      'refused later',
      { authorize: async ({ headers }) => (headers.has('x-in') ? { context: 1 } : (refusals[0] as Refusal)) },
      '',
    ],
    [
      'failed',
      {
        authorize: ({ headers }) => {
          if (headers.has('x-in')) return { context: 1 }
          throw new Error('x')
        },
        onError() {},
      },
      '',
    ],
    ['refused a channel', { authorizeChannel: async () => false }, '?channel=a'],
    [
      'expired',
      {
        authorize: ({ headers }) => ({
          context: 1,
          expiresAt: headers.has('x-in') ? Date.now() + 60_000 : 1,
        }),
      },
      '',
    ],
    ['of a name that cannot be', {}, '?channel=~'],
  ]
  test.each(ends)('of one that is %s are free again', async (_, options, query) => {
    const { stream, socket, hub } = await start<unknown>({
      ...options,
      maxConnections: 1,
      maxConnectionsPerAddress: 1,
    })
    for (let tries = 0; tries < 3; tries += 1) {
      expect(((await stream(query)) as { status: number }).status).toBeGreaterThanOrEqual(400)
      expect(((await socket(query)) as { status: number }).status).toBeGreaterThanOrEqual(4_000)
    }
    expect(await stream('', { 'x-in': '1' })).toMatchObject({ statusCode: 200 })
    expect(hub.peers.size).toBe(1)
  })

  test('of one that has left, or was closed, are free again', async () => {
    const { stream, socket, hub } = await start({ maxConnections: 1, maxConnectionsPerAddress: 1 })
    const leave = [
      (peer: { close(): void }) => peer.close(),
      (_: unknown, link: { destroy?(): void; terminate?(): void }) =>
        (link.terminate ?? link.destroy)?.call(link),
    ]
    for (const open of [stream, socket]) {
      for (const end of leave) {
        const link = await open()
        expect(await stream()).toMatchObject({ status: 503, retryAfter: '5' })
        const [peer] = hub.peers
        if (peer === undefined) throw new Error('no peer')
        end(peer, link as { destroy?(): void; terminate?(): void })
        await peer.closed
        await turn()
      }
    }
    expect(await stream()).toMatchObject({ statusCode: 200 })
  })

  test('of one address are counted behind a proxy by what it says', async () => {
    const { stream } = await start({ maxConnectionsPerAddress: 1, trustedProxies: 1 })
    const forwarded = (value: string) => stream('', { 'X-Forwarded-For': value })
    expect(await forwarded('192.0.2.1')).toMatchObject({ statusCode: 200 })
    expect(await forwarded('198.51.100.9, 192.0.2.1')).toMatchObject({ status: 429, retryAfter: '5' })
    expect(await forwarded('192.0.2.1, 192.0.2.2')).toMatchObject({ statusCode: 200 })
  })
})

describe('channels that are not open to a peer', () => {
  const own: Options = {
    authorize: ({ url }) => ({ context: url.searchParams.get('me') }),
    authorizeChannel: async (me, channel) => channel === `user:${String(me)}`,
  }

  test('are neither followed nor replayed, whatever id is named', async () => {
    const { hub, stream, socket } = await start<unknown>(own)
    const id = await hub.publish('user:ada', 'secret')
    for (const query of [
      '?me=bob&channel=user:ada',
      `?me=bob&channel=user:bob&channel=user:ada&lastEventId=${id}`,
    ]) {
      expect(await stream(query)).toEqual({
        status: 403,
        retryAfter: undefined,
        text: 'the channel "user:ada" is not open to you',
      })
      expect(await socket(query)).toMatchObject({ status: 4503 })
    }
    await hub.publish('user:bob', 'hello')
    const response = await stream(`?me=bob&channel=user:bob&lastEventId=${id}`)
    if (!('statusCode' in response)) throw new Error('no stream')
    let text = ''
    for await (const part of response.setEncoding('utf8')) {
      text += part
      if (text.includes('hello')) break
    }
    expect(text).not.toContain('secret')
  })
})

test('a channel that is taken from a peer while it is away is not replayed to it', async () => {
  const open = new Set(['news', 'team'])
  const { hub, stream, socket } = await start<unknown>({
    authorizeChannel: (_, channel) => open.has(channel),
  })
  const id = await hub.publish('team', 'before')
  expect(await stream(`?channel=news&channel=team&lastEventId=${id}`)).toMatchObject({ statusCode: 200 })
  await hub.publish('team', 'secret')
  open.delete('team')
  for (const query of [`?channel=team&lastEventId=${id}`, `?channel=news&channel=team&lastEventId=${id}`]) {
    const text = 'the channel "team" is not open to you'
    expect(await stream(query)).toEqual({ status: 403, retryAfter: undefined, text })
    expect(await socket(query, false)).toEqual({ status: 403, retryAfter: undefined, text })
    expect(await socket(query)).toEqual({ status: 4503, retryAfter: undefined, text })
  }
})

describe('an end that authorize names', () => {
  test('in the past is a 401', async () => {
    const { stream, socket } = await start({ authorize: () => ({ context: 1, expiresAt: Date.now() }) })
    const text = 'what was shown has expired'
    expect(await stream()).toEqual({ status: 401, retryAfter: undefined, text })
    expect(await socket('', false)).toEqual({ status: 401, retryAfter: undefined, text })
    expect(await socket()).toEqual({ status: 4501, retryAfter: undefined, text })
  })

  test('closes the peer with 4010, within a second after it', async () => {
    const expiresAt = Date.now() + 50
    const { hub, socket, stream } = await start({ authorize: () => ({ context: 1, expiresAt }) })
    await Promise.all([socket(), stream()])
    const closes = await Promise.all([...hub.peers].map(({ closed }) => closed))
    expect(closes).toEqual([1, 2].map((): Close => ({ code: 4010, reason: 'what was shown has expired' })))
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
  })
})

describe('what a peer sends', () => {
  async function talk(options: HubOptions, texts: readonly string[]) {
    const hub = createHub(options)
    const heard: unknown[] = []
    hub.onMessage(({ data }) => heard.push(data))
    const { signal } = new AbortController()
    const connection = await linked(hub.accept, { direction: 'two-way' }).connect(new URL('http://test/'), {
      channels: [],
      lastEventId: '',
      signal,
    })
    for (const data of texts) {
      connection.send({ id: '', event: 'a', data }).catch(() => {
        // Closed meanwhile: that is what `closed` says.
      })
    }
    return { hub, heard, connection }
  }

  test('faster than it may ends with 4029', async () => {
    const texts = Array.from({ length: 50 }, (_, at) => String(at))
    const { hub, heard, connection } = await talk({ maxMessagesPerSecond: 20 }, texts)
    expect(await connection.closed).toEqual({ code: 4029, reason: 'more than 20 messages within a second' })
    expect(heard.length).toBe(20)
    expect(hub.stats()).toMatchObject({ received: 21, closed: { 4029: 1 }, errors: 0 })
    await hub.close()
  })

  test.each([
    [{}, 65, 64],
    [{ maxDepth: 3 }, 4, 3],
    [{}, 100_000, 64],
  ])('%j: nested %i levels ends with 1007', async (options, depth, limit) => {
    const { hub, heard, connection } = await talk(options, [
      '['.repeat(limit) + ']'.repeat(limit),
      '['.repeat(depth) + ']'.repeat(depth),
    ])
    expect(await connection.closed).toEqual({ code: 1007, reason: `data may nest ${limit} levels deep here` })
    expect(heard).toHaveLength(1)
    await hub.close()
  })
})

test('what is held back for readers that stand still in their replay counts as well', async () => {
  const hub = createHub({ maxTotalQueuedBytes: 1_000_000, maxQueuedBytes: 10_000_000 })
  const lastEventId = await hub.publish('a', 'start')
  for (let at = 0; at < 10; at += 1) await hub.publish('a', 'x'.repeat(20_000))
  for (let at = 0; at < 4; at += 1) await join(hub, { channels: ['a'], lastEventId })
  for (let at = 0; at < 20; at += 1) await hub.publish('a', 'x'.repeat(20_000))
  await new Promise((resolve) => setImmediate(resolve))
  expect(hub.stats().queuedBytes).toBeGreaterThan(400_000)
  expect(hub.stats().queuedBytes).toBeLessThanOrEqual(1_000_000)
  expect(hub.stats().closed).toEqual({ 4008: 2 })
  await hub.close()
})

test('too much for all slow readers together: those with most go, the others hear on', async () => {
  const hub = createHub({ maxTotalQueuedBytes: 2_500_000, maxQueuedBytes: 10_000_000 })
  const readers = await Promise.all(
    [5, 1, 6, 2, 3].map(async (share) => ({ share, ...(await join(hub, { channels: [`c${share}`] })) })),
  )
  const quick = await join(hub, { channels: ['quick'] })
  const block = 'x'.repeat(150_000)
  let most = 0
  for (let round = 1; round <= 6; round += 1) {
    for (const { share } of readers) if (round <= share) await hub.publish(`c${share}`, block)
    await hub.publish('quick', round)
    await quick.message()
    most = Math.max(most, hub.stats().queuedBytes)
  }
  // 17 blocks are 2.55 MB: without the one with 900,000 it is 1.65 MB.
  expect(hub.stats()).toMatchObject({ closed: { 4008: 1 }, peers: 5, slowPeers: 4 })
  expect(most).toBeLessThanOrEqual(2_500_000)
  const gone = readers.find(({ share }) => share === 6)
  expect(await gone?.connection.closed).toEqual({
    code: 4008,
    reason: 'too much waits to be read by all peers together',
  })
  for (const { share, message } of readers)
    if (share < 6) for (let at = 0; at < share; at += 1) await message()
  expect(hub.stats()).toMatchObject({ queuedBytes: 0, slowPeers: 0 })
  await hub.close()
})

/** Whatever was to follow by itself has. */
const turn = () => new Promise((resolve) => setImmediate(resolve))
