import { readdirSync, readFileSync } from 'node:fs'
import { seeded } from '@eitherway/core/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mutate, shrink } from './fuzz/mutation.ts'
import { attempt, maxInputBytes, toBytes } from './fuzz/target.ts'
import { targets } from './fuzz/targets.ts'

const folder = new URL('./fuzz/findings/', import.meta.url)
/** Whatever `npm run fuzz` has ever found, by the name of its target and a hash. */
const findings = readdirSync(folder).filter((name) => !name.endsWith('.md'))

describe.each(targets)('$name', (target) => {
  test('bears its seeds and all that was ever found', async () => {
    const found = findings.filter((name) => name.startsWith(`${target.name}-`))
    const inputs = [...target.seeds.map(toBytes), ...found.map((name) => readFileSync(new URL(name, folder)))]
    for (const input of inputs) await attempt(target, new Uint8Array(input))
  })

  test('bears what is made of them', async () => {
    const random = seeded(20_261_125)
    const seeds = target.seeds.map(toBytes)
    const words = target.words.map(toBytes)
    const any = () => seeds[Math.floor(random() * seeds.length)] as Uint8Array
    for (let run = 0; run < 400; run += 1) {
      await attempt(target, mutate(any(), any(), words, random, maxInputBytes))
    }
  })

  test('bears pieces that mean something, in any order', async () => {
    const pieces = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...target.words, ...target.seeds).map(toBytes) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 24 }), (parts) => attempt(target, Buffer.concat(parts))),
      { seed: 20_261_125, numRuns: 200 },
    )
  })
})

test('every finding belongs to a target', () => {
  for (const name of findings) {
    expect(targets.some((target) => name.startsWith(`${target.name}-`))).toBe(true)
  }
})

test('a finding is made as small as it goes', async () => {
  const input = toBytes(`${'x'.repeat(300)}\n${'y'.repeat(40)}z`)
  const small = await shrink(input, async (bytes) => bytes.includes(10) && bytes.includes(122))
  expect(Buffer.from(small).toString()).toBe('\nz')
})
