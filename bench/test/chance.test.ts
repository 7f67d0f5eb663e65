import { expect, test } from 'vitest'
import { createChance } from '../chance.mjs'

const items = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const ordersOf = (seed: number, count: number) => {
  const chance = createChance(seed)
  return Array.from({ length: count }, () => chance.shuffled(items).join(''))
}

test('a seed decides the orders', () => {
  expect(ordersOf(1, 20)).toEqual(ordersOf(1, 20))
  expect(ordersOf(1, 20)).not.toEqual(ordersOf(2, 20))
})

test('each order has each once, and what was given stays', () => {
  const given = [...items]
  expect([...createChance(7).shuffled(given)].sort()).toEqual(items)
  expect(given).toEqual(items)
  expect(createChance(7).shuffled([])).toEqual([])
})

test('each comes about equally often to each place', () => {
  const orders = ordersOf(3, 8000)
  for (const item of items) {
    for (const place of items.keys()) {
      const share = orders.filter((order) => order[place] === item).length
      expect(Math.abs(share - 1000), `${item} at ${place}`).toBeLessThan(150)
    }
  }
})
