import { expect, test } from 'vitest'
import { StampReader, stamped } from '../stamp.mjs'

const instants = [1, 4_611_686_018_427, 8_765_432_109_876_543]

/** With lone `@`s before, between and behind, as lengths of WebSocket can be. */
const stream = Buffer.from(
  `@\x81@${instants.map((instant) => `data: "${stamped(instant, 'padding')}"\n\n@@`).join('@1@')}`,
)

function heardIn(pieces: readonly Buffer[]): number[] {
  const heard: number[] = []
  const reader = new StampReader()
  const memory = Buffer.alloc(stream.length)
  for (const piece of pieces) {
    piece.copy(memory)
    reader.read(memory.subarray(0, piece.length), (instant) => heard.push(instant))
  }
  return heard
}

test('each stamp is heard once, cut anywhere', () => {
  expect(heardIn([stream])).toEqual(instants)
  expect(heardIn(Array.from(stream, (byte) => Buffer.of(byte)))).toEqual(instants)
  for (let cut = 1; cut < stream.length; cut++) {
    expect(heardIn([stream.subarray(0, cut), stream.subarray(cut)]), `cut at ${cut}`).toEqual(instants)
  }
})

test('a stamped message is as long whenever it is sent', () => {
  expect(new Set(instants.map((instant) => stamped(instant, 'x').length)).size).toBe(1)
})
