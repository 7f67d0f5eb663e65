import { expect, test } from 'vitest'
import { createWire } from '../src/page/wire.ts'

test('bytes per message are those between two readings, without what came before', () => {
  const wire = createWire()
  wire.add(0, { connection: 1, bytes: 5000, seq: 100 })
  expect(wire.bytesPerMessage).toBeUndefined()
  wire.add(1000, { connection: 1, bytes: 7000, seq: 120 })
  expect(wire.bytesPerMessage).toBe(100)
  expect(wire.bytes).toBe(7000)
})

test('readings of a connection that is gone do not count', () => {
  const wire = createWire()
  wire.add(0, { connection: 1, bytes: 5000, seq: 100 })
  wire.add(1000, { connection: 2, bytes: 10, seq: 120 })
  expect(wire.bytes).toBe(10)
  expect(wire.bytesPerMessage).toBeUndefined()
})

test('readings that are too old do not count', () => {
  const wire = createWire()
  wire.add(0, { connection: 1, bytes: 0, seq: 0 })
  wire.add(9000, { connection: 1, bytes: 900_000, seq: 10 })
  wire.add(11_000, { connection: 1, bytes: 900_500, seq: 20 })
  expect(wire.bytesPerMessage).toBe(50)
})
