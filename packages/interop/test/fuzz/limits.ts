import { createServer } from 'node:http'
import { clampRetryMs, isDeeper, maxRetryMs, minRetryMs, retryAfterMs } from '@eitherway/core'
import { assert, assertEqual } from '@eitherway/core/testing'
import { createHub, memoryBroker, serve } from '@eitherway/server'
import type { Target } from './target.ts'

const textOf = (input: Uint8Array) => new TextDecoder().decode(input)

export const depth: Target = {
  name: 'depth',
  seeds: ['[[{"a":[1,"\\"]"]}]]', '{"a":{"b":{"c":"[[["}}}', `${'['.repeat(20)}${']'.repeat(20)}`],
  words: ['[', ']', '{"a":', '}', '"', '\\', '\\"', '\\u005b', ',', '1e9', 'null', ' '],
  run(input) {
    const text = textOf(input)
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      // Not JSON: it must be borne all the same.
      isDeeper(text, 4)
      return
    }
    const levels = levelsOf(value)
    for (const limit of [0, 1, 2, 3, 8, 64]) {
      const found = isDeeper(text, limit)
      assert(found || levels <= limit, `${levels} levels pass a limit of ${limit}`)
      // What JSON.parse drops, a key that comes twice, may be deeper than what it keeps.
      if (!/"\s*:/.test(text)) assertEqual(found, levels > limit, `${levels} levels, a limit of ${limit}`)
    }
  },
}

function levelsOf(value: unknown): number {
  let levels = 0
  for (let row: unknown[] = [value]; ; levels += 1) {
    const nested = row.filter((each) => typeof each === 'object' && each !== null) as object[]
    if (nested.length === 0) return levels
    row = nested.flatMap((each) => Object.values(each))
  }
}

/** Positions that somebody names: whatever they are, nobody gets what was not asked for or comes before. */
export const positions: Target = {
  name: 'positions',
  seeds: ['EPOCH-0', 'EPOCH-3', 'EPOCH-99', 'other-1', '', 'EPOCH-000', 'EPOCH-999999999999999'],
  words: ['EPOCH', '-', '0', '9', '1e3', '-1', ' ', '\n', '__proto__', '\xc2\xb2', '0x1'],
  async run(input) {
    const broker = memoryBroker({ messages: 3 })
    const first = await broker.publish('mine', 'e', '1')
    const epoch = first.split('-')[0] as string
    for (let at = 0; at < 3; at += 1) {
      await broker.publish('mine', 'e', 'mine')
      await broker.publish('theirs', 'e', 'secret')
    }
    const after = textOf(input).replaceAll('EPOCH', epoch)
    for (const channels of [['mine'], ['__proto__', 'constructor'], []]) {
      const { messages, gap, position, next } = await broker.history(channels, after)
      const asked = Number(new RegExp(`^${epoch}-(\\d{1,15})$`).exec(after)?.[1] ?? Number.NaN)
      assert(messages.length === 0 || channels.includes('mine'), 'replays a channel that nobody asked for')
      assert(
        messages.length === 0 || asked >= 0,
        `replays after ${JSON.stringify(after)}, which is no position`,
      )
      for (const { id, data } of messages) {
        assert(data !== 'secret', 'replays another channel')
        assert(Number(id.split('-')[1]) > asked, `replays ${id} after ${after}`)
      }
      assert(
        gap !== undefined || asked <= 7,
        `says nothing of a position that never was: ${JSON.stringify(after)}`,
      )
      assertEqual([position, next], [`${epoch}-7`, undefined], 'where it ends')
    }
  },
}

export const durations: Target = {
  name: 'durations',
  seeds: ['120', 'Wed, 21 Oct 2026 07:28:00 GMT', '-1', '1e9', '9'.repeat(400)],
  words: ['0', '9', '-', '.', 'e', ' ', 'GMT', 'Infinity', 'NaN', '2026', '275760-09-13'],
  run(input) {
    const ms = retryAfterMs(textOf(input), 0)
    assert(ms === undefined || ms > 0, `a wait of ${ms}`)
    const waited = clampRetryMs(ms ?? Number(textOf(input)))
    assert(waited >= minRetryMs && waited <= maxRetryMs, `waits ${waited}`)
  },
}

/** Hosts and origins in the settings: taken as they will be compared, or refused by a TypeError. */
export const gateSettings: Target = {
  name: 'gate-settings',
  seeds: ['app.example', '[::1]:8080', 'https://app.example:8443', 'null', 'capacitor://localhost', '*'],
  words: [
    'https://',
    'http://',
    ':',
    ':443',
    ':80',
    '/',
    '@',
    '*',
    '.',
    '[::1]',
    '#',
    '?',
    '\\',
    '%',
    'xn--',
    '\0',
  ],
  run(input) {
    const text = textOf(input)
    for (const options of [
      { hosts: [text] },
      { origins: [text] },
      { allowedHeaders: [text] },
      { path: text },
    ]) {
      try {
        serve(createHub({ heartbeatMs: 0 }), createServer(), { path: '/live', ...options })
      } catch (error) {
        assert(error instanceof TypeError, `refused by ${String(error)}`)
      }
    }
  },
}
