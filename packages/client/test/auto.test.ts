import { connect } from '@eitherway/client'
import { type AutoOptions, type AutoStorage, auto } from '@eitherway/client/auto'
import {
  type Close,
  ConnectError,
  type ConnectOptions,
  type Frame,
  linked,
  type ServerConnection,
  type Transport,
  type TwoWayConnection,
} from '@eitherway/core'
import { transportSuite } from '@eitherway/core/testing'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'

const url = new URL('http://test/live')

/** What happens to a link: it lives, or it is refused, stands still, ends. */
type Fate =
  | 'lives'
  | 'is silent'
  | 'brings half a frame'
  | 'never opens'
  | { readonly refused: ConnectError }
  | { readonly ends: Close }
  | { readonly throws: Error }

interface Played extends Transport<'two-way'> {
  fate: Fate
  /** How often somebody has tried. */
  tries: number
  /** Tries that were given up or links that were closed. */
  ended: number
  /** The server's ends. */
  readonly servers: ServerConnection[]
  /** Ends the last link without a goodbye. */
  cut(): void
}

const abnormal: Close = { code: 1006, reason: '' }

function play(name: string, fate: Fate = 'lives'): Played {
  const servers: ServerConnection[] = []
  const link = linked(
    (server) => {
      servers.push(server)
      void server.closed.then(() => {
        played.ended += 1
      })
      if (played.fate === 'lives') server.write(server.encoder.encode({ type: 'retry', retryMs: 0 }))
    },
    { direction: 'two-way' },
  )
  const played: Played = {
    name,
    direction: 'two-way',
    fate,
    tries: 0,
    ended: 0,
    servers,
    cut: () => undefined,
    async connect(at: URL, options: ConnectOptions): Promise<TwoWayConnection> {
      played.tries += 1
      const now = played.fate
      if (typeof now === 'object' && 'refused' in now) throw now.refused
      if (typeof now === 'object' && 'throws' in now) throw now.throws
      if (now === 'never opens') {
        return new Promise((_, reject) => {
          options.signal.addEventListener('abort', () => {
            played.ended += 1
            reject(options.signal.reason)
          })
        })
      }
      const connection = await link.connect(at, options)
      const cut = new Promise<Close>((resolve) => {
        played.cut = () => {
          resolve(abnormal)
          connection.close()
        }
      })
      const closed = Promise.race([cut, connection.closed])
      if (typeof now === 'object' && now.ends.code === 1006) played.cut()
      else if (typeof now === 'object') servers.at(-1)?.close(now.ends)
      if (now === 'brings half a frame')
        return { ...connection, closed, [Symbol.asyncIterator]: () => half(connection) }
      return { ...connection, closed }
    },
  }
  return played
}

async function* half(connection: TwoWayConnection): AsyncGenerator<Frame> {
  yield { type: 'heartbeat', partial: true }
  yield* connection
}

function options(signal = new AbortController().signal): ConnectOptions {
  return { lastEventId: '', channels: [], signal }
}

/** A storage that is there for this test alone. */
function shelf(): AutoStorage & { readonly kept: Map<string, string> } {
  const kept = new Map<string, string>()
  return {
    kept,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  }
}

function choose(fates: Partial<Record<'ws' | 'post', Fate>> = {}, more: Partial<AutoOptions> = {}) {
  const ws = play('ws', fates.ws)
  const post = play('sse+post', fates.post)
  const storage = shelf()
  return { ws, post, storage, transport: auto({ transports: [ws, post], storage, ...more }) }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const silent: Close = { code: 4000, reason: 'nothing was heard' }

describe('which one it is', () => {
  test('the first, where a frame comes over it', async () => {
    const { transport, post } = choose()
    const connection = await transport.connect(url, options())
    expect(connection.choice).toEqual({ transport: 'ws', reason: 'it is preferred' })
    expect(post.tries).toBe(0)
  })

  const refused = new ConnectError('the upgrade was answered with 403', { retryable: false, status: 403 })
  const forbidden: Fate = { refused }
  test.each<[string, Fate, RegExp]>([
    ['is refused on the way', forbidden, /^ws: the upgrade was answered with 403$/],
    ['is cut before a frame came', { ends: abnormal }, /^ws: the link ended before .* \(1006\)$/],
    ['opens and is silent', 'is silent', /^ws: nothing was heard within 3000 ms/],
    ['brings half a frame', 'brings half a frame', /^ws: nothing was heard within 3000 ms/],
    ['never opens', 'never opens', /^ws: nothing was heard within 3000 ms/],
  ])('the second, where the first %s', async (_, fate, reason) => {
    const { transport, ws } = choose({ ws: fate })
    const connecting = transport.connect(url, options())
    await vi.advanceTimersByTimeAsync(3000)
    const { choice } = await connecting
    expect(choice).toEqual({ transport: 'sse+post', reason: expect.stringMatching(reason) })
    expect(ws.ended).toBe(fate === forbidden ? 0 : 1)
  })

  test('none, where the server itself says no: the other would hear the same', async () => {
    const { transport, post } = choose({ ws: { ends: { code: 4501, reason: 'who are you?' } } })
    await expect(transport.connect(url, options())).rejects.toMatchObject({
      closeCode: 4501,
      retryable: false,
      message: expect.stringContaining('who are you?'),
    })
    expect(post.tries).toBe(0)
  })

  test('none, where a setting is wrong', async () => {
    const { transport, post } = choose({ ws: { throws: new TypeError('`token` must be …') } })
    await expect(transport.connect(url, options())).rejects.toThrow(TypeError)
    expect(post.tries).toBe(0)
  })

  test('none, where nothing works: the error says all, and the status that the plainest was given', async () => {
    const { transport } = choose({
      ws: { refused },
      post: {
        refused: new ConnectError('503', { retryable: true, status: 503, closeCode: 4103, retryAfterMs: 7 }),
      },
    })
    await expect(transport.connect(url, options())).rejects.toMatchObject({
      retryable: true,
      status: 503,
      closeCode: 4103,
      retryAfterMs: 7,
      message: 'no transport works; ws: the upgrade was answered with 403; sse+post: 503',
    })
  })

  test('the last has as long as the client gives it', async () => {
    const { transport, post } = choose({ ws: { refused }, post: 'is silent' })
    const abort = new AbortController()
    const connecting = transport.connect(url, options(abort.signal))
    const reason = new Error('too long')
    const settled = expect(connecting).rejects.toBe(reason)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(post.tries).toBe(1)
    abort.abort(reason)
    await settled
    expect(post.ended).toBe(1)
  })
})

describe('what is remembered', () => {
  test('what worked, for its time: then the first has another chance', async () => {
    const { transport, ws, post, storage } = choose({ ws: 'is silent' }, { rememberMs: 60_000 })
    const first = transport.connect(url, options())
    await vi.advanceTimersByTimeAsync(3000)
    await first
    ws.fate = 'lives'
    const second = await transport.connect(url, options())
    expect(second.choice).toEqual((await first).choice)
    expect([ws.tries, post.tries]).toEqual([1, 2])

    const third = await auto({ transports: [ws, post], storage }).connect(url, options())
    expect(third.choice?.transport).toBe('sse+post')

    await vi.advanceTimersByTimeAsync(60_000)
    expect((await transport.connect(url, options())).choice?.transport).toBe('ws')
    expect(storage.kept.size).toBe(0)
  })

  test('for each URL by itself, without its query', async () => {
    const { transport, ws } = choose({ ws: { refused: new ConnectError('no', { retryable: true }) } })
    await transport.connect(new URL('?who=1', url), options())
    ws.fate = 'lives'
    expect((await transport.connect(new URL('?who=2', url), options())).choice?.transport).toBe('sse+post')
    expect((await transport.connect(new URL('/other', url), options())).choice?.transport).toBe('ws')
  })

  test('no longer, once it does not work any more', async () => {
    const refusal: Fate = { refused: new ConnectError('no', { retryable: true }) }
    const { transport, ws, post, storage } = choose({ ws: refusal })
    await transport.connect(url, options())
    ws.fate = 'lives'
    post.fate = refusal
    expect((await transport.connect(url, options())).choice).toEqual({
      transport: 'ws',
      reason: 'sse+post: no',
    })
    expect(storage.kept.size).toBe(0)
  })

  test.each([
    '',
    'null',
    '{}',
    '{"at":9,"reason":"","until":9e15}',
    '{"at":-1,"reason":"","until":9e15}',
    // By a clock that was wrong.
    '{"at":1,"reason":"x","until":9e15}',
    '{"at":1,"reason":"x","until":1}',
  ])('not what somebody else has written there: %s', async (text) => {
    const { transport, storage } = choose()
    storage.setItem('eitherway:auto:http://test/live', text)
    expect((await transport.connect(url, options())).choice?.transport).toBe('ws')
  })

  test('a storage that is full costs nothing but the memory', async () => {
    const { ws, post } = choose({ ws: { refused: new ConnectError('no', { retryable: true }) } })
    const full: AutoStorage = {
      ...shelf(),
      setItem() {
        throw new Error('full')
      },
    }
    const transport = auto({ transports: [ws, post], storage: full })
    expect((await transport.connect(url, options())).choice?.transport).toBe('sse+post')
    expect((await transport.connect(url, options())).choice?.transport).toBe('sse+post')
    expect(ws.tries).toBe(2)
  })
})

describe('links that open and die', () => {
  async function liveAndDie(transport: Transport<'two-way'>, played: Played, forMs: number, close: Close) {
    const connection = await transport.connect(url, options())
    await vi.advanceTimersByTimeAsync(forMs)
    if (close === abnormal) played.cut()
    else if (close === silent) connection.close(close)
    else played.servers.at(-1)?.close(close)
    await vi.advanceTimersByTimeAsync(0)
    return connection.choice?.transport
  }

  test.each<[string, Close]>([
    ['cut', abnormal],
    ['silent', silent],
  ])('two in a row that are %s within half a minute are enough', async (_, close) => {
    const { transport, ws } = choose()
    expect(await liveAndDie(transport, ws, 5000, close)).toBe('ws')
    expect(await liveAndDie(transport, ws, 5000, close)).toBe('ws')
    const third = await transport.connect(url, options())
    expect(third.choice).toEqual({
      transport: 'sse+post',
      reason: expect.stringMatching(/^ws: 2 links in a row were lost \((1006|4000)\) within 30 s$/),
    })
  })

  test.each<[string, number, Close]>([
    ['that lived longer', 30_000, abnormal],
    ['that the server ended', 5000, { code: 1012, reason: 'restart' }],
    ['that the application ended', 5000, { code: 1000, reason: '' }],
  ])('one %s counts for nothing, and those before it no longer', async (_, forMs, close) => {
    const { transport, ws } = choose()
    await liveAndDie(transport, ws, 5000, abnormal)
    await liveAndDie(transport, ws, forMs, close)
    expect(await liveAndDie(transport, ws, 5000, abnormal)).toBe('ws')
    expect((await transport.connect(url, options())).choice?.transport).toBe('ws')
  })

  test('where the other is no better, the first has its turn again', async () => {
    const { transport, ws, post } = choose()
    const seen: unknown[] = []
    for (const played of [ws, ws, post, post]) seen.push(await liveAndDie(transport, played, 5000, abnormal))
    seen.push((await transport.connect(url, options())).choice?.transport)
    expect(seen).toEqual(['ws', 'ws', 'sse+post', 'sse+post', 'ws'])
  })
})

describe('the client', () => {
  test('goes on over the one that works, and says which and why', async () => {
    const { transport, ws, post } = choose({ ws: 'is silent' })
    const client = connect('http://test/live', { transport, channels: ['a'] })
    onTestFinished(() => void client.close())
    expect([client.transport, client.choice]).toEqual(['auto', undefined])
    const heard: unknown[] = []
    client.on('a', (data) => heard.push(data))
    await vi.advanceTimersByTimeAsync(3000)
    const say = (frame: Frame) => {
      const server = post.servers.at(-1)
      server?.write(server.encoder.encode(frame))
    }
    say({ type: 'hello', id: '1', heartbeatMs: 0 })
    say({ type: 'message', message: { id: '2', event: 'a', data: '"x"' } })
    await vi.advanceTimersByTimeAsync(0)
    expect(client.state).toBe('open')
    expect(heard).toEqual(['x'])
    expect(client.transport).toBe('sse+post')
    expect(client.choice?.reason).toMatch(/^ws: nothing was heard/)
    await client.send('up', 1)
    const { value } = await vi.waitFor(async () => {
      const server = post.servers.at(-1)
      if (server?.direction !== 'two-way') throw new Error('no link')
      return await server.messages[Symbol.asyncIterator]().next()
    })
    expect(value).toMatchObject({ event: 'up', data: '1' })
    expect(ws.tries).toBe(1)
  })
})

test('settings that are none are refused', () => {
  const ws = play('ws')
  // @ts-expect-error it has to have something to choose from
  expect(() => auto({})).toThrow(TypeError)
  expect(() => auto({ transports: [] })).toThrow(/two-way transports/)
  // @ts-expect-error it does not send
  expect(() => auto({ transports: [{ ...ws, direction: 'one-way' }] })).toThrow(/must all be two-way/)
  expect(() => auto({ transports: [ws], proofMs: -1 })).toThrow(/`proofMs`/)
  expect(() => auto({ transports: [ws], rememberMs: Number.NaN })).toThrow(/`rememberMs`/)
})

describe('as a transport', () => {
  beforeEach(() => void vi.useRealTimers())

  transportSuite({
    test,
    direction: 'two-way',
    network: false,
    async setup() {
      const arrived: ServerConnection[] = []
      const waiting: ((connection: ServerConnection) => void)[] = []
      const link = linked(
        (server) => {
          // Whoever serves greets; a heartbeat is the least of it.
          server.write(server.encoder.encode({ type: 'heartbeat' }))
          const next = waiting.shift()
          if (next === undefined) arrived.push(server)
          else next(server)
        },
        { direction: 'two-way' },
      )
      return {
        transport: auto({ transports: [link], storage: shelf() }),
        url,
        accepted: async () => arrived.shift() ?? new Promise((resolve) => waiting.push(resolve)),
        async close() {
          for (const server of arrived) server.close()
        },
      }
    },
  })
})
