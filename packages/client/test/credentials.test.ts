import { getEventListeners } from 'node:events'
import {
  type Client,
  type ClientOptions,
  ConnectError,
  connect,
  type State,
  type Transport,
} from '@eitherway/client'
import type { ServerConnection } from '@eitherway/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createBench, write } from './bench.ts'

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

/** The wait is over, which is at most 1 s after a first loss and 1.5 s after a second. */
const afterWait = (ms = 1_000) => vi.advanceTimersByTime(ms)

const hello = (server: ServerConnection, id = 'e-0') =>
  server.write(server.encoder.encode({ type: 'hello', id, heartbeatMs: 0 }))

const turnedAway = { code: 4501, reason: 'say who you are' }
const expired = { code: 4010, reason: 'expired' }

type Ask = NonNullable<ClientOptions['token']>

interface Setup {
  readonly client: Client
  readonly accepted: () => Promise<ServerConnection>
  /** What the application was asked, in order. */
  readonly asked: boolean[]
  readonly errors: unknown[]
  readonly states: unknown[]
  readonly links: () => number
}

/** A client whose tokens are counted: `t1`, `t2` … each a new one, where the application does not say otherwise. */
function start(given: Partial<ClientOptions> = {}, ask: Ask = () => `t${asked.length}`): Setup {
  const bench = createBench('one-way')
  const errors: unknown[] = []
  const states: unknown[] = []
  const client = connect(url, {
    transport: bench.transport,
    onError: (error) => errors.push(error),
    ...given,
    token(options) {
      asked.push(options.renew)
      return ask(options)
    },
  })
  client.onState((state, close) => states.push([state, close?.code]))
  return { client, accepted: bench.accepted, asked, errors, states, links: () => bench.links }
}
let asked: boolean[]
beforeEach(() => {
  asked = []
})

describe('a token is asked for', () => {
  test('each link, and shown to the server', async () => {
    const { client, accepted } = start({ channels: ['a'] })
    const first = await accepted()
    expect(first.token).toBe('t1')
    hello(first)
    await stateOf(client, 'open')
    first.close({ code: 1012, reason: '' })
    await stateOf(client, 'waiting')
    afterWait()
    const second = await accepted()
    hello(second)
    await stateOf(client, 'open')
    const subscribing = client.subscribe('b')
    const third = await accepted()
    hello(third)
    await subscribing
    const other = createBench('one-way')
    const switching = client.switchTo(other.transport)
    const fourth = await other.accepted()
    hello(fourth)
    await switching
    expect([second.token, third.token, fourth.token]).toEqual(['t2', 't3', 't4'])
    expect(asked).toEqual([false, false, false, false])
    await client.close()
  })

  test('and may be none', async () => {
    const { client, accepted } = start({}, () => undefined)
    expect((await accepted()).token).toBeUndefined()
    await client.close()
  })

  test('with a function only', () => {
    const options = { transport: createBench('one-way').transport, token: 'secret' as never }
    expect(() => connect(url, options)).toThrow('`token` must be a function, got string')
  })
})

describe('a token is renewed', () => {
  test('after the server said that it expired, once the wait is over, and the stream goes on', async () => {
    const { client, accepted, states } = start({ channels: ['a'] })
    const heard: unknown[] = []
    client.on('a', (data) => heard.push(data))
    const first = await accepted()
    hello(first)
    write(first, 'a', 1, 'e-1')
    await vi.waitFor(() => expect(heard).toEqual([1]))
    first.close(expired)
    await stateOf(client, 'waiting')
    expect(asked).toEqual([false])
    afterWait()
    const second = await accepted()
    expect([second.token, second.lastEventId, asked]).toEqual(['t2', 'e-1', [false, true]])
    hello(second, 'e-1')
    write(second, 'a', 2, 'e-2')
    await vi.waitFor(() => expect(heard).toEqual([1, 2]))
    second.close({ code: 1012, reason: '' })
    await stateOf(client, 'waiting')
    afterWait()
    await accepted()
    expect(asked).toEqual([false, true, false])
    expect(states).toContainEqual(['waiting', 4010])
    await client.close()
  })

  test('after a close that turns it away, though its code is final', async () => {
    const { client, accepted, states } = start()
    ;(await accepted()).close(turnedAway)
    await stateOf(client, 'waiting')
    afterWait()
    const second = await accepted()
    expect([second.token, asked]).toEqual(['t2', [false, true]])
    hello(second)
    await stateOf(client, 'open')
    expect(states).toContainEqual(['waiting', 4501])
    await client.close()
  })

  test('and turned away again, is the end', async () => {
    const { client, accepted, links } = start({ channels: ['a'] })
    ;(await accepted()).close(turnedAway)
    await stateOf(client, 'waiting')
    afterWait()
    ;(await accepted()).close(turnedAway)
    expect(await client.closed).toEqual(turnedAway)
    vi.advanceTimersByTime(600_000)
    expect([links(), asked]).toEqual([2, [false, true]])
  })

  test('afresh, once a link with the renewed one was greeted', async () => {
    const { client, accepted } = start({ channels: ['a'] })
    ;(await accepted()).close(turnedAway)
    await stateOf(client, 'waiting')
    afterWait()
    const second = await accepted()
    hello(second)
    await stateOf(client, 'open')
    second.close(turnedAway)
    await stateOf(client, 'waiting')
    afterWait(1_500)
    expect([(await accepted()).token, asked]).toEqual(['t3', [false, true, true]])
    await client.close()
  })

  test('not twice in a row for a link that the network took before the server could say', async () => {
    const { client, accepted } = start({ channels: ['a'] })
    ;(await accepted()).close(turnedAway)
    await stateOf(client, 'waiting')
    afterWait()
    ;(await accepted()).close({ code: 1012, reason: '' })
    await stateOf(client, 'waiting')
    afterWait(1_500)
    ;(await accepted()).close(turnedAway)
    await stateOf(client, 'waiting')
    afterWait(2_500)
    ;(await accepted()).close(turnedAway)
    expect((await client.closed).code).toBe(4501)
    expect(asked).toEqual([false, true, false, true])
  })

  test('without a storm, by a server that lets in and says at once that it expired', async () => {
    const { client, accepted } = start({ channels: ['a'] })
    for (let round = 0; round < 5; round += 1) {
      const server = await accepted()
      hello(server)
      server.close(expired)
      await stateOf(client, 'waiting')
      // At least the server's least wait; at most that and a window that doubles.
      vi.advanceTimersByTime(249)
      expect(client.state).toBe('waiting')
      vi.advanceTimersByTime(500 * 2 ** round + 2)
    }
    await accepted()
    expect(asked).toEqual([false, true, true, true, true, true])
    await client.close()
  })

  test('not by a client that does not come back', async () => {
    const { client, accepted } = start({ reconnect: false })
    ;(await accepted()).close(turnedAway)
    expect(await client.closed).toEqual(turnedAway)
    expect(asked).toEqual([false])
  })

  test('not where the refusal is another', async () => {
    const { client, accepted } = start()
    ;(await accepted()).close({ code: 4503, reason: 'not for you' })
    expect((await client.closed).code).toBe(4503)
    expect(asked).toEqual([false])
  })
})

test('without the option, 401 is final', async () => {
  const { transport, accepted } = createBench('one-way')
  const client = connect(url, { transport })
  ;(await accepted()).close(turnedAway)
  expect(await client.closed).toEqual(turnedAway)
})

test('a refusal by status is turned away as well', async () => {
  const bench = createBench('one-way')
  let tries = 0
  const transport: Transport<'one-way'> = {
    ...bench.transport,
    async connect(to, options) {
      tries += 1
      if (tries > 1) return bench.transport.connect(to, options)
      throw new ConnectError('answered 401', { retryable: false, status: 401, closeCode: 4501 })
    },
  }
  const { client } = start({ transport })
  await stateOf(client, 'waiting')
  afterWait()
  expect([(await bench.accepted()).token, asked]).toEqual(['t2', [false, true]])
  await client.close()
})

test('a renewed one that is refused by status is the end, whatever the link before had brought', async () => {
  const bench = createBench('one-way')
  let tries = 0
  const transport: Transport<'one-way'> = {
    ...bench.transport,
    async connect(to, options) {
      tries += 1
      if (tries === 1) return bench.transport.connect(to, options)
      throw new ConnectError('answered 401', { retryable: false, status: 401, closeCode: 4501 })
    },
  }
  const { client } = start({ transport, channels: ['a'] })
  const first = await bench.accepted()
  hello(first)
  await stateOf(client, 'open')
  first.close(expired)
  await stateOf(client, 'waiting')
  afterWait()
  expect((await client.closed).code).toBe(4501)
  expect([tries, asked]).toEqual([2, [false, true]])
})

describe('a second link', () => {
  async function opened(given?: Partial<ClientOptions>, ask?: Ask) {
    const setup = start({ channels: ['a'], ...given }, ask)
    const first = await setup.accepted()
    hello(first)
    await stateOf(setup.client, 'open')
    return { ...setup, first }
  }

  test('whose token is turned away is made once more with a renewed one, while the first goes on', async () => {
    const { client, accepted, first } = await opened()
    const subscribing = client.subscribe('b')
    ;(await accepted()).close(turnedAway)
    const third = await accepted()
    expect([third.token, client.state]).toEqual(['t3', 'open'])
    hello(third)
    await subscribing
    expect([asked, client.channels]).toEqual([
      [false, false, true],
      ['a', 'b'],
    ])
    await first.closed
    await client.close()
  })

  test('that is turned away again leaves the client as it was', async () => {
    const { client, accepted, first, links } = await opened()
    const heard: unknown[] = []
    client.on('a', (data) => heard.push(data))
    const subscribing = client.subscribe('b')
    const failed = expect(subscribing).rejects.toThrow('the link ended before it brought anything (4501')
    ;(await accepted()).close(turnedAway)
    ;(await accepted()).close(turnedAway)
    await failed
    write(first, 'a', 1, 'e-1')
    await vi.waitFor(() => expect(heard).toEqual([1]))
    expect([client.state, client.channels, links()]).toEqual(['open', ['a'], 3])
    await client.close()
  })

  test('that was asked for its token before the first expired does not count as renewed', async () => {
    let give: (token: string) => void = () => {}
    const { client, accepted, first } = await opened({}, () =>
      asked.length === 2
        ? new Promise((resolve) => {
            give = resolve
          })
        : `t${asked.length}`,
    )
    const failed = expect(client.subscribe('b')).rejects.toThrow('1012')
    await vi.waitFor(() => expect(asked).toHaveLength(2))
    first.close(expired)
    await stateOf(client, 'waiting')
    give('t2')
    ;(await accepted()).close({ code: 1012, reason: '' })
    await failed
    afterWait()
    expect([(await accepted()).token, asked]).toEqual(['t3', [false, false, true]])
    await client.close()
  })

  test('whose token does not come in time opens nothing, and leaves the client as it was', async () => {
    let give: (token: string) => void = () => {}
    const { client, links } = await opened({ connectMs: 3_000 }, () =>
      asked.length === 1
        ? 't1'
        : new Promise((resolve) => {
            give = resolve
          }),
    )
    const failed = expect(client.subscribe('b')).rejects.toThrow('no frame came over linked within 3000 ms')
    await vi.waitFor(() => expect(asked).toHaveLength(2))
    vi.advanceTimersByTime(3_000)
    await failed
    give('late')
    await new Promise<void>((resolve) => setImmediate(resolve))
    expect([client.state, client.channels, links()]).toEqual(['open', ['a'], 1])
    await client.close()
  })
})

describe('a `token` that fails', () => {
  test.each([
    [
      'throws',
      () => {
        throw new Error('no login, secret')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no login, secret'))],
  ])('and %s is told, and is a lost try that is repeated', async (_, fail) => {
    const { client, accepted, errors, states } = start({}, () => (asked.length === 1 ? fail() : 't'))
    await stateOf(client, 'waiting')
    expect(errors).toEqual([new Error('no login, secret')])
    expect(states).toEqual([['waiting', 1006]])
    afterWait()
    expect((await accepted()).token).toBe('t')
    await client.close()
  })

  test('while it renews, is asked to renew again', async () => {
    const { client, accepted } = start({}, () => {
      if (asked.length === 2) throw new Error('no network')
      return 't'
    })
    ;(await accepted()).close(expired)
    await stateOf(client, 'waiting')
    afterWait()
    await stateOf(client, 'connecting')
    await stateOf(client, 'waiting')
    afterWait(1_500)
    await accepted()
    expect(asked).toEqual([false, true, true])
    await client.close()
  })

  test('by what no wire carries ends the client, and nobody is told the token', async () => {
    const { client, errors } = start({}, () => 'secret word')
    const { code, reason } = await client.closed
    expect(code).toBe(1002)
    expect(reason).toContain('a token must be visible ASCII without a space, and this one has another at 6')
    expect(JSON.stringify([reason, errors.map(String)])).not.toContain('secret')
  })
})

describe('a token that is late', () => {
  function pending() {
    const gives: ((token: string) => void)[] = []
    return { gives, ask: () => new Promise<string>((resolve) => gives.push(resolve)) }
  }

  test('for longer than `connectMs` costs its link, and opens nothing', async () => {
    const { gives, ask } = pending()
    const { client, accepted, states, links } = start({ connectMs: 3_000 }, ask)
    await vi.waitFor(() => expect(gives).toHaveLength(1))
    vi.advanceTimersByTime(3_000)
    expect(states).toEqual([['waiting', 4001]])
    afterWait()
    await vi.waitFor(() => expect(gives).toHaveLength(2))
    gives[0]?.('late')
    gives[1]?.('punctual')
    expect((await accepted()).token).toBe('punctual')
    expect(links()).toBe(1)
    await client.close()
  })

  test.each([
    ['close', 'comes'],
    ['signal', 'comes'],
    ['close', 'fails'],
  ])('opens nothing after the client has ended by %s, and where it %s tells nobody', async (by, how) => {
    const settled: (() => void)[] = []
    const abort = new AbortController()
    const { client, links, errors } = start(
      { signal: abort.signal },
      () =>
        new Promise((resolve, reject) => {
          settled.push(() => (how === 'comes' ? resolve('late') : reject(new Error('late'))))
        }),
    )
    await vi.waitFor(() => expect(settled).toHaveLength(1))
    if (by === 'close') void client.close()
    else abort.abort()
    await client.closed
    settled[0]?.()
    await new Promise<void>((resolve) => setImmediate(resolve))
    expect([links(), errors]).toEqual([0, []])
    expect(getEventListeners(abort.signal, 'abort')).toEqual([])
  })
})
