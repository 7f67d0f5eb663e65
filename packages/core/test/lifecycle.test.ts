import {
  begin,
  type Close,
  createMessage,
  type Effect,
  type Input,
  type Lifecycle,
  type LifecycleOptions,
  step,
} from '@eitherway/core'
import { describe, expect, test } from 'vitest'

const options: LifecycleOptions = {
  reconnect: true,
  connectMs: 10_000,
  silenceMs: undefined,
  baseMs: 500,
  capMs: 30_000,
}
const random = 0.5
const lost = (code = 1006, more: object = {}): Input => ({
  type: 'lost',
  close: { code, reason: 'x' },
  random,
  ...more,
})
const opened: Input = { type: 'opened' }
const deadline: Input = { type: 'deadline', random }
const frame = (frame: Extract<Input, { type: 'frame' }>['frame']): Input => ({ type: 'frame', frame })
const message = (id: string): Input => frame({ type: 'message', message: createMessage('e', 'x', id) })
const hello = (id: string, heartbeatMs = 25_000): Input => frame({ type: 'hello', id, heartbeatMs })

/** A life after some inputs, and what the last of them asked for. */
function live(
  inputs: readonly Input[],
  settings: LifecycleOptions = options,
  from = '',
): { life: Lifecycle; effects: readonly Effect[] } {
  let { next: life, effects } = begin(from, settings)
  for (const input of inputs) ({ next: life, effects } = step(life, input, settings))
  return { life, effects }
}

test('a life begins by connecting, with a deadline', () => {
  expect(live([])).toMatchObject({
    life: { state: 'connecting', lastEventId: '', attempt: 0 },
    effects: [{ type: 'connect' }, { type: 'deadline', ms: 10_000 }],
  })
})

test('it can begin at a position', () => {
  expect(live([], options, 'e-7').life.lastEventId).toBe('e-7')
})

describe('the position', () => {
  const cases: readonly (readonly [string, readonly Input[], string])[] = [
    ['is given at connect, before the first message', [opened, hello('e-7')], 'e-7'],
    ['follows the messages', [opened, hello('e-7'), message('e-8'), message('e-9')], 'e-9'],
    ['stays where a message has no id', [opened, hello('e-7'), message('')], 'e-7'],
    ['stays where a hello has no id', [opened, message('e-8'), lost(), deadline, opened, hello('')], 'e-8'],
    ['moves without a message', [opened, frame({ type: 'position', id: 'e-9' })], 'e-9'],
    ['goes back to the beginning', [opened, message('e-8'), frame({ type: 'position', id: '' })], ''],
    [
      'moves with a gap',
      [opened, frame({ type: 'gap', id: 'f-1', gap: { reason: 'epoch', channels: [] } })],
      'f-1',
    ],
    [
      'stays where a gap has no id',
      [opened, message('e-8'), frame({ type: 'gap', id: '', gap: { reason: 'evicted', channels: [] } })],
      'e-8',
    ],
    ['survives a lost link', [opened, message('e-8'), lost(), deadline], 'e-8'],
  ]
  test.each(cases)('%s', (_, inputs, id) => {
    expect(live(inputs).life.lastEventId).toBe(id)
  })
})

test('a message is delivered, after the deadline was moved', () => {
  expect(live([opened, hello('e-7'), message('e-8')]).effects).toEqual([
    { type: 'deadline', ms: 35_000 },
    { type: 'deliver', message: createMessage('e', 'x', 'e-8') },
  ])
})

test('a gap is told', () => {
  const gap = { reason: 'evicted', channels: ['prices'] } as const
  expect(live([opened, frame({ type: 'gap', id: '', gap })]).effects).toContainEqual({ type: 'gap', gap })
})

describe('silence', () => {
  test('is what the server announced and ten seconds of grace', () => {
    expect(live([opened, hello('', 25_000)]).effects).toEqual([{ type: 'deadline', ms: 35_000 }])
  })
  test('is an hour and the grace at most, whatever the server announces', () => {
    expect(live([opened, hello('', 4_294_967_296)]).effects).toEqual([{ type: 'deadline', ms: 3_610_000 }])
  })
  test('may last for ever where the server announced nothing', () => {
    expect(live([opened]).effects).toEqual([{ type: 'deadline', ms: 0 }])
    expect(live([opened, hello('', 0)]).effects).toEqual([{ type: 'deadline', ms: 0 }])
  })
  test("is the application's where it has set one", () => {
    const own = { ...options, silenceMs: 3_000 }
    expect(live([opened], own).effects).toEqual([{ type: 'deadline', ms: 3_000 }])
    expect(live([opened, hello('', 25_000)], own).effects).toEqual([{ type: 'deadline', ms: 3_000 }])
  })
  test('ends the link, which is made again', () => {
    const { life, effects } = live([opened, hello('e-7'), message('e-8'), deadline])
    expect(life).toMatchObject({ state: 'waiting', lastEventId: 'e-8', close: { code: 4000 } })
    expect(effects[0]).toMatchObject({
      type: 'disconnect',
      close: { code: 4000, reason: 'nothing was heard for 35000 ms' },
    })
  })
  test('of an old link does not bind the next, whose server may announce nothing', () => {
    expect(live([opened, hello('e-7'), lost(), deadline, opened]).effects).toEqual([
      { type: 'deadline', ms: 0 },
    ])
  })
})

test('a link that does not open in time is given up and tried again', () => {
  const { life, effects } = live([deadline])
  expect(life).toMatchObject({ state: 'waiting', attempt: 1, close: { code: 4001 } })
  expect(effects[0]).toMatchObject({
    type: 'disconnect',
    close: { code: 4001, reason: 'no link was ready within 10000 ms' },
  })
})

describe('a link whose server owes a greeting', () => {
  const greeting: Input = { type: 'opened', greets: true }
  test('is open once that has come, and not before: there is no position to return to', () => {
    const { life, effects } = live([greeting])
    expect(life).toMatchObject({ state: 'connecting' })
    expect(effects).toEqual([])
    const greeted = live([greeting, hello('e-7')])
    expect(greeted.life).toMatchObject({ state: 'open', lastEventId: 'e-7' })
    expect(greeted.effects).toEqual([{ type: 'deadline', ms: 35_000 }])
  })
  test.each([
    ['its wait', frame({ type: 'retry', retryMs: 700 })],
    ['a heartbeat', frame({ type: 'heartbeat' })],
  ] as const)('is given up in time when all it brings is %s', (_, sign) => {
    const { life, effects } = live([greeting, sign])
    expect(life).toMatchObject({ state: 'connecting' })
    expect(effects).toEqual([])
    expect(live([greeting, sign, deadline]).life).toMatchObject({ state: 'waiting', close: { code: 4001 } })
  })
  test.each([
    ['message', message('e-7')],
    ['position', frame({ type: 'position', id: 'e-7' })],
    ['gap', frame({ type: 'gap', id: 'e-7', gap: { reason: 'evicted', channels: ['news'] } })],
  ] as const)('is as well open with a %s, and may then be silent', (_, first) => {
    const { life, effects } = live([greeting, first])
    expect(life).toMatchObject({ state: 'open', lastEventId: 'e-7', silenceMs: 0 })
    expect(effects[0]).toEqual({ type: 'deadline', ms: 0 })
  })
})

describe('the wait before coming back', () => {
  const waitAfter = (inputs: readonly Input[]): number => {
    const effect = live(inputs).effects.at(-1)
    return effect?.type === 'deadline' ? effect.ms : Number.NaN
  }
  test('doubles its window with each try', () => {
    expect(waitAfter([lost()])).toBe(250 + 250)
    expect(waitAfter([lost(), deadline, lost()])).toBe(250 + 500)
    expect(waitAfter([lost(), deadline, lost(), deadline, lost()])).toBe(250 + 1_000)
  })
  test('grows also when links open, greet and bring nothing', () => {
    const flap = [opened, hello('e-1'), frame({ type: 'retry', retryMs: 0 }), lost(), deadline]
    expect(waitAfter([...flap, ...flap, ...flap, lost()])).toBe(250 + 2_000)
  })
  test('grows also when links break off within their first message', () => {
    const flap = [opened, frame({ type: 'heartbeat', partial: true }), lost(), deadline]
    expect(waitAfter([...flap, ...flap, ...flap, lost()])).toBe(250 + 2_000)
  })
  test.each([
    ['a message', message('e-1')],
    ['a message without an id', message('')],
    ['a heartbeat', frame({ type: 'heartbeat' })],
    ['a position', frame({ type: 'position', id: 'e-1' })],
  ] as const)('is short again after %s', (_, proof) => {
    expect(waitAfter([lost(), deadline, lost(), deadline, opened, proof, lost()])).toBe(250 + 250)
  })
  test("is at least the server's retry", () => {
    expect(waitAfter([opened, frame({ type: 'retry', retryMs: 15_000 }), lost()])).toBe(15_000 + 250)
  })
  test("is at least the server's Retry-After", () => {
    expect(waitAfter([lost(4103, { retryAfterMs: 60_000 })])).toBe(60_000 + 250)
  })
  test('is clamped, whatever the server names', () => {
    expect(waitAfter([opened, frame({ type: 'retry', retryMs: 4_294_967_297 }), lost()])).toBe(300_000 + 250)
    expect(waitAfter([opened, frame({ type: 'retry', retryMs: 0 }), lost()])).toBe(250 + 250)
  })
})

describe('a handover', () => {
  test('goes on from the position that the new link was asked from', () => {
    const { life, effects } = live([
      opened,
      hello('e-7'),
      message('e-8'),
      message('e-9'),
      { type: 'handed', at: 'e-8' },
    ])
    expect(life).toMatchObject({ state: 'open', lastEventId: 'e-8' })
    expect(effects).toEqual([{ type: 'deadline', ms: 0 }])
  })
  test.each([[[]], [[lost()]]])('may also end a wait or a try that was under way (%#)', (before) => {
    expect(live([...before, { type: 'handed', at: 'e-8' }]).life.state).toBe('open')
  })
  test('restart: the link gives way to a new one now, at the same position', () => {
    const close = { code: 1000, reason: 'asked anew' }
    expect(live([opened, message('e-8'), { type: 'restart', close }])).toMatchObject({
      life: { state: 'connecting', lastEventId: 'e-8' },
      effects: [{ type: 'disconnect', close }, { type: 'connect' }, { type: 'deadline', ms: 10_000 }],
    })
  })
})

describe('a wake', () => {
  const wake: Input = { type: 'wake', random }
  test('cuts a long wait short, to that of a first loss', () => {
    const inputs = [lost(), deadline, lost(), deadline, lost(), deadline, lost()]
    expect(live([...inputs, wake]).effects).toEqual([{ type: 'hasten', ms: 250 + 250 }])
  })
  test('never below what the server asked for', () => {
    expect(live([lost(4103, { retryAfterMs: 60_000 }), wake]).effects).toEqual([
      { type: 'hasten', ms: 60_000 + 250 },
    ])
  })
  test('changes nothing where there is no wait', () => {
    expect(live([wake]).effects).toEqual([])
    expect(live([opened, wake]).effects).toEqual([])
  })
})

describe('the end', () => {
  const finals: readonly number[] = [1000, 1002, 1009, 4500, 4501, 4999]
  test.each(finals)('comes with code %i', (code) => {
    const close: Close = { code, reason: 'x' }
    expect(live([opened, lost(code)])).toMatchObject({
      life: { state: 'closed', close },
      effects: [
        { type: 'deadline', ms: 0 },
        { type: 'disconnect', close: { code: 1000, reason: '' } },
      ],
    })
  })
  test('comes with the first lost link where reconnecting is off', () => {
    expect(live([opened, lost()], { ...options, reconnect: false }).life).toMatchObject({
      state: 'closed',
      close: { code: 1006 },
    })
  })
  test('comes when the application closes, and the link goes with it', () => {
    const close = { code: 1000, reason: '' }
    for (const before of [[], [opened], [lost()]]) {
      expect(live([...before, { type: 'close', close }])).toMatchObject({
        life: { state: 'closed', close },
        effects: [
          { type: 'deadline', ms: 0 },
          { type: 'disconnect', close },
        ],
      })
    }
  })
  test('is for good: nothing that comes later changes anything', () => {
    const { life } = live([opened, { type: 'close', close: { code: 1000, reason: '' } }])
    for (const input of [opened, message('e-9'), lost(), deadline, hello('e-9')]) {
      expect(step(life, input, options)).toEqual({ next: life, effects: [] })
    }
  })
})
