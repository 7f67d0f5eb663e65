import { createHash } from 'node:crypto'
import type { Argument, IoredisClient } from '@eitherway/redis'
import { createLua, type Reply } from './lua.ts'

/** A client of a Redis that exists only in memory and time that is given, and what can be done to it. */
export interface FakeRedis {
  /** As a client of `ioredis`. */
  readonly client: IoredisClient
  /** Breaks every connection. What is under way fails, whether it was done or not. */
  cut(): void
  /** The next commands are done, and nobody is told: the connection breaks instead. */
  forgetAnswers(count: number): void
  /** Nothing is done for so long. */
  pause(ms: number): void
  /** For so long it refuses whatever takes memory, unless a script has begun to write. */
  fill(ms: number): void
  /** Nobody listens for so long; then it is another process, with the data of some time ago. */
  restart(downMs: number, data: 'all' | 'none' | Snapshot): void
  /** What it holds now. */
  snapshot(): Snapshot
  /** No more faults. */
  calm(): void
}

/** Everything that a Redis holds. */
export type Snapshot = ReadonlyMap<string, Value>

interface Stream {
  last: string
  entries: [id: string, fields: string[]][]
}
type Value = string | Map<string, string> | Map<string, number> | Stream

interface FakeOptions {
  readonly random: () => number
  /** The longest that a command or its answer takes, in milliseconds. */
  readonly delayMs: number
  /** Hears what is added to a stream. */
  readonly onAdd: (key: string, id: string, fields: readonly string[]) => void
}

/** Makes an empty one. Bytes are text in it, a character for each. */
export function createFakeRedis({ random, delayMs, onAdd }: FakeOptions): FakeRedis {
  let data = new Map<string, Value>()
  let life = 1
  let micros = 0
  let isDown = false
  let pausedUntil = 0
  let fullUntil = 0
  /** The script that runs has written. */
  let isDirty = false
  let forgetting = 0
  let delay = delayMs
  const wires = new Set<() => void>()
  const readers = new Set<() => void>()
  const lua = createLua((args) => admit(args))
  const scripts = new Map<string, string>()

  function read<T extends Value>(key: string): T | undefined {
    return data.get(key) as T | undefined
  }
  function map<T>(key: string): Map<string, T> {
    let found = data.get(key) as Map<string, T> | undefined
    if (found === undefined) {
      found = new Map()
      data.set(key, found as Value)
    }
    return found
  }
  function stream(key: string): Stream {
    let found = read<Stream>(key)
    if (found === undefined) {
      found = { last: '0-0', entries: [] }
      data.set(key, found)
    }
    return found
  }
  const sorted = (key: string) =>
    [...(read<Map<string, number>>(key) ?? [])].sort(
      ([a, one], [b, other]) => one - other || (a < b ? -1 : 1),
    )

  function range(key: string, from: string, to: string, isReverse: boolean, count: number): Reply {
    const found = (read<Stream>(key)?.entries ?? []).filter(
      ([id]) =>
        (from === '-' || (from.startsWith('(') ? compare(id, from.slice(1)) > 0 : compare(id, from) >= 0)) &&
        (to === '+' || compare(id, to) <= 0),
    )
    if (isReverse) found.reverse()
    return found.slice(0, count)
  }

  function admit(args: readonly string[]): Reply {
    const [name = ''] = args
    if (takesMemory.has(name) && !isDirty && performance.now() < fullUntil)
      throw new Error("OOM command not allowed when used memory > 'maxmemory'.")
    if (takesMemory.has(name) || frees.has(name)) isDirty = true
    return perform(args)
  }

  function perform([name = '', key = '', ...args]: readonly string[]): Reply {
    switch (name) {
      case 'TIME':
        // No two lives begin in one microsecond.
        micros = Math.max(Date.now() * 1_000, micros + 1)
        return [String(Math.floor(micros / 1e6)), String(micros % 1e6)]
      case 'INFO':
        return `# Server\r\nrun_id:life${life}\r\n`
      case 'EXISTS':
        return data.has(key) ? 1 : 0
      case 'DEL':
      case 'UNLINK':
        for (const one of [key, ...args]) data.delete(one)
        return 1
      case 'GET':
        return read<string>(key) ?? null
      case 'SET':
        data.set(key, args[0] as string)
        return 'OK'
      case 'PEXPIRE':
        return 1
      case 'HGET':
        return read<Map<string, string>>(key)?.get(args[0] as string) ?? null
      case 'HMGET':
        return args.map((field) => read<Map<string, string>>(key)?.get(field) ?? null)
      case 'HSET':
        for (let at = 0; at < args.length; at += 2)
          map<string>(key).set(args[at] as string, args[at + 1] as string)
        return 1
      case 'HDEL':
      case 'ZREM': {
        const found = read<Map<string, string>>(key)
        for (const field of args) found?.delete(field)
        if (found?.size === 0) data.delete(key)
        return 1
      }
      case 'HKEYS':
        return [...(read<Map<string, string>>(key)?.keys() ?? [])]
      case 'HLEN':
      case 'ZCARD':
        return read<Map<string, string>>(key)?.size ?? 0
      case 'ZADD':
        for (let at = 0; at < args.length; at += 2)
          map<number>(key).set(args[at + 1] as string, Number(args[at]))
        return 1
      case 'ZSCORE': {
        const score = read<Map<string, number>>(key)?.get(args[0] as string)
        return score === undefined ? null : String(score)
      }
      case 'ZRANGE': {
        const to = args[1] === '-1' ? Number.POSITIVE_INFINITY : Number(args[1]) + 1
        const found = sorted(key).slice(Number(args[0]), to)
        return args[2] === 'WITHSCORES'
          ? found.flatMap(([member, score]) => [member, String(score)])
          : found.map(([member]) => member)
      }
      case 'ZRANGEBYSCORE':
        return sorted(key).flatMap(([member, score]) => (score >= Number(args[0]) ? [member] : []))
      case 'ZREMRANGEBYSCORE':
        for (const [member, score] of sorted(key)) {
          if (score <= Number(args[1])) read<Map<string, number>>(key)?.delete(member)
        }
        return 1
      case 'XLEN':
        return read<Stream>(key)?.entries.length ?? 0
      case 'XADD': {
        const found = stream(key)
        const id = args[0] === '*' ? following(found.last) : (args[0] as string)
        if (compare(id, found.last) <= 0)
          throw new Error('ERR The ID specified in XADD is equal or smaller than the target stream top item')
        found.last = id
        found.entries.push([id, args.slice(1)])
        onAdd(key, id, args.slice(1))
        for (const wake of readers) wake()
        return id
      }
      case 'XRANGE':
      case 'XREVRANGE': {
        const [from = '-', to = '+'] = name === 'XRANGE' ? args : [args[1], args[0]]
        return range(key, from, to, name === 'XREVRANGE', Number(args[3] ?? Number.POSITIVE_INFINITY))
      }
      case 'XTRIM': {
        const found = read<Stream>(key)
        if (found === undefined) return 0
        found.entries = found.entries.filter(([id]) => compare(id, args[1] as string) >= 0)
        return 1
      }
      default:
        throw new Error(`ERR the fake knows no ${name}`)
    }
  }

  function readStreams(args: readonly string[]): Reply {
    const names = args.slice(args.indexOf('STREAMS') + 1)
    const half = names.length / 2
    const found = names.slice(0, half).flatMap((key, at) => {
      const entries = range(key, `(${names[half + at]}`, '+', false, 64) as Reply[]
      return entries.length === 0 ? [] : [[key, entries]]
    })
    return found.length === 0 ? null : found
  }

  function run(args: readonly string[]): Reply {
    const [name, script = '', count, ...rest] = args
    if (name === 'EVAL') scripts.set(sha(script), script)
    const text = name === 'EVAL' ? script : scripts.get(script)
    if (text === undefined) throw new Error('NOSCRIPT No matching script. Please use EVAL.')
    return lua(text, rest.slice(0, Number(count)), rest.slice(Number(count)))
  }

  const shas = new Map<string, string>()
  /** The same as the client's: it asks by that of a text that it has. */
  function sha(text: string): string {
    let found = shas.get(text)
    if (found === undefined) {
      found = createHash('sha1').update(text, 'latin1').digest('hex')
      shas.set(text, found)
    }
    return found
  }

  function open(): IoredisClient {
    let isBroken = false
    const failures = new Set<(error: Error) => void>()
    function end(): void {
      isBroken = true
      wires.delete(end)
      for (const fail of failures) fail(new Error('Connection is closed.'))
    }
    wires.add(end)
    let before: Promise<unknown> = Promise.resolve()

    async function handle(args: readonly string[]): Promise<Reply> {
      await pass(random() * delay)
      while (performance.now() < pausedUntil) await pass(pausedUntil - performance.now())
      if (isDown) end()
      if (isBroken) throw new Error('Connection is closed.')
      let reply: Reply
      if (args[0] === 'XREAD') reply = await block(args)
      else {
        isDirty = false
        reply = args[0]?.startsWith('EVAL') ? run(args) : admit(args)
      }
      if (args[0]?.startsWith('EVAL') && forgetting > 0) {
        forgetting -= 1
        end()
      }
      await pass(random() * delay)
      return reply
    }

    function block(args: readonly string[]): Reply | Promise<Reply> {
      const found = readStreams(args)
      if (found !== null) return found
      return new Promise((resolve) => {
        const finish = (reply: Reply) => {
          clearTimeout(timer)
          readers.delete(wake)
          failures.delete(stop)
          resolve(reply)
        }
        const stop = () => finish(null)
        const timer = setTimeout(stop, Number(args[args.indexOf('BLOCK') + 1]))
        const wake = () => {
          const found = readStreams(args)
          if (found !== null) finish(found)
        }
        readers.add(wake)
        failures.add(stop)
      })
    }

    return {
      callBuffer(command: string, rest: Argument[]) {
        const args = [command, ...rest].map((one) =>
          typeof one === 'string' ? Buffer.from(one).toString('latin1') : one.toString('latin1'),
        )
        return new Promise((resolve, reject) => {
          const settle = () => failures.delete(fail)
          const fail = (error: Error) => {
            settle()
            reject(error)
          }
          if (isBroken) {
            reject(new Error('Connection is closed.'))
            return
          }
          failures.add(fail)
          before = before
            .then(() => handle(args))
            .then(
              (reply) => {
                settle()
                resolve(toBuffers(reply))
              },
              (error) => fail(error),
            )
        })
      },
      duplicate: open,
      disconnect: end,
      on: () => undefined,
    }
  }

  const cut = () => {
    for (const end of [...wires]) end()
  }
  return {
    client: open(),
    cut,
    forgetAnswers(count) {
      forgetting = count
    },
    pause(ms) {
      pausedUntil = performance.now() + ms
    },
    fill(ms) {
      fullUntil = performance.now() + ms
    },
    restart(downMs, kept) {
      isDown = downMs > 0
      cut()
      life += 1
      scripts.clear()
      if (kept === 'none') data = new Map()
      else if (kept !== 'all') data = structuredClone(kept) as Map<string, Value>
      if (isDown)
        setTimeout(() => {
          isDown = false
        }, downMs)
    },
    snapshot: () => structuredClone(data),
    calm() {
      forgetting = 0
      pausedUntil = 0
      fullUntil = 0
      isDown = false
      delay = Math.min(delay, 20)
    },
  }
}

/** Of the commands that are used: those that Redis marks as such, and those that write all the same. */
const takesMemory = new Set(['SET', 'HSET', 'ZADD', 'XADD'])
const frees = new Set(['DEL', 'UNLINK', 'HDEL', 'ZREM', 'ZREMRANGEBYSCORE', 'XTRIM', 'PEXPIRE'])

const pass = (ms: number): Promise<void> =>
  ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))

function compare(one: string, other: string): number {
  const [ms = 0, number = 0] = one.split('-').map(Number)
  const [otherMs = 0, otherNumber = 0] = other.split('-').map(Number)
  return ms - otherMs || number - otherNumber
}

function following(last: string): string {
  const [ms = 0, number = 0] = last.split('-').map(Number)
  return Date.now() > ms ? `${Date.now()}-0` : `${ms}-${number + 1}`
}

function toBuffers(reply: Reply): unknown {
  if (typeof reply === 'string') return Buffer.from(reply, 'latin1')
  return Array.isArray(reply) ? reply.map(toBuffers) : reply
}
