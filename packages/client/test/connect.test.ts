import { getEventListeners } from 'node:events'
import { type Client, ConnectError, connect, type Gap, type State, type Transport } from '@eitherway/client'
import type { Frame } from '@eitherway/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createBench, nextCall, write } from './bench.ts'

const url = 'http://test/live'

/** Fake time for what the client waits; everything else goes on as ever. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const stateOf = (client: Client, state: State): Promise<void> =>
  new Promise((resolve) => {
    if (client.state === state) return resolve()
    const off = client.onState((now) => {
      if (now !== state) return
      off()
      resolve()
    })
  })

describe('hearing', () => {
  test('a handler that is added in the turn of `connect` misses nothing', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const { called, call } = nextCall()
    client.on('prices', (data, message) => call([data, message]))
    write(await accepted(), 'prices', { EURUSD: 1.08 }, 'e-1')
    expect(await called).toEqual([{ EURUSD: 1.08 }, { id: 'e-1', event: 'prices', data: { EURUSD: 1.08 } }])
    expect(client.lastEventId).toBe('e-1')
    await client.close()
  })

  test('each handler hears its own event, in the order they were added, until it is taken off', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const heard: string[] = []
    client.on('a', (data) => heard.push(`first ${data}`))
    const off = client.on('a', (data) => heard.push(`second ${data}`))
    client.on('b', (data) => heard.push(`other ${data}`))
    const { called, call } = nextCall()
    client.on('end', call)
    const server = await accepted()
    write(server, 'a', 1)
    write(server, 'b', 2)
    await new Promise<void>((resolve) => client.on('b', () => resolve()))
    off()
    write(server, 'a', 3)
    write(server, 'end', 0)
    await called
    expect(heard).toEqual(['first 1', 'second 1', 'other 2', 'first 3'])
    await client.close()
  })

  test('events named like parts of an object are events like any other', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const heard: unknown[] = []
    for (const event of ['__proto__', 'constructor', 'toString'])
      client.on(event, (data) => heard.push([event, data]))
    const { called, call } = nextCall()
    client.on('end', call)
    const server = await accepted()
    write(server, '__proto__', 1)
    write(server, 'constructor', 2)
    write(server, 'hasOwnProperty', 3)
    write(server, 'end', 0)
    await called
    expect(heard).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ])
    await client.close()
  })

  test('a handler that is no function is refused where it is given', async () => {
    const client = connect(url, { transport: createBench('one-way').transport })
    const message = '`handler` must be a function, got undefined'
    expect(() => client.on('a', undefined as never)).toThrow(message)
    expect(() => client.onState(undefined as never)).toThrow(message)
    expect(() => client.onGap(undefined as never)).toThrow(message)
    await client.close()
  })

  test('a handler that throws is told and ends nothing', async () => {
    const { transport, accepted } = createBench('one-way')
    const errors: unknown[] = []
    const client = connect(url, { transport, onError: (error) => errors.push(error) })
    const fault = new Error('mine')
    client.on('a', () => {
      throw fault
    })
    const { called, call } = nextCall()
    client.on('a', call)
    write(await accepted(), 'a', 1)
    expect(await called).toBe(1)
    expect(errors).toEqual([fault])
    await client.close()
  })

  test('a handler whose promise fails is told and ends nothing', async () => {
    const { transport, accepted } = createBench('one-way')
    const { called, call } = nextCall<unknown>()
    const client = connect(url, { transport, onError: call })
    const fault = new Error('mine')
    client.on('a', () => Promise.reject(fault))
    write(await accepted(), 'a', 1)
    expect(await called).toBe(fault)
    await client.close()
  })

  test('data that is not of the format is told and left out; what follows arrives', async () => {
    const { transport, accepted } = createBench('one-way')
    const errors: Error[] = []
    const client = connect(url, { transport, onError: (error) => errors.push(error as Error) })
    const { called, call } = nextCall()
    client.on('a', call)
    const server = await accepted()
    server.write(
      server.encoder.encode({ type: 'message', message: { id: 'e-1', event: 'a', data: 'Message 1' } }),
    )
    write(server, 'a', 2, 'e-2')
    expect(await called).toBe(2)
    expect(errors.map(({ message }) => message)).toEqual([
      'a message of event "a" was left out: what came is not JSON (9 bytes); both sides must name the same `format`, \'text\' for plain text',
    ])
    await client.close()
  })

  test('what waited for a message goes on before the next one is heard, also when both came at once', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const heard: unknown[] = []
    const { called, call } = nextCall()
    const listening = new Promise((resolve) => client.on('first', resolve)).then(() => {
      client.on('second', (data) => call(heard.push(data)))
    })
    const server = await accepted()
    write(server, 'first', 1)
    write(server, 'second', 2)
    write(server, 'second', 3)
    await listening
    await called
    expect(heard[0]).toBe(2)
    await client.close()
  })

  test('after `close` in a handler nothing more reaches any handler, even of what has arrived', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const heard: unknown[] = []
    client.on('a', (data) => {
      heard.push(data)
      if (data === 2) void client.close()
    })
    client.on('a', (data) => heard.push(`second ${data}`))
    const server = await accepted()
    for (const data of [1, 2, 3]) write(server, 'a', data)
    await client.closed
    expect(heard).toEqual([1, 'second 1', 2])
  })

  test('a gap is heard', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const { called, call } = nextCall<Gap>()
    client.onGap(call)
    const server = await accepted()
    const gap: Gap = { reason: 'evicted', channels: ['prices'] }
    server.write(server.encoder.encode({ type: 'gap', id: 'e-9', gap }))
    expect(await called).toEqual(gap)
    expect(client.lastEventId).toBe('e-9')
    await client.close()
  })
})

describe('iterating', () => {
  test('gives the same messages as the handlers, and ends with the client', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const read = (async () => {
      const all: unknown[] = []
      for await (const { event, data } of client) all.push([event, data])
      return all
    })()
    const { called, call } = nextCall()
    client.on('b', call)
    const server = await accepted()
    write(server, 'a', 1)
    write(server, 'b', 2)
    await called
    await client.close()
    expect(await read).toEqual([
      ['a', 1],
      ['b', 2],
    ])
  })

  test('goes on over a lost link', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const iterator = client[Symbol.asyncIterator]()
    const first = await accepted()
    write(first, 'a', 1, 'e-1')
    expect((await iterator.next()).value).toMatchObject({ data: 1 })
    first.close({ code: 1012, reason: 'restart' })
    await stateOf(client, 'waiting')
    vi.advanceTimersByTime(1_000)
    const second = await accepted()
    expect(second.lastEventId).toBe('e-1')
    write(second, 'a', 2, 'e-2')
    expect((await iterator.next()).value).toMatchObject({ data: 2 })
    await client.close()
  })

  test('that is left behind ends with an error, and disturbs nobody else', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, maxQueuedBytes: 1_000 })
    const slow = client[Symbol.asyncIterator]()
    const { called, call } = nextCall()
    client.on('end', call)
    const server = await accepted()
    for (let at = 0; at < 20; at += 1) write(server, 'a', 'x'.repeat(100))
    write(server, 'end', 0)
    await called
    await expect(
      (async () => {
        while (!(await slow.next()).done);
      })(),
    ).rejects.toThrow('an iteration was left behind: more than 1000 bytes wait to be read')
    expect(client.state).toBe('open')
    await client.close()
  })

  test('that awaits much for each message is not left behind by many that come at once', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, maxQueuedBytes: 10_000 })
    const heard: unknown[] = []
    const reading = (async () => {
      for await (const { data } of client) {
        for (let turns = 0; turns < 20; turns += 1) await undefined
        heard.push(data)
      }
    })()
    const server = await accepted()
    for (let at = 0; at < 1000; at += 1) write(server, 'prices', at)
    server.close({ code: 1000, reason: '' })
    // Not by the client, whose end would not wait for its readers either.
    await client.closed
    await reading
    expect(heard).toEqual(Array.from({ length: 1000 }, (_, at) => at))
  })

  test('that is left early costs nothing any more', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, maxQueuedBytes: 1_000 })
    const errors: unknown[] = []
    const reading = (async () => {
      for await (const _ of client) break
    })()
    const server = await accepted()
    write(server, 'a', 1)
    await reading
    const { called, call } = nextCall()
    client.on('end', call)
    for (let at = 0; at < 20; at += 1) write(server, 'a', 'x'.repeat(100))
    write(server, 'end', 0)
    await called
    expect(errors).toEqual([])
    await client.close()
  })

  test('a closed client ends at once', async () => {
    const client = connect(url, { transport: createBench('one-way').transport })
    await client.close()
    expect((await client[Symbol.asyncIterator]().next()).done).toBe(true)
  })
})

describe('coming back', () => {
  test('the states follow one another, each with the reason of the last loss', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const states: unknown[] = []
    client.onState((state, reason) => states.push([state, reason?.code]))
    expect(client.state).toBe('connecting')
    const first = await accepted()
    await stateOf(client, 'open')
    first.close({ code: 1012, reason: 'restart' })
    await stateOf(client, 'waiting')
    vi.advanceTimersByTime(1_000)
    await accepted()
    await stateOf(client, 'open')
    await client.close()
    expect(states).toEqual([
      ['open', undefined],
      ['waiting', 1012],
      ['connecting', 1012],
      ['open', undefined],
      ['closed', 1000],
    ])
  })

  test('a close that is final is the end', async () => {
    const { transport, accepted, ...bench } = createBench('one-way')
    const client = connect(url, { transport })
    const server = await accepted()
    server.close({ code: 4503, reason: 'not yours' })
    expect(await client.closed).toEqual({ code: 4503, reason: 'not yours' })
    expect(client.state).toBe('closed')
    vi.advanceTimersByTime(600_000)
    expect(bench.links).toBe(0)
  })

  test('without `reconnect` the first lost link is the end', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, reconnect: false })
    const server = await accepted()
    server.close({ code: 1012, reason: 'restart' })
    expect(await client.closed).toEqual({ code: 1012, reason: 'restart' })
  })

  test('a refusal that may pass is waited out, one that may not is the end', async () => {
    const refusals = [
      new ConnectError('busy', { retryable: true, closeCode: 4103, retryAfterMs: 5_000 }),
      new ConnectError('forbidden', { retryable: false, closeCode: 4503 }),
    ]
    let tries = 0
    const transport: Transport<'one-way'> = {
      name: 'refusing',
      direction: 'one-way',
      async connect() {
        tries += 1
        throw refusals.shift() as ConnectError
      },
    }
    const client = connect(url, { transport })
    await stateOf(client, 'waiting')
    vi.advanceTimersByTime(4_999)
    expect(client.state).toBe('waiting')
    vi.advanceTimersByTime(1_000)
    expect(await client.closed).toEqual({ code: 4503, reason: 'forbidden' })
    expect(tries).toBe(2)
  })

  test('what is neither the network nor the server is the end, with its message', async () => {
    const transport: Transport<'one-way'> = {
      name: 'broken',
      direction: 'one-way',
      connect: () => Promise.reject(new TypeError('a fault of the program')),
    }
    expect(await connect(url, { transport }).closed).toEqual({ code: 1002, reason: 'a fault of the program' })
  })

  test('a link that never opens is given up, and what comes of it later changes nothing', async () => {
    const bench = createBench('one-way')
    let release: () => void = () => {}
    let aborted = false
    let tries = 0
    const transport: Transport<'one-way'> = {
      name: 'slow',
      direction: 'one-way',
      async connect(to, options) {
        tries += 1
        if (tries === 1) {
          options.signal.addEventListener('abort', () => {
            aborted = true
          })
          await new Promise<void>((resolve) => {
            release = resolve
          })
          return bench.transport.connect(to, { ...options, signal: new AbortController().signal })
        }
        return bench.transport.connect(to, options)
      },
    }
    const client = connect(url, { transport, connectMs: 3_000 })
    vi.advanceTimersByTime(0)
    await vi.waitFor(() => expect(tries).toBe(1))
    vi.advanceTimersByTime(3_000)
    expect(client.state).toBe('waiting')
    expect(aborted).toBe(true)
    vi.advanceTimersByTime(1_000)
    const current = await bench.accepted()
    await stateOf(client, 'open')
    release()
    const late = await bench.accepted()
    await late.closed
    const { called, call } = nextCall()
    client.on('a', call)
    write(current, 'a', 'of the current link')
    expect(await called).toBe('of the current link')
    expect(client.state).toBe('open')
    await client.close()
  })

  test('a link that is silent for too long is made again', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const server = await accepted()
    const { called, call } = nextCall()
    client.on('a', call)
    server.write(server.encoder.encode({ type: 'hello', id: 'e-1', heartbeatMs: 20_000 }))
    write(server, 'a', 1, 'e-2')
    await called
    vi.advanceTimersByTime(29_999)
    expect(client.state).toBe('open')
    vi.advanceTimersByTime(2)
    expect(client.state).toBe('waiting')
    expect((await server.closed).code).toBe(4000)
    vi.advanceTimersByTime(1_000)
    expect((await accepted()).lastEventId).toBe('e-2')
    await client.close()
  })

  test('heartbeats keep a silent link', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, silenceMs: 10_000 })
    const server = await accepted()
    const heard = () => new Promise<void>((resolve) => setImmediate(resolve))
    await stateOf(client, 'open')
    for (let beat = 0; beat < 10; beat += 1) {
      vi.advanceTimersByTime(9_000)
      server.write(server.encoder.encode({ type: 'heartbeat' }))
      await heard()
    }
    expect(client.state).toBe('open')
    await client.close()
  })
})

describe('a second link', () => {
  const hello = (server: Awaited<ReturnType<ReturnType<typeof createBench>['accepted']>>, id: string) =>
    server.write(server.encoder.encode({ type: 'hello', id, heartbeatMs: 0 }))

  test('takes over once it has brought a frame; what both bring is heard once', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, channels: ['a'] })
    const heard: unknown[] = []
    client.on('a', (data) => heard.push(data))
    const { called, call } = nextCall()
    client.on('end', call)
    const first = await accepted()
    hello(first, 'e-0')
    write(first, 'a', 1, 'e-1')
    await vi.waitFor(() => expect(client.lastEventId).toBe('e-1'))
    const subscribing = client.subscribe('b')
    const second = await accepted()
    expect([second.lastEventId, second.url.searchParams.getAll('channel')]).toEqual(['e-1', ['a', 'b']])
    write(first, 'a', 2, 'e-2')
    write(first, 'a', 3, 'e-3')
    await vi.waitFor(() => expect(heard).toEqual([1, 2, 3]))
    hello(second, 'e-1')
    await subscribing
    expect((await first.closed).code).toBe(1000)
    write(second, 'a', 2, 'e-2')
    expect(client.state).toBe('open')
    await vi.waitFor(() => expect(client.lastEventId).toBe('e-2'))
    write(second, 'a', 3, 'e-3')
    write(second, 'a', 4, 'e-4')
    write(second, 'end', 0)
    await called
    expect(heard).toEqual([1, 2, 3, 4])
    await client.close()
  })

  test('that is cut while it catches up is followed by one from the same place', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, channels: ['a'] })
    const heard: unknown[] = []
    client.on('a', (data) => heard.push(data))
    const first = await accepted()
    hello(first, 'e-0')
    await vi.waitFor(() => expect(client.lastEventId).toBe('e-0'))
    const subscribing = client.subscribe('b')
    const second = await accepted()
    for (const at of [1, 2, 3]) write(first, 'a', at, `e-${at}`)
    await vi.waitFor(() => expect(heard).toEqual([1, 2, 3]))
    hello(second, 'e-0')
    await subscribing
    write(second, 'a', 1, 'e-1')
    await vi.waitFor(() => expect(client.lastEventId).toBe('e-1'))
    second.close({ code: 1012, reason: '' })
    await stateOf(client, 'waiting')
    vi.advanceTimersByTime(1_000)
    const third = await accepted()
    expect(third.lastEventId).toBe('e-1')
    for (const at of [2, 3, 4]) write(third, 'a', at, `e-${at}`)
    await vi.waitFor(() => expect(heard).toEqual([1, 2, 3, 4]))
    await client.close()
  })

  test('that is refused leaves the client as it was', async () => {
    const { transport, accepted } = createBench('one-way')
    let refuse = false
    const gate: typeof transport = {
      ...transport,
      connect(to, options) {
        if (refuse) throw new ConnectError('not for you', { retryable: false, closeCode: 4503 })
        return transport.connect(to, options)
      },
    }
    const client = connect(url, { transport: gate, channels: ['a'] })
    hello(await accepted(), 'e-0')
    await vi.waitFor(() => expect(client.lastEventId).toBe('e-0'))
    refuse = true
    await expect(client.subscribe('secret')).rejects.toThrow('not for you')
    expect([client.state, client.channels]).toEqual(['open', ['a']])
    refuse = false
    const turnedAway = client.subscribe('b')
    const second = await accepted()
    second.write(second.encoder.encode({ type: 'retry', retryMs: 1_000 }))
    second.close({ code: 4503, reason: 'nor you' })
    await expect(turnedAway).rejects.toThrow('the link ended before it brought anything (4503 nor you)')
    expect([client.state, client.channels]).toEqual(['open', ['a']])
    await client.close()
  })

  test('before the first has brought a frame takes its place, so that no hole opens between them', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, channels: ['a'] })
    const first = await accepted()
    const subscribing = client.subscribe('b')
    const second = await accepted()
    expect((await first.closed).code).toBe(1000)
    hello(second, 'e-5')
    await subscribing
    expect([client.state, client.lastEventId]).toEqual(['open', 'e-5'])
    await client.close()
  })

  test('is not called open before its greeting, from which on nothing is lost: it may be cut before', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, channels: ['a'] })
    const states: State[] = []
    client.onState((state) => states.push(state))
    const first = await accepted()
    first.write(first.encoder.encode({ type: 'heartbeat' }))
    first.close({ code: 1001, reason: 'cut' })
    await stateOf(client, 'waiting')
    await vi.advanceTimersByTimeAsync(1000)
    const second = await accepted()
    hello(second, 'e-5')
    await stateOf(client, 'open')
    expect(client.lastEventId).toBe('e-5')
    expect(states).toEqual(['waiting', 'connecting', 'open'])
    await client.close()
  })

  test('goes with a client that closes for good meanwhile', async () => {
    for (const how of ['application', 'server'] as const) {
      const { transport, accepted } = createBench('one-way')
      const client = connect(url, { transport, channels: ['a'] })
      const first = await accepted()
      hello(first, 'e-0')
      await vi.waitFor(() => expect(client.lastEventId).toBe('e-0'))
      const subscribing = client.subscribe('b')
      const second = await accepted()
      const outcome = expect(subscribing, how).rejects.toThrow(ConnectError)
      if (how === 'application') void client.close()
      else first.close({ code: 4503, reason: 'out' })
      await outcome
      expect((await second.closed).code, how).toBe(1000)
      expect(client.state, how).toBe('closed')
      expect(vi.getTimerCount(), how).toBe(0)
    }
  })

  test('is given up when the first is told of a gap: it would bring what was left out, behind what is newer', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, channels: ['a'] })
    const first = await accepted()
    hello(first, 'e-0')
    await vi.waitFor(() => expect(client.lastEventId).toBe('e-0'))
    const subscribing = client.subscribe('b')
    const second = await accepted()
    const outcome = expect(subscribing).rejects.toThrow(ConnectError)
    first.write(first.encoder.encode({ type: 'gap', id: 'e-9', gap: { reason: 'slow', channels: ['a'] } }))
    await outcome
    await second.closed
    expect([client.state, client.lastEventId, client.channels]).toEqual(['open', 'e-9', ['a']])
    await client.close()
  })

  test('after a gap is asked for only when what follows it has ended in a position', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, channels: ['a', 'b'] })
    const first = await accepted()
    hello(first, '')
    first.write(first.encoder.encode({ type: 'gap', id: '', gap: { reason: 'evicted', channels: ['b'] } }))
    write(first, 'a', 1, 'e-5')
    await vi.waitFor(() => expect(client.lastEventId).toBe('e-5'))
    const subscribing = client.subscribe('c')
    const asked = accepted()
    first.write(first.encoder.encode({ type: 'position', id: 'e-8' }))
    const second = await asked
    expect(second.lastEventId).toBe('e-8')
    hello(second, 'e-8')
    await subscribing
    await client.close()
  })

  test('waits no longer than a link may take for a position that a server owes after a gap', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, channels: ['a', 'b'], connectMs: 3_000 })
    const first = await accepted()
    hello(first, '')
    first.write(first.encoder.encode({ type: 'gap', id: '', gap: { reason: 'evicted', channels: ['b'] } }))
    write(first, 'a', 1, 'e-5')
    await vi.waitFor(() => expect(client.lastEventId).toBe('e-5'))
    const subscribing = client.subscribe('c')
    await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(3_000)
    hello(await accepted(), 'e-5')
    await subscribing
    expect(client.channels).toEqual(['a', 'b', 'c'])
    await client.close()
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each([
    ['a frame', [], []],
    ['a whole frame', [{ type: 'heartbeat', partial: true }], []],
    ['a greeting', [{ type: 'heartbeat' }], ['a']],
  ] as const)('that never brings %s is given up', async (_, frames, channels) => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport, channels, connectMs: 3_000 })
    hello(await accepted(), 'e-0')
    await vi.waitFor(() => expect(client.lastEventId).toBe('e-0'))
    const mute: Transport<'one-way'> = {
      ...transport,
      name: 'mute',
      async connect(at, options) {
        const connection = await transport.connect(at, options)
        async function* all(): AsyncGenerator<Frame> {
          yield* frames
          yield* connection
        }
        return { ...connection, [Symbol.asyncIterator]: all }
      },
    }
    const switching = client.switchTo(mute)
    const second = await accepted()
    const outcome = expect(switching).rejects.toThrow(ConnectError)
    vi.advanceTimersByTime(3_000)
    await outcome
    await second.closed
    expect([client.state, client.transport]).toEqual(['open', 'linked'])
    await client.close()
  })
})

describe('ending', () => {
  test('`close` fulfils with the reason, `closed` never rejects, and both may be asked again', async () => {
    const { transport, accepted } = createBench('one-way')
    const client = connect(url, { transport })
    const server = await accepted()
    expect(await client.close({ code: 4001, reason: 'mine' })).toEqual({ code: 4001, reason: 'mine' })
    expect(await client.close()).toEqual({ code: 4001, reason: 'mine' })
    expect(await client.closed).toEqual({ code: 4001, reason: 'mine' })
    expect(await server.closed).toEqual({ code: 4001, reason: 'mine' })
  })

  test('a close that may not be sent is refused, and the client lives on', async () => {
    const client = connect(url, { transport: createBench('one-way').transport })
    expect(() => client.close({ code: 1006, reason: '' })).toThrow(TypeError)
    expect(client.state).toBe('connecting')
    await client.close()
  })

  test('at the end of its block an `await using` client closes', async () => {
    const { transport, accepted } = createBench('one-way')
    let ended: Promise<unknown>
    {
      await using client = connect(url, { transport })
      ended = client.closed
      await accepted()
    }
    expect(await ended).toEqual({ code: 1000, reason: '' })
  })

  test('a signal closes the client, at every point of its life', async () => {
    for (const when of ['before', 'connecting', 'open', 'waiting'] as const) {
      const { transport, accepted } = createBench('one-way')
      const abort = new AbortController()
      if (when === 'before') abort.abort()
      const client = connect(url, { transport, signal: abort.signal })
      if (when === 'open' || when === 'waiting') {
        const server = await accepted()
        await stateOf(client, 'open')
        if (when === 'waiting') {
          server.close({ code: 1012, reason: '' })
          await stateOf(client, 'waiting')
        }
      }
      abort.abort()
      expect(await client.closed, when).toEqual({ code: 1000, reason: 'aborted' })
      expect(getEventListeners(abort.signal, 'abort'), when).toEqual([])
      expect(vi.getTimerCount(), when).toBe(0)
    }
  })
})

describe('sending', () => {
  test('a one-way client has no `send`', () => {
    const client = connect(url, { transport: createBench('one-way').transport })
    expect('send' in client).toBe(false)
    expect(client.direction).toBe('one-way')
    return client.close()
  })

  test('messages leave in the order of their calls, also those from before the link', async () => {
    const { transport, accepted } = createBench('two-way')
    const client = connect(url, { transport })
    const sends = [client.send('a', 1), client.send('b', new Uint8Array([1])), client.send('c', { x: 'ü' })]
    const server = await accepted()
    await Promise.all(sends)
    if (server.direction !== 'two-way') throw new Error('one-way')
    const iterator = server.messages[Symbol.asyncIterator]()
    expect((await iterator.next()).value).toEqual({ id: '', event: 'a', data: '1' })
    expect((await iterator.next()).value).toEqual({ id: '', event: 'b', data: new Uint8Array([1]) })
    expect((await iterator.next()).value).toEqual({ id: '', event: 'c', data: '{"x":"ü"}' })
    await client.close()
  })

  test('a send while there is no link leaves over the next one', async () => {
    const { transport, accepted } = createBench('two-way')
    const client = connect(url, { transport })
    const first = await accepted()
    await stateOf(client, 'open')
    first.close({ code: 1012, reason: 'restart' })
    const sending = client.send('a', 1)
    await stateOf(client, 'waiting')
    vi.advanceTimersByTime(1_000)
    const second = await accepted()
    await sending
    if (second.direction !== 'two-way') throw new Error('one-way')
    expect((await second.messages[Symbol.asyncIterator]().next()).value).toMatchObject({ event: 'a' })
    await client.close()
  })

  test.each([
    ['a name that could forge a field', 'a\nb', 1, '`event` must not contain CR, LF or NUL'],
    ['a name of the protocol', '~close', 1, '`event` must not start with "~"'],
    ['data without a form', 'a', undefined, 'undefined cannot be written as JSON'],
  ])('%s is refused', async (_, event, data, message) => {
    const client = connect(url, { transport: createBench('two-way').transport })
    await expect(client.send(event, data)).rejects.toThrow(TypeError)
    await expect(client.send(event, data)).rejects.toThrow(message)
    await client.close()
  })

  test('a setting that is misspelt is refused', async () => {
    const client = connect(url, { transport: createBench('two-way').transport })
    const settings = { timeout: 5_000 } as never
    await expect(client.send('a', 1, settings)).rejects.toThrow(
      '`send` has no option "timeout"; it has `signal`',
    )
    await expect(client.request('a', 1, settings)).rejects.toThrow('`request` has no option "timeout"')
    await client.close()
  })

  test('a signal takes back what has not left yet', async () => {
    const client = connect(url, { transport: createBench('two-way').transport })
    const abort = new AbortController()
    const sending = client.send('a', 1, { signal: abort.signal })
    const reason = new Error('never mind')
    abort.abort(reason)
    await expect(sending).rejects.toBe(reason)
    await expect(client.send('a', 1, { signal: abort.signal })).rejects.toBe(reason)
    await client.close()
  })

  test('what waits is bounded', async () => {
    const client = connect(url, { transport: createBench('two-way').transport, maxQueuedBytes: 1_000 })
    // 100 bytes of data, and 65 for the event and the place in line.
    const sends = Array.from({ length: 6 }, () => client.send('a', 'x'.repeat(98)))
    const outcomes = Promise.allSettled([...sends, client.send('a', 'x'.repeat(98))])
    await client.close()
    const errors = (await outcomes).map((outcome) =>
      outcome.status === 'rejected' ? outcome.reason.message : '',
    )
    expect(errors.at(-1)).toBe(
      '990 bytes wait to be sent already; await each `send`, or raise `maxQueuedBytes`',
    )
    expect(errors.at(0)).toBe('the client is closed (1000); the message was not sent')
  })

  test('a closed client refuses', async () => {
    const client = connect(url, { transport: createBench('two-way').transport })
    await client.close({ code: 4000, reason: 'enough' })
    await expect(client.send('a', 1)).rejects.toThrow(ConnectError)
    await expect(client.send('a', 1)).rejects.toThrow(
      'the client is closed (4000 enough); the message was not sent',
    )
  })
})

describe('misuse', () => {
  const { transport } = createBench('one-way')
  const wrong: readonly (readonly [string, () => unknown, string])[] = [
    [
      'an unknown transport',
      () => connect(url, { transport: 'tcp' as 'ws' }),
      "`transport` must be 'sse', 'sse+post', 'ws', 'auto' or a Transport, got \"tcp\"",
    ],
    [
      'no transport',
      () => connect(url, {} as { transport: 'ws' }),
      "`transport` must be 'sse', 'sse+post', 'ws', 'auto' or a Transport, got undefined",
    ],
    [
      'a transport named like a part of an object',
      () => connect(url, { transport: 'toString' as 'ws' }),
      'got "toString"',
    ],
    [
      'a value that is no transport',
      () => connect(url, { transport: { name: 'x' } as unknown as 'ws' }),
      'got Object',
    ],
    [
      'a relative URL outside a page',
      () => connect('/live', { transport }),
      '"/live" is no URL; outside a page it must be absolute',
    ],
    [
      'a URL of another scheme',
      () => connect('ftp://host/x', { transport }),
      'the URL must start with http:, https:, ws: or wss:, got "ftp://host"',
    ],
    [
      'a URL with a password',
      () => connect('http://u:p@host/x', { transport }),
      'must not hold a user name or password',
    ],
    [
      'a channel with a line feed',
      () => connect(url, { transport, channels: ['a\nb'] }),
      '`channel` must not contain CR, LF or NUL',
    ],
    [
      'an option that is misspelt, before what is missing for it',
      () => connect(url, { transpot: 'sse' } as never),
      '`connect` has no option "transpot"',
    ],
    [
      'settings of the return',
      () => connect(url, { transport, reconnect: { minMs: 5 } as never }),
      '`reconnect` must be true or false, got Object',
    ],
    [
      'a controller for its signal',
      () => connect(url, { transport, signal: new AbortController() as never }),
      '`signal` must be an AbortSignal, got AbortController',
    ],
    ['an unknown format', () => connect(url, { transport, format: 'yaml' as 'json' }), '`format` must be'],
    [
      'a negative time',
      () => connect(url, { transport, connectMs: -1 }),
      '`connectMs` must be a number from 0',
    ],
    [
      'a time that is no number',
      () => connect(url, { transport, silenceMs: Number.NaN }),
      '`silenceMs` must be',
    ],
  ]
  test.each(wrong)('%s is refused at once', (_, run, message) => {
    expect(run).toThrow(TypeError)
    expect(run).toThrow(message)
  })
})
