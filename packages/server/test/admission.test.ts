import type { Arrival, Refusal } from '@eitherway/core'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type AdmissionOptions, createJudge } from '../src/admission.ts'

afterEach(() => {
  vi.useRealTimers()
})

type Options = AdmissionOptions<unknown>

const arrival = (channels: readonly string[] = []): Arrival => ({
  url: new URL('http://test/live'),
  headers: new Headers(),
  remote: undefined,
  channels,
  lastEventId: '',
  token: undefined,
})

/** What the judge says, and what it told. */
async function judged(options: Options, channels?: readonly string[]) {
  const told: unknown[] = []
  const verdict = await createJudge(options, (error) => told.push(error))(arrival(channels))
  return { verdict, told: told.map((error) => (error as Error).message) }
}

const no: Refusal = { status: 401, reason: 'say who you are' }
const undecided = { status: 500, reason: 'who may connect could not be decided' }
const fail = () => {
  throw new Error('the database is away')
}

describe('authorize', () => {
  const answers: readonly (readonly [string, () => unknown, unknown])[] = [
    ['a context', () => ({ context: 7 }), { context: 7 }],
    ['a context, later', async () => ({ context: 7 }), { context: 7 }],
    ['a context of nothing', () => ({ context: undefined }), { context: undefined }],
    ['a refusal', () => no, no],
    ['a refusal, later', async () => no, no],
    [
      "another library's promise",
      // biome-ignore lint/suspicious/noThenProperty: it is what is tested
      () => ({ then: (resolve: (value: unknown) => void) => resolve({ context: 7 }) }),
      { context: 7 },
    ],
  ]
  test.each(answers)('%s is taken as it is', async (_, authorize, verdict) => {
    expect(await judged({ authorize } as Options)).toEqual({ verdict, told: [] })
  })

  const neither =
    '`authorize` must return `{ context }`, or a refusal with `status` and `reason`; it returned neither'
  const failures: readonly (readonly [string, () => unknown, string])[] = [
    ['throws', fail, 'the database is away'],
    ['rejects', async () => fail(), 'the database is away'],
    ['returns nothing', () => undefined, neither],
    ['returns null', () => null, neither],
    ['returns true', () => true, neither],
    ['returns a text', () => 'ada', neither],
    ['returns a list', () => [], neither],
    ['returns nothing, later', async () => undefined, neither],
    [
      'returns a status that is no refusal',
      () => ({ status: 200, reason: '' }),
      "a refusal's `status` must be 400 to 599, got 200",
    ],
    [
      'returns a refusal beside a context',
      () => ({ context: 1, status: 'ok' }),
      'a refusal\'s `status` must be 400 to 599, got "ok"',
    ],
    ['returns no reason', () => ({ status: 403 }), "a refusal's `reason` must be a string, got undefined"],
    [
      'names a wait that is none',
      () => ({ status: 503, reason: '', retryAfterMs: 1.5 }),
      "a refusal's `retryAfterMs` must be a whole number of 0 or more, got 1.5",
    ],
    [
      'names an end that is none',
      () => ({ context: 1, expiresAt: Number.NaN }),
      '`expiresAt` must be milliseconds since 1970, got NaN',
    ],
    [
      "names an end in seconds, as a JWT's `exp` does",
      () => ({ context: 1, expiresAt: 1_795_604_022 }),
      "`expiresAt` must be milliseconds since 1970, got 1795604022, which is in seconds: multiply a JWT's `exp` by 1000",
    ],
  ]
  test.each(failures)('that %s lets nobody in, and is told', async (_, authorize, message) => {
    expect(await judged({ authorize } as Options)).toEqual({ verdict: undecided, told: [message] })
  })

  test('that never answers is refused after admitMs, not before', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const verdicts: unknown[] = []
    const judge = createJudge({ authorize: () => new Promise<never>(() => {}), admitMs: 200 }, fail)
    void Promise.resolve(judge(arrival())).then((verdict) => verdicts.push(verdict))
    await vi.advanceTimersByTimeAsync(199)
    expect(verdicts).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(verdicts).toEqual([
      { status: 503, reason: 'who may connect was not decided in time', retryAfterMs: 1000 },
    ])
  })

  test('that answers leaves no timer behind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await createJudge({ authorize: async () => no }, fail)(arrival())
    expect(vi.getTimerCount()).toBe(0)
  })

  test('that fails after admitMs is told all the same', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const told: unknown[] = []
    const { promise, reject } = withResolvers<never>()
    const judge = createJudge({ authorize: () => promise, admitMs: 5 }, (error) => told.push(error))
    const verdict = judge(arrival())
    await vi.advanceTimersByTimeAsync(5)
    expect(await verdict).toMatchObject({ status: 503 })
    reject(new Error('too late'))
    await vi.waitFor(() => expect(told).toEqual([new Error('too late')]))
  })

  test('is not asked about a name that cannot be', async () => {
    const authorize = vi.fn(() => ({ context: 1 }))
    expect((await judged({ authorize }, ['~x'])).verdict).toMatchObject({ status: 400 })
    expect(authorize).not.toHaveBeenCalled()
  })

  test.each([0, -1, 1.5, Number.NaN, 300_001, Number.POSITIVE_INFINITY])('admitMs: %s is none', (admitMs) => {
    expect(() => createJudge({ admitMs }, fail)).toThrow(
      `\`admitMs\` must be a whole number from 1 to 300000, got ${admitMs}`,
    )
  })
})

describe('authorizeChannel', () => {
  const closedTo = { status: 403, reason: 'the channel "b" is not open to you' }
  const neither = '`authorizeChannel` must return true, false or a refusal; it returned neither'
  const rows: readonly (readonly [string, (channel: string) => unknown, unknown, string[], string[]])[] = [
    ['true', () => true, { context: 1 }, [], ['a', 'b', 'c']],
    ['true, later', async () => true, { context: 1 }, [], ['a', 'b', 'c']],
    ['false', (name) => name !== 'b', closedTo, [], ['a', 'b']],
    ['false, later', async (name) => name !== 'b', closedTo, [], ['a', 'b']],
    [
      'true now, and false later',
      (name) => (name === 'a' ? true : Promise.resolve(name !== 'b')),
      closedTo,
      [],
      ['a', 'b'],
    ],
    [
      'true later, and nothing then',
      (name) => (name === 'a' ? Promise.resolve(true) : undefined),
      undecided,
      [neither],
      ['a', 'b'],
    ],
    ['a refusal', (name) => (name === 'b' ? no : true), no, [], ['a', 'b']],
    ['a refusal, later', async (name) => (name === 'b' ? no : true), no, [], ['a', 'b']],
    ['nothing', () => undefined, undecided, [neither], ['a']],
    ['a truth that is not true', () => 1, undecided, [neither], ['a']],
    ['nothing, later', async () => undefined, undecided, [neither], ['a']],
    ['null', () => null, undecided, [neither], ['a']],
    ['an error', fail, undecided, ['the database is away'], ['a']],
    ['an error, later', async () => fail(), undecided, ['the database is away'], ['a']],
  ]
  test.each(rows)('%s, asked for each channel in order', async (_, answer, verdict, told, asked) => {
    const heard: string[] = []
    const authorizeChannel = (context: unknown, channel: string) => {
      expect(context).toBe(1)
      heard.push(channel)
      return answer(channel)
    }
    const authorize = () => ({ context: 1 })
    const options = { authorize, authorizeChannel } as Options
    expect(await judged(options, ['a', 'b', 'c'])).toEqual({ verdict, told })
    expect(heard).toEqual(asked)
  })

  test('is not asked about whom authorize refuses', async () => {
    const authorizeChannel = vi.fn(() => true)
    expect((await judged({ authorize: () => no, authorizeChannel }, ['a'])).verdict).toBe(no)
    expect(authorizeChannel).not.toHaveBeenCalled()
  })

  test('decides alone where authorize is left out', async () => {
    expect(await judged({ authorizeChannel: (_, name) => name === 'a' }, ['a'])).toMatchObject({
      verdict: { context: undefined },
    })
    expect((await judged({ authorizeChannel: () => false }, ['b'])).verdict).toEqual(closedTo)
  })

  test('is not asked any further once it is too late', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { promise, resolve } = withResolvers<boolean>()
    const authorizeChannel = vi.fn(() => promise)
    const verdict = createJudge({ authorizeChannel, admitMs: 5 }, fail)(arrival(['a', 'b']))
    await vi.advanceTimersByTimeAsync(5)
    expect(await verdict).toMatchObject({ status: 503 })
    resolve(true)
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
    expect(authorizeChannel).toHaveBeenCalledTimes(1)
  })
})

test('answers at once where the application does', () => {
  const judge = createJudge({ authorize: () => no, authorizeChannel: () => true }, fail)
  expect(judge(arrival(['a']))).toBe(no)
})

/** `Promise.withResolvers`, which Node 20 has not. */
function withResolvers<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
