import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { names } from '../contender.mjs'
import { markers, optionsOf, scenarioNames, splitAtMarkers } from '../options.mjs'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eitherway-bench-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('without options everything is measured, by everyone', () => {
  const { scenarios, contenders, settings, help, against } = optionsOf([])
  expect(scenarios).toEqual(scenarioNames)
  expect(contenders).toEqual(names)
  expect(settings).toMatchObject({ isQuick: false, rounds: 15, seed: 1 })
  expect({ help, against }).toEqual({ help: false, against: undefined })
})

test('what was asked for, each once and in the order of the report', () => {
  const { scenarios, contenders, settings } = optionsOf(
    '--only burst,fanout,burst --contenders ours-ws,raw-net --n 1000,100,100 --bytes 16 --rounds 3 --seed 0'.split(
      ' ',
    ),
  )
  expect(scenarios).toEqual(['fanout', 'burst'])
  expect(contenders).toEqual(['raw-net', 'ours-ws'])
  expect(settings).toMatchObject({ clients: [100, 1000], bytes: [16], rounds: 3, seed: 0 })
})

test('a quick run is smaller', () => {
  const whole = optionsOf([]).settings
  const quick = optionsOf(['--quick']).settings
  expect(quick.isQuick).toBe(true)
  expect(quick.crowdClients).toBeLessThan(whole.crowdClients)
  expect(quick.rounds).toBeLessThan(whole.rounds)
})

test.each([
  ['--only fanot', '--only knows fanout'],
  ['--only=', 'got ""'],
  ['--contenders ours', 'got "ours"'],
  ['--n 0', '--n must be whole numbers from 1 to 19000, got "0"'],
  ['--n 20000', 'got "20000"'],
  ['--n 1e3', 'got "1e3"'],
  ['--n 100,', 'got "100,"'],
  ['--bytes 15', '--bytes must be whole numbers from 16 to 1000000, got "15"'],
  ['--rounds 3,4', '--rounds must be one number, got "3,4"'],
  ['--rounds -1', '--help tells what there is'],
  ['--seed 4294967296', 'got "4294967296"'],
  ['--against=-q', '--against must be a commit, got "-q"'],
  ['--markdown /nowhere/tables.md', 'there is no file /nowhere/tables.md'],
  ['--what', '--help tells what there is'],
  ['fanout', '--help tells what there is'],
])('%s is refused in one line', (line, part) => {
  let message = ''
  try {
    optionsOf(line.split(' '))
  } catch (error) {
    message = (error as Error).message
  }
  expect(message).toContain(part)
  expect(message).not.toContain('\n')
})

test('tables go between the markers, and nowhere else', () => {
  const file = join(folder, 'page.md')
  writeFileSync(file, `before\n${markers[0]}\nold\n${markers[1]}\nbehind\n`)
  expect(splitAtMarkers(file)).toEqual([`before\n${markers[0]}`, `${markers[1]}\nbehind\n`])
  for (const text of ['', markers[0], markers[1], `${markers[1]}\n${markers[0]}`]) {
    writeFileSync(file, text)
    expect(() => splitAtMarkers(file)).toThrow('page.md lacks the lines')
  }
})
