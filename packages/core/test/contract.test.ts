import { ContractError, defineContract, type StandardSchema, types } from '@eitherway/core/contract'
import { expect, test } from 'vitest'

/** A schema of so many lines: text only, heard in capitals. */
const shout: StandardSchema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof value === 'string'
        ? { value: value.toUpperCase() }
        : { issues: [{ message: `${String(value)} is no text` }, { message: 'really', path: [] }] },
  },
}
/** The same, in its own time. */
const slowly: StandardSchema<string> = {
  '~standard': { ...shout['~standard'], validate: async (value) => await shout['~standard'].validate(value) },
}
const pathed: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: () => ({ issues: [{ message: 'no', path: ['a', 0, { key: 'b' }, Symbol('c')] }] }),
  },
}
const contract = defineContract({
  down: { prices: shout },
  up: { chat: slowly, deep: pathed },
  requests: { ask: { input: shout, output: slowly } },
})

const errorOf = async (run: () => unknown): Promise<unknown> => {
  try {
    await run()
  } catch (error) {
    return error
  }
  throw new Error('it was let through')
}

test('what a schema makes of a value is what is heard, at once or in its time', async () => {
  expect(contract.check?.('down', 'prices', 'up')).toBe('UP')
  expect(contract.check?.('input', 'ask', 'why')).toBe('WHY')
  const slow = contract.check?.('up', 'chat', 'hi')
  expect(slow).toBeInstanceOf(Promise)
  expect(await slow).toBe('HI')
})

test.each(['down', 'output'] as const)('what a schema refuses is a ContractError: %s', async (part) => {
  const error = await errorOf(() => contract.check?.(part, part === 'down' ? 'prices' : 'ask', 42))
  expect(error).toBeInstanceOf(ContractError)
  expect(error).toMatchObject({
    part,
    issues: [
      { message: '42 is no text', path: [] },
      { message: 'really', path: [] },
    ],
  })
})

test('the error says where, and neither it nor a log of it shows a piece of the value', async () => {
  const error = await errorOf(() => contract.check?.('up', 'deep', { secret: 1 }))
  expect(error).toMatchObject({
    message: 'a message of event "deep" is not what the contract says at "a.0.b.Symbol(c)"',
    issues: [{ message: 'no', path: ['a', 0, 'b', 'Symbol(c)'] }],
  })
  const { inspect } = await import('node:util')
  expect(inspect(await errorOf(() => contract.check?.('down', 'prices', 42)))).not.toContain('42')
})

test.each([
  ['down', 'chat'],
  ['up', 'prices'],
  ['input', 'prices'],
  ['down', 'toString'],
  ['down', '__proto__'],
] as const)('a name that is not agreed on is refused: %s %s', async (part, name) => {
  expect(await errorOf(() => contract.check?.(part, name, 'x'))).toMatchObject({
    name: 'ContractError',
    issues: [{ message: 'the contract has no such name', path: [] }],
  })
})

test('a contract without a direction agrees on nothing in it', () => {
  expect(() => defineContract({}).check?.('up', 'chat', 1)).toThrow(ContractError)
})

test('a name that is none, and what is no schema, are refused when the contract is made', () => {
  expect(() => defineContract({ down: { '~x': shout } })).toThrow('must not start with "~"')
  expect(() => defineContract({ requests: { ['x'.repeat(201)]: { input: shout, output: shout } } })).toThrow(
    'at most 200 bytes',
  )
  expect(() => defineContract({ up: { chat: {} as StandardSchema } })).toThrow(
    'up "chat" of the contract must be a Standard Schema, got Object',
  )
})

test('a contract in types alone checks nothing', () => {
  expect(types<{ up: { chat: string } }>()).toEqual({})
})
