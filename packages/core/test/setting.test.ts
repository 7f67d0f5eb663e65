import { checkFunction, checkNumber, checkOptions, checkWhole, type OptionNames } from '@eitherway/core'
import { describe, expect, test } from 'vitest'

const unlimited = Number.POSITIVE_INFINITY

describe('a size or a count', () => {
  test.each([
    [1, undefined, undefined],
    [Number.MAX_SAFE_INTEGER, undefined, undefined],
    [0, 0, undefined],
    [300, 1, 300],
    [unlimited, 1, unlimited],
  ])('%s is one', (value, least, most) => {
    expect(() => checkWhole('maxQueuedBytes', value, least, most)).not.toThrow()
  })

  test.each([
    [0, undefined, undefined, 'of 1 or more, got 0'],
    [1.5, undefined, undefined, 'of 1 or more, got 1.5'],
    [Number.NaN, undefined, undefined, 'of 1 or more, got NaN'],
    ['64' as never, undefined, undefined, 'of 1 or more, got "64"'],
    [null as never, 0, undefined, 'of 0 or more, got null'],
    [2 ** 53, undefined, undefined, 'of 1 or more, got 9007199254740992'],
    [unlimited, undefined, undefined, 'of 1 or more, got Infinity'],
    [301, 1, 300, 'from 1 to 300, got 301'],
    [0, 1, unlimited, 'of 1 or more, got 0'],
  ])('%s is none', (value, least, most, message) => {
    const check = () => checkWhole('maxQueuedBytes', value, least, most)
    expect(check).toThrow(new TypeError(`\`maxQueuedBytes\` must be a whole number ${message}`))
  })
})

describe('names', () => {
  interface Options {
    readonly path?: string
    readonly retryMs?: number
  }
  const names: OptionNames<Options> = { path: true, retryMs: true }

  test.each<[options: Options | undefined]>([
    [undefined],
    [{}],
    [{ path: '/' }],
    [{ path: '/', retryMs: 1 }],
    [Object.create({ inherited: 1 })],
  ])('%o has none but those', (options) => {
    expect(() => checkOptions('serve', options, names)).not.toThrow()
  })

  test.each([
    [{ retryms: 1 }, 'retryms'],
    [{ path: '/', retry: undefined }, 'retry'],
    [{ toString: 1 }, 'toString'],
    [JSON.parse('{"__proto__":1}'), '__proto__'],
  ])('%o has another', (options, name) => {
    const check = () => checkOptions<Options>('serve', options, names)
    expect(check).toThrow(new TypeError(`\`serve\` has no option "${name}"; it has \`path\`, \`retryMs\``))
  })

  test.each([
    ['/live', '"/live"'],
    [5, '5'],
    [false, 'false'],
  ])('%s holds none', (options, got) => {
    const check = () => checkOptions<Options>('serve', options as never, names)
    expect(check).toThrow(new TypeError(`the options of \`serve\` must be an object, got ${got}`))
  })
})

describe('a function', () => {
  test('is one', () => {
    expect(() => checkFunction('handler', () => undefined)).not.toThrow()
  })

  test.each([
    [undefined, 'undefined'],
    ['chat', '"chat"'],
    [{}, 'Object'],
  ])('%s is none', (value, got) => {
    const check = () => checkFunction('handler', value)
    expect(check).toThrow(new TypeError(`\`handler\` must be a function, got ${got}`))
  })
})

describe('a duration', () => {
  test.each([
    [0, undefined, undefined],
    [0.5, 0, 300],
    [300, 0, 300],
    [unlimited, undefined, undefined],
  ])('%s is one', (value, least, most) => {
    expect(() => checkNumber('ageMs', value, least, most)).not.toThrow()
  })

  test.each([
    [-0.1, undefined, undefined, 'of 0 or more, got -0.1'],
    [Number.NaN, undefined, undefined, 'of 0 or more, got NaN'],
    ['5' as never, 0, 300, 'from 0 to 300, got "5"'],
    [unlimited, 0, 300, 'from 0 to 300, got Infinity'],
  ])('%s is none', (value, least, most, message) => {
    const check = () => checkNumber('ageMs', value, least, most)
    expect(check).toThrow(new TypeError(`\`ageMs\` must be a number ${message}`))
  })
})
