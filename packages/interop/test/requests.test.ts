import { once } from 'node:events'
import {
  type ClientOptions,
  ConnectError,
  connect,
  RequestError,
  type TransportOption,
  type TwoWayClient,
} from '@eitherway/client'
import { linked } from '@eitherway/core'
import { seeded, within } from '@eitherway/core/testing'
import { createHub, type Hub, type HubOptions, type Requested } from '@eitherway/server'
import { ws } from '@eitherway/ws/client'
import { describe, expect, test } from 'vitest'
import { nextPeer, startHub } from './harness.ts'

/** A hub, and clients of it over one transport. */
interface Bench extends AsyncDisposable {
  readonly hub: Hub
  /** Ends every link, so that its client comes back. */
  cut(): void
  client(options?: Partial<ClientOptions>): TwoWayClient
}

/** What carries the requests: a two-way transport, and how a hub is reached over it. */
interface Row {
  readonly name: string
  start(options?: HubOptions): Promise<Bench>
}

const overHttp = (name: string, transport: TransportOption): Row => ({
  name,
  async start(options) {
    const { hub, origin, cut, [Symbol.asyncDispose]: dispose } = await startHub(options)
    return {
      hub,
      cut: () => cut('reset'),
      client: (more) => connect(`${origin}/live`, { transport, ...more }) as TwoWayClient,
      [Symbol.asyncDispose]: dispose,
    }
  },
})

const rows: readonly Row[] = [
  {
    name: 'linked',
    async start(options) {
      const hub = createHub({ retryMs: 0, ...options })
      const transport = linked(hub.accept, { direction: 'two-way' })
      return {
        hub,
        cut() {
          for (const peer of hub.peers) peer.close({ code: 4000, reason: 'cut' })
        },
        client: (more) => connect('http://test/live', { transport, ...more }) as TwoWayClient,
        [Symbol.asyncDispose]: () => hub.close(),
      }
    },
  },
  overHttp('ws', 'ws'),
  overHttp('sse+post', 'sse+post'),
  overHttp('auto', 'auto'),
]

interface Gate {
  readonly opened: Promise<void>
  open(): void
}

function createGate(): Gate {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** A handler whose calls wait until they are told their answer. */
function createDesk() {
  const asked: { data: unknown; requested: Requested; answer: (value: unknown) => void }[] = []
  const waiting: (() => void)[] = []
  return {
    asked,
    handler: (data: unknown, requested: Requested) =>
      new Promise((answer) => {
        asked.push({ data, requested, answer })
        for (const wake of waiting.splice(0)) wake()
      }),
    async until(count: number) {
      while (asked.length < count) {
        await within(new Promise<void>((resolve) => waiting.push(resolve)), `request ${asked.length + 1}`)
      }
      return asked
    },
  }
}

const errorOf = (promise: Promise<unknown>) =>
  within(
    promise.then(
      (value) => {
        throw new Error(`it was answered: ${JSON.stringify(value)}`)
      },
      (error: unknown) => error,
    ),
    'the rejection',
  )
const aborted = (signal: AbortSignal) =>
  signal.aborted ? Promise.resolve() : within(once(signal, 'abort'), 'the abort')
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe.each(rows)('over $name', ({ start }) => {
  test('a request gets the reply of its handler, whatever the data', async () => {
    await using bench = await start()
    bench.hub.onRequest<[number, number]>('sum', ([a, b]) => a + b)
    bench.hub.onRequest('echo', async (data) => data)
    bench.hub.onRequest('nothing', () => undefined)
    await using client = bench.client()
    expect(await client.request('sum', [1, 2])).toBe(3)
    for (const data of [
      null,
      'ü\n\r€',
      { a: [1, { b: null }] },
      Uint8Array.of(0, 10, 13, 255),
      '',
      'x'.repeat(70_000),
    ]) {
      const echoed = await client.request('echo', data)
      expect(echoed instanceof Uint8Array ? new Uint8Array(echoed) : echoed).toEqual(data)
    }
    expect(await client.request('echo')).toBeNull()
    expect(await client.request('nothing')).toBeNull()
    expect(bench.hub.stats()).toMatchObject({ requests: 9, failures: 0, errors: 0 })
  })

  test('requests run at the same time, and each gets its own reply', async () => {
    await using bench = await start()
    const desk = createDesk()
    bench.hub.onRequest('ask', desk.handler)
    await using client = bench.client()
    const replies = ['a', 'b', 'c'].map((data) => client.request('ask', data))
    const asked = await desk.until(3)
    for (const { data, answer } of [...asked].reverse()) answer(`${data}!`)
    expect(await Promise.all(replies)).toEqual(['a!', 'b!', 'c!'])
  })

  test('the handler knows who asks', async () => {
    await using bench = await start()
    const peer = nextPeer(bench.hub)
    let asker: unknown
    bench.hub.onRequest('who', (_, requested) => {
      asker = requested.peer
    })
    await using client = bench.client()
    await client.request('who')
    expect(asker).toBe(await peer)
  })

  test('a name without a handler fails at once, and one that was taken off', async () => {
    await using bench = await start()
    const off = bench.hub.onRequest('gone', () => 1)
    await using client = bench.client()
    expect(await client.request('gone')).toBe(1)
    off()
    for (const name of ['gone', 'toString']) {
      const error = await errorOf(client.request(name))
      expect(error).toBeInstanceOf(RequestError)
      expect(error).toMatchObject({ code: 'unknown', data: undefined })
    }
    expect(bench.hub.stats()).toMatchObject({ requests: 3, failures: 2, errors: 0 })
  })

  test('a RequestError crosses whole; of any other error not a word does, and onError is told', async () => {
    const errors: unknown[] = []
    await using bench = await start({ onError: (error) => errors.push(error) })
    bench.hub.onRequest('book', () => {
      throw new RequestError('there is no place left', { code: 'sold-out', data: { left: 0 } })
    })
    const secret = new Error('the password is 1234')
    bench.hub.onRequest('break', async () => {
      throw secret
    })
    await using client = bench.client()
    expect(await errorOf(client.request('book'))).toMatchObject({
      name: 'RequestError',
      message: 'there is no place left',
      code: 'sold-out',
      data: { left: 0 },
    })
    expect(errors).toEqual([])
    const error = await errorOf(client.request('break'))
    expect(error).toMatchObject({ name: 'RequestError', message: 'the request failed', code: 'failed' })
    expect(JSON.stringify(error)).not.toContain('1234')
    expect(errors).toEqual([secret])
  })

  test.each([
    ['cannot be encoded', () => 1n],
    ['is over `maxMessageBytes`', () => 'x'.repeat(2_000)],
    [
      'is an error whose data cannot be encoded',
      () => {
        throw new RequestError('no', { code: 'no', data: 1n })
      },
    ],
    [
      'is an error over `maxMessageBytes`',
      () => {
        throw new RequestError('no', { code: 'no', data: 'x'.repeat(2_000) })
      },
    ],
  ])('an answer that %s is a failure, and the link goes on', async (_, handler) => {
    const errors: unknown[] = []
    await using bench = await start({ maxMessageBytes: 1_000, onError: (error) => errors.push(error) })
    bench.hub.onRequest('ask', handler)
    bench.hub.onRequest('sound', () => true)
    await using client = bench.client()
    expect(await errorOf(client.request('ask'))).toMatchObject({ code: 'failed' })
    expect(errors).toEqual([expect.any(TypeError)])
    expect(await client.request('sound')).toBe(true)
  })

  test('a request that is given up rejects with the reason, and the signal of its handler aborts', async () => {
    const errors: unknown[] = []
    await using bench = await start({ onError: (error) => errors.push(error) })
    const desk = createDesk()
    bench.hub.onRequest('ask', async (data, requested) => {
      void desk.handler(data, requested)
      await once(requested.signal, 'abort')
      requested.signal.throwIfAborted()
    })
    bench.hub.onRequest('sound', () => true)
    await using client = bench.client()
    const abort = new AbortController()
    const failed = errorOf(client.request('ask', 1, { signal: abort.signal }))
    const [asked] = await desk.until(1)
    const reason = new Error('never mind')
    abort.abort(reason)
    expect(await failed).toBe(reason)
    if (asked !== undefined) await aborted(asked.requested.signal)
    expect(await client.request('sound')).toBe(true)
    expect(await errorOf(client.request('ask', 2, { signal: abort.signal }))).toBe(reason)
    expect(desk.asked.length).toBe(1)
    expect(errors).toEqual([])
  })

  test('a request that is not answered in its time rejects, and the signal of its handler aborts', async () => {
    await using bench = await start()
    const desk = createDesk()
    bench.hub.onRequest('ask', desk.handler)
    await using client = bench.client()
    await client.request('unknown').catch(() => undefined)
    const failed = errorOf(client.request('ask', 1, { timeoutMs: 50 }))
    const [asked] = await desk.until(1)
    expect(await failed).toMatchObject({
      name: 'TimeoutError',
      message: '"ask" was not answered within 50 ms; the server may or may not have done what was asked',
    })
    if (asked !== undefined) await aborted(asked.requested.signal)
    // What comes too late is nobody's.
    asked?.answer('late')
    expect(await errorOf(client.request('unknown'))).toMatchObject({ code: 'unknown' })
  })

  test('a link that is lost before the answer is a ConnectError, and the signal of the handler aborts', async () => {
    await using bench = await start()
    const desk = createDesk()
    bench.hub.onRequest('ask', desk.handler)
    bench.hub.onRequest('sound', () => true)
    await using client = bench.client()
    const failed = errorOf(client.request('ask', 1, { timeoutMs: 0 }))
    const [asked] = await desk.until(1)
    bench.cut()
    const error = await failed
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({
      retryable: true,
      message: expect.stringContaining('may or may not have done what was asked'),
    })
    if (asked !== undefined) await aborted(asked.requested.signal)
    expect(await client.request('sound')).toBe(true)
    expect(desk.asked.length).toBe(1)
  })

  test('a request without a link waits for the next one, and runs once', async () => {
    await using bench = await start()
    let runs = 0
    bench.hub.onRequest('ask', () => {
      runs += 1
      return runs
    })
    await using client = bench.client()
    // Before there is any link.
    expect(await client.request('ask')).toBe(1)
    const waiting = new Promise<void>((resolve) => {
      client.onState((state) => state === 'waiting' && resolve())
    })
    bench.cut()
    await within(waiting, 'the loss')
    const abort = new AbortController()
    const failed = errorOf(client.request('ask', null, { signal: abort.signal }))
    const late = errorOf(client.request('ask', null, { timeoutMs: 1 }))
    const answer = client.request('ask')
    abort.abort()
    expect(await late).toMatchObject({
      name: 'TimeoutError',
      message: '"ask" was not answered within 1 ms; it was not sent',
    })
    expect(await failed).toMatchObject({ name: 'AbortError' })
    expect(await answer).toBe(2)
  })

  test('`close` rejects all', async () => {
    await using bench = await start()
    const desk = createDesk()
    bench.hub.onRequest('ask', desk.handler)
    const client = bench.client()
    const failures = [1, 2, 3].map((data) => errorOf(client.request('ask', data)))
    await desk.until(3)
    failures.push(errorOf(client.request('ask', 4)))
    await client.close()
    for (const error of await Promise.all(failures)) {
      expect(error).toBeInstanceOf(ConnectError)
      expect(error).toMatchObject({
        retryable: false,
        message: expect.stringContaining('the client is closed'),
      })
    }
    expect(await errorOf(client.request('ask'))).toMatchObject({ name: 'ConnectError', retryable: false })
  })

  test('what is beyond the bound waits its turn, and what is given up meanwhile never runs', async () => {
    await using bench = await start({ maxConcurrentRequests: 2 })
    const desk = createDesk()
    bench.hub.onRequest('ask', desk.handler)
    const heard: unknown[] = []
    const message = createGate()
    bench.hub.onMessage(({ data }) => {
      heard.push(data)
      message.open()
    })
    await using client = bench.client()
    const abort = new AbortController()
    const replies = [1, 2].map((data) => client.request('ask', data))
    const failed = errorOf(client.request('ask', 3, { signal: abort.signal }))
    replies.push(client.request('ask', 4))
    await client.send('chat', 'still heard')
    await within(message.opened, 'the message')
    expect(desk.asked.map(({ data }) => data)).toEqual([1, 2])
    abort.abort()
    await failed
    await client.send('chat', 'behind the abort')
    await expect.poll(() => heard.length).toBe(2)
    desk.asked[1]?.answer('second')
    expect((await desk.until(3)).map(({ data }) => data)).toEqual([1, 2, 4])
    for (const { data, answer } of desk.asked) answer(data)
    expect(await Promise.all(replies)).toEqual([1, 'second', 4])
  })

  test('a peer whose requests fill 64 KiB beyond the bound is read no further until there is room', async () => {
    await using bench = await start({ maxConcurrentRequests: 1 })
    const desk = createDesk()
    bench.hub.onRequest('ask', desk.handler)
    bench.hub.onRequest('sound', () => true)
    const heard: unknown[] = []
    bench.hub.onMessage(({ data }) => heard.push(data))
    await using client = bench.client()
    await using other = bench.client()
    const data = 'x'.repeat(40_000)
    const replies = [1, 2, 3].map(() => client.request('ask', data))
    await desk.until(1)
    void client.send('chat', 'behind')
    // The other's requests go all the way there and back, so the first's have arrived.
    for (let count = 0; count < 20; count += 1) await other.request('sound')
    expect(heard).toEqual([])
    desk.asked[0]?.answer(1)
    await desk.until(2)
    await expect.poll(() => heard).toEqual(['behind'])
    desk.asked[1]?.answer(2)
    await desk.until(3)
    desk.asked[2]?.answer(3)
    expect(await Promise.all(replies)).toEqual([1, 2, 3])
  })

  test('messages keep their order among requests, and neither side takes one for the other', async () => {
    await using bench = await start()
    const heard: unknown[] = []
    bench.hub.onMessage(async ({ event, data }) => {
      await turn()
      heard.push([event, data])
    })
    bench.hub.onRequest('ask', async (data, { peer }) => {
      await peer.send('note', data)
      return data
    })
    await using client = bench.client()
    const notes: unknown[] = []
    const iterated: string[] = []
    client.on('note', (data) => notes.push(data))
    for (const name of ['~reply:1', '~reply:2', '~request:1:ask']) client.on(name, (data) => notes.push(data))
    const iteration = (async () => {
      for await (const { event } of client) iterated.push(event)
    })()
    const replies: Promise<unknown>[] = []
    for (let at = 0; at < 20; at += 1) {
      void client.send('chat', at)
      replies.push(client.request('ask', at))
    }
    const all = Array.from({ length: 20 }, (_, at) => at)
    expect(await Promise.all(replies)).toEqual(all)
    expect(notes).toEqual(all)
    await expect.poll(() => heard).toEqual(all.map((at) => ['chat', at]))
    await client.close()
    await iteration
    expect(new Set(iterated)).toEqual(new Set(['note']))
  })

  test('a handover lets the old link bring the answers that it owes, and then lets go of it', async () => {
    await using bench = await start()
    const desk = createDesk()
    bench.hub.onRequest('ask', desk.handler)
    await using client = bench.client({ channels: ['a'] })
    const news: unknown[] = []
    client.on('b', (data) => news.push(data))
    const replies = [1, 2].map((data) => client.request('ask', data))
    const abort = new AbortController()
    const failed = errorOf(client.request('ask', 3, { signal: abort.signal }))
    const asked = await desk.until(3)
    await client.subscribe('b')
    expect(bench.hub.peers.size).toBe(2)
    asked[0]?.answer('one')
    expect(await replies[0]).toBe('one')
    abort.abort()
    await failed
    // Over the link that has it.
    if (asked[2] !== undefined) await aborted(asked[2].requested.signal)
    const next = client.request('ask', 4)
    await desk.until(4)
    desk.asked[3]?.answer('four')
    expect(await next).toBe('four')
    expect(bench.hub.peers.size).toBe(2)
    asked[1]?.answer('two')
    expect(await replies[1]).toBe('two')
    await expect.poll(() => bench.hub.peers.size).toBe(1)
    await bench.hub.publish('b', 'news')
    await expect.poll(() => news).toEqual(['news'])
  })

  test('an old link that is lost while it owes an answer is a ConnectError, and the new one goes on', async () => {
    await using bench = await start()
    const desk = createDesk()
    bench.hub.onRequest('ask', desk.handler)
    await using client = bench.client({ channels: ['a'] })
    const failed = errorOf(client.request('ask', 1))
    const [asked] = await desk.until(1)
    await client.subscribe('b')
    asked?.requested.peer.close({ code: 4001, reason: 'bye' })
    expect(await failed).toMatchObject({ name: 'ConnectError', retryable: true, closeCode: 4001 })
    expect(client.state).toBe('open')
    const answer = client.request('ask', 2)
    const [, next] = await desk.until(2)
    next?.answer('two')
    expect(await answer).toBe('two')
  })

  test('more than a thousand requests that wait for their answers are refused', async () => {
    await using bench = await start({ maxMessagesPerSecond: 10_000 })
    const gate = createGate()
    bench.hub.onRequest('ask', async (data) => {
      await gate.opened
      return data
    })
    await using client = bench.client()
    const replies = Array.from({ length: 1_000 }, (_, at) => client.request('ask', at))
    expect(await errorOf(client.request('ask'))).toMatchObject({
      name: 'ConnectError',
      retryable: true,
      message: '1000 requests wait for their answers already; await some of them',
    })
    gate.open()
    expect((await Promise.all(replies)).at(-1)).toBe(999)
    expect(await client.request('ask', 'again')).toBe('again')
  })

  test('what cannot cross is refused before it does', async () => {
    await using bench = await start()
    await using client = bench.client()
    for (const name of ['', '~x', 'a\nb', 'x'.repeat(201)]) {
      expect(await errorOf(client.request(name))).toBeInstanceOf(TypeError)
      expect(() => bench.hub.onRequest(name, () => 1)).toThrow(TypeError)
    }
    for (const timeoutMs of [-1, Number.NaN, 2 ** 31]) {
      expect(await errorOf(client.request('ask', 1, { timeoutMs }))).toBeInstanceOf(TypeError)
    }
    expect(await errorOf(client.request('ask', 1n))).toBeInstanceOf(TypeError)
    bench.hub.onRequest('ask', () => 1)
    expect(() => bench.hub.onRequest('ask', () => 2)).toThrow('have a handler')
    await expect(client.send('~request:1:ask', 1)).rejects.toThrow(TypeError)
    expect(bench.hub.stats().requests).toBe(0)
  })

  test('requests count as messages where they are limited', async () => {
    await using bench = await start({ maxMessagesPerSecond: 3, maxDepth: 4 })
    bench.hub.onRequest('ask', () => 1)
    await using client = bench.client({ reconnect: false })
    const settled = await Promise.allSettled([1, 2, 3, 4].map((data) => client.request('ask', data)))
    expect(settled.at(-1)).toMatchObject({ status: 'rejected', reason: { name: 'ConnectError' } })
    expect(await client.closed).toMatchObject({ code: 4029 })
    await using deep = bench.client()
    void deep.request('ask', [[[[[]]]]]).catch(() => undefined)
    expect(await deep.closed).toMatchObject({ code: 1007 })
  })

  test('among lost links and handovers each request settles, and runs once at most', {
    timeout: 60_000,
  }, async () => {
    await using bench = await start({ maxMessagesPerSecond: 100_000 })
    const random = seeded(7)
    const runs = new Map<unknown, number>()
    bench.hub.onRequest<number>('ask', async (data) => {
      runs.set(data, (runs.get(data) ?? 0) + 1)
      for (let turns = random() * 6; turns > 1; turns -= 1) await turn()
      return data
    })
    await using client = bench.client({ channels: ['a'] })
    const outcomes: Promise<'answered' | 'lost'>[] = []
    for (let at = 0; at < 200; at += 1) {
      outcomes.push(
        client.request('ask', at).then(
          (data) => {
            expect(data).toBe(at)
            expect(runs.get(at)).toBe(1)
            return 'answered' as const
          },
          (error: unknown) => {
            expect(error).toMatchObject({ name: 'ConnectError', retryable: true })
            return 'lost' as const
          },
        ),
      )
      if (random() < 0.05) bench.cut()
      if (random() < 0.05) void client.subscribe(`b${at}`).catch(() => undefined)
      if (random() < 0.5) await turn()
      if (at % 40 === 39) await outcomes.at(-1)
    }
    const settled = await within(Promise.all(outcomes), 'every outcome', 40_000)
    expect([...runs.values()].filter((count) => count !== 1)).toEqual([])
    expect(settled).toContain('answered')
    expect(settled).toContain('lost')
  })
})

test('a client that changes to a one-way transport gets the answers that it waits for, and asks no more', async () => {
  await using bench = await startHub()
  const desk = createDesk()
  bench.hub.onRequest('ask', desk.handler)
  await using client = connect(`${bench.origin}/live`, { transport: 'ws', channels: ['a'] })
  const { request } = client
  const answer = client.request('ask', 1)
  const [asked] = await desk.until(1)
  const listener = await client.switchTo('sse')
  expect('request' in listener).toBe(false)
  expect(await errorOf(request('ask', 2))).toMatchObject({ name: 'ConnectError', retryable: false })
  asked?.answer('one')
  expect(await answer).toBe('one')
  await expect.poll(() => [...bench.hub.peers].map(({ direction }) => direction)).toEqual(['one-way'])
  const talker = await listener.switchTo('ws')
  const again = talker.request('ask', 3)
  const [, next] = await desk.until(2)
  next?.answer('three')
  expect(await again).toBe('three')
})

test('over a plain link a request is refused, as it has no name there', async () => {
  await using bench = await startHub()
  await using client = connect(`${bench.origin}/live`, { transport: ws({ plain: true }) })
  const error = await errorOf(client.request('ask', 1))
  expect(error).toBeInstanceOf(TypeError)
  expect(error).toMatchObject({ message: expect.stringContaining('a plain WebSocket carries data only') })
})
