import { createHooks } from '@eitherway/react'
import { createElement as h } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, test } from 'vitest'
import { createHold } from '../src/hold.ts'

const { Provider, useConnection, useReduced, useClient } = createHooks()

function Status() {
  const { state } = useConnection()
  const sum = useReduced('news', () => 2, 1)
  return h('p', null, `${state} ${sum} ${useClient()}`)
}

test('a hook without its provider says what is missing', () => {
  expect(() => renderToString(h(Status))).toThrow('put the `Provider` of the same `createHooks` above')
})

test('on a server a provider connects nothing', () => {
  const connect = () => {
    throw new Error('connected')
  }
  expect(renderToString(h(Provider, { connect }, h(Status)))).toBe('<p>connecting 1 undefined</p>')
})

test('what is released and held again within a turn goes on, and ends with the turn of its last release', async () => {
  const told: string[] = []
  const hold = createHold(() => {
    told.push('begun')
    return () => told.push('ended')
  })
  const first = hold()
  first()
  const again = hold()
  await Promise.resolve()
  expect(told).toEqual(['begun'])
  again()
  expect(told).toEqual(['begun'])
  await Promise.resolve()
  expect(told).toEqual(['begun', 'ended'])
  hold()
  expect(told).toEqual(['begun', 'ended', 'begun'])
})
