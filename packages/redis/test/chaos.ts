import { connect, type Listener } from '@eitherway/client'
import type { Gap } from '@eitherway/core'
import { seeded } from '@eitherway/core/testing'
import { createPublisher } from '@eitherway/redis'
import { Redis } from 'ioredis'
import { fromId, isAfter, nowhere } from '../src/position.ts'
import { startBalancer } from './balancer.ts'
import { channels } from './chaos-node.ts'
import { type Account, type Heard, judge, type Verdict } from './judge.ts'
import { eventually, type Program, startProgram } from './nodes.ts'
import { startRedis } from './server.ts'

export interface ChaosOptions {
  readonly seed: number
  /** How long things are broken, in seconds: what comes before and after is on top. */
  readonly seconds: number
  readonly clients: number
}

export interface ChaosReport extends Verdict {
  readonly confirmed: number
  /** Links that clients made. */
  readonly links: number
  readonly nodeKills: number
  readonly redisKills: number
  /** Of these, how often all was gone. */
  readonly losses: number
}

/** A place for a node: one that is killed is followed by another. */
interface Place {
  program: Program
  /** Whether it is to be led to, once it has a port. */
  isUp: boolean
}

const nodeCount = 3
/** A client may wait for half a minute before it tries again. */
const lateMs = 60_000

/**
 * Real nodes over a real Redis, all killed and started again as a seed says, while every client is led to any node that lives.
 * Redis writes each command to disk before it answers (`appendfsync always`), so that nothing is lost but what is flushed here.
 */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const undos: (() => PromiseLike<unknown>)[] = []
  try {
    return await run(options, (undo) => undos.push(undo))
  } finally {
    for (const undo of undos.reverse()) await undo()
  }
}

async function run(
  { seed, seconds, clients }: ChaosOptions,
  afterwards: (undo: () => PromiseLike<unknown>) => void,
): Promise<ChaosReport> {
  const redis = await startRedis('--appendonly', 'yes', '--appendfsync', 'always')
  afterwards(() => redis[Symbol.asyncDispose]())
  const programs: Program[] = []
  function startNode(begins: string): Program {
    const program = startProgram('chaos', String(redis.port), `n${programs.length}`, begins)
    programs.push(program)
    afterwards(() => program[Symbol.asyncDispose]())
    return program
  }
  const places: Place[] = Array.from({ length: nodeCount }, () => ({
    program: startNode('later'),
    isUp: true,
  }))
  const knows = ({ isUp, program }: Place) => isUp && program.lines.includes('open')
  await eventually(() => places.every(knows))

  // How often clients dial is not in the seed's hand: so it is drawn apart from the faults.
  const choose = seeded(seed)
  const balancer = await startBalancer(() => {
    const ports = places.flatMap((place) => (place.isUp ? portOf(place.program) : []))
    return ports[Math.floor(choose() * ports.length)]
  })
  afterwards(() => balancer[Symbol.asyncDispose]())
  const accounts = Array.from({ length: clients }, (_, number) => {
    const { account, client } = followBy(balancer.port, number)
    afterwards(() => client.close())
    return { account, client }
  })
  await eventually(() => accounts.every(({ client }) => client.state === 'open'), lateMs)

  const client = new Redis({ port: redis.port, host: '127.0.0.1', lazyConnect: true })
  const publisher = createPublisher({ client, timeoutMs: lateMs, history: { messages: 100_000 } })
  afterwards(async () => publisher.close())
  const confirmed: Heard[] = []
  async function say(channel: string, data: string, event?: string): Promise<void> {
    const id = await publisher.publish(channel, data, event === undefined ? {} : { event })
    confirmed.push({ id, channel, data })
  }
  await say('a', 'go')

  const end = performance.now() + seconds * 1_000
  const isOver = () => performance.now() >= end
  /** Fulfils then, or when all faults end. */
  const after = (ms: number) =>
    new Promise<void>((resolve) => {
      setTimeout(resolve, Math.max(0, Math.min(ms, end - performance.now())))
    })
  const said = () => programs.reduce((sum, { lines }) => sum + lines.filter(isSaid).length, 0)
  const newestId = () =>
    [
      ...confirmed.map(({ id }) => id),
      ...programs.flatMap(({ lines }) => lines.filter(isSaid).map(idOf)),
    ].reduce((newest, id) => (isAfter(positionOf(id), positionOf(newest)) ? id : newest))
  let nodeKills = 0
  let redisKills = 0
  const losses: string[] = []
  /** Knows what Redis had, and is spared until Redis has been told: with nobody left who knows, a gap would be right. */
  let keeper: Place | undefined

  async function breakNode(place: Place, random: () => number): Promise<void> {
    for (;;) {
      await after(500 + random() * 5_000)
      const downMs = 50 + random() * 1_500
      if (isOver()) return
      if (place === keeper || !places.some((one) => one !== place && knows(one))) continue
      place.isUp = false
      nodeKills += 1
      await place.program[Symbol.asyncDispose]()
      await after(downMs)
      place.program = startNode('at-once')
      place.isUp = true
    }
  }

  async function breakRedis(random: () => number): Promise<void> {
    for (;;) {
      await after(1_000 + random() * 5_000)
      const downMs = 50 + random() * 4_000
      const isLoss = random() < 0.25
      if (isOver()) return
      keeper = places.find(knows)
      if (keeper === undefined) continue
      if (isLoss) {
        // Of this life: it has been settled by a message since it began.
        losses.push(newestId())
        await redis.command('FLUSHALL')
      }
      redisKills += 1
      await redis.kill()
      await after(downMs)
      await redis.start()
      const before = said()
      await eventually(() => said() > before, lateMs)
      keeper = undefined
    }
  }

  await Promise.all([
    breakRedis(seeded(seed + 1)),
    ...places.map((place, at) => breakNode(place, seeded(seed + 2 + at))),
  ])
  await eventually(() => places.every(knows), lateMs)
  const isDone = () => places.every(({ program }) => program.lines.includes('done'))
  const patience = performance.now() + lateMs
  // More than once: a node that is told of a loss has not heard what was said in it.
  for (let count = 1; !isDone() && performance.now() < patience; count += 1) {
    await say('a', `stop ${count}`, 'stop')
    await eventually(isDone, 2_000).catch(() => undefined)
  }
  await eventually(isDone, 1)
  for (const channel of channels) await say(channel, `end of ${channel}`)
  // Who never comes so far is told apart by the verdict.
  const isThrough = ({ account, client }: (typeof accounts)[number]) => {
    const last = confirmed.findLast(({ channel }) => account.channels.includes(channel)) as Heard
    return !isAfter(positionOf(last.id), positionOf(client.lastEventId))
  }
  await eventually(() => accounts.every(isThrough), lateMs).catch(() => undefined)

  const lost = new Set<string>()
  for (const line of programs.flatMap(({ lines }) => lines)) {
    const [word, id = '', channel = '', data = ''] = line.split(' ')
    if (word === 'said') confirmed.push({ id, channel, data })
    else if (word === 'lost') lost.add(id)
  }
  const verdict = judge({
    confirmed,
    lost,
    losses,
    accounts: accounts.map(({ account, client }) => ({ ...account, position: client.lastEventId })),
  })
  return {
    ...verdict,
    confirmed: confirmed.length,
    links: balancer.count(),
    nodeKills,
    redisKills,
    losses: losses.length,
  }
}

/** The client of that number: most by `sse` and `ws` in turn, a tenth by `sse+post`. */
function followBy(
  port: number,
  number: number,
): { readonly account: Omit<Account, 'position'>; readonly client: Listener } {
  const transport = number % 10 === 4 ? 'sse+post' : number % 2 === 0 ? 'sse' : 'ws'
  const followed = ['a', number % 3 === 0 ? 'b' : 'c']
  const told: (Heard | Gap)[] = []
  const client: Listener = connect(`http://127.0.0.1:${port}/live`, {
    transport,
    channels: followed,
    onError: () => undefined, // links are broken on purpose
  })
  client.onGap((gap) => told.push(gap))
  for (const channel of followed) {
    client.on(channel, (data, { id }) => told.push({ id, channel, data: String(data) }))
  }
  client.on('stop', (data, { id }) => told.push({ id, channel: 'a', data: String(data) }))
  return { account: { name: `client ${number} (${transport})`, channels: followed, told }, client }
}

const isSaid = (line: string) => line.startsWith('said ')
const idOf = (line: string) => line.split(' ')[1] as string
const positionOf = (id: string) => fromId(id) ?? nowhere

function portOf({ lines }: Program): number[] {
  const line = lines.find((one) => one.startsWith('port '))
  return line === undefined ? [] : [Number(line.slice(5))]
}
