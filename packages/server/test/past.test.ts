import { memoryBroker } from '@eitherway/server'
import { expect, test } from 'vitest'
import { createPast, type Past } from '../src/past.ts'

const channels = ['room']

/** A channel with a thousand messages of 1 KiB, sixteen pages, and the position before each of them. */
async function start(): Promise<{ past: Past; positions: readonly string[] }> {
  const broker = memoryBroker()
  const positions = [await broker.position()]
  for (let at = 0; at < 1000; at += 1) {
    positions.push(await broker.publish('room', 'room', 'x'.repeat(1024)))
  }
  return { past: createPast(broker, () => 0), positions }
}

/** Reads all that came after. @returns where each page ended. */
async function read(past: Past, after: string): Promise<readonly (string | undefined)[]> {
  const ends: (string | undefined)[] = []
  let page = await past.page(channels, after)
  const { position } = page
  for (;;) {
    ends.push(page.messages.at(-1)?.id)
    if (page.next === undefined) return ends
    page = await past.page(channels, page.next, position)
  }
}

test('whoever comes from elsewhere is soon given the pages of the others', async () => {
  const { past, positions } = await start()
  const [, ...first] = await read(past, positions[0]!)
  for (const from of [7, 33, 59]) {
    const [, ...others] = await read(past, positions[from]!)
    expect(first).toEqual(expect.arrayContaining([...others]))
  }
})

test('nobody makes the pages of the others small by where he comes from', async () => {
  const { past, positions } = await start()
  const alone = await read(past, positions[0]!)
  const other = await start()
  // Each asks for what lies before the page of the one before, so that none holds an end that is known.
  for (const after of other.positions.toReversed()) await other.past.page(channels, after)
  const among = await read(other.past, other.positions[0]!)
  expect(among.length).toBeLessThanOrEqual(2 * alone.length)
})
