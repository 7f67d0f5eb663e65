import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import type { Contender } from './contender.ts'
import { within } from './scenarios/hear.ts'
import { createTally, type Tally } from './tally.ts'

/** Settings of {@link openCrowd}. */
export interface CrowdOptions {
  readonly origin: string
  /** What kind of clients they are. Their own code is not run: only what it says to the server. */
  readonly row: Pick<Contender, 'transport' | 'house'>
  readonly size: number
  readonly channel: string
  readonly signal: AbortSignal
}

/** Many clients on raw sockets that only count: they cost less than what they load. */
export interface Crowd extends AsyncDisposable {
  readonly size: number
  /** How many messages each has heard. */
  readonly messages: readonly number[]
  /** Of all their streams. */
  readonly bytes: number
  /** Fulfils once each has heard so many. @throws Error (by rejection) when one is lost, or nothing more comes. */
  reach(messages: number): Promise<void>
  /** Waits until all that has arrived is counted. @throws Error when one has not heard exactly so many. */
  expect(messages: number): Promise<void>
}

/** This machine lets nobody open so many connections. Another try would end alike. */
export class CrowdLimitError extends Error {
  override readonly name = 'CrowdLimitError'
}

/** How many shake hands at a time: fewer than a server's backlog. */
const atATime = 200

/** All that was sent has arrived when nothing came for so long: it has not far to go. */
const quietMs = 100

/** How long nothing may come that is waited for. */
const patienceMs = 10_000

/** Opens so many clients. Whether the stage knows them all has to be asked there. */
export async function openCrowd({ origin, row, size, channel, signal }: CrowdOptions): Promise<Crowd> {
  const { hostname, port } = new URL(origin)
  const ask = requestOf(row, origin, channel)
  // One for all: what is read is counted before anything else is read.
  const buffer = Buffer.allocUnsafe(64 * 1024)
  const sockets: Socket[] = []
  const tallies: Tally[] = []
  const goals = new Set<Goal>()
  let heard = 0
  let closing = false
  let failure: Error | undefined

  function fail(error: Error): void {
    if (closing) return
    failure ??= error
    for (const goal of goals) goal.reject(failure)
  }

  /** Fulfils once its stream has begun. */
  function openOne(): Promise<void> {
    return new Promise((resolve, reject) => {
      const lose = (error: Error): void => {
        reject(error)
        fail(error)
      }
      const socket = connect({
        host: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port),
        noDelay: true,
        onread: {
          buffer,
          callback(length) {
            const before = tally.messages
            const wasOpen = tally.open
            try {
              tally.push(buffer, length)
            } catch (error) {
              lose(error as Error)
              socket.destroy()
              return false
            }
            if (!wasOpen && tally.open) resolve()
            const after = tally.messages
            if (after !== before) {
              heard += after - before
              for (const goal of goals) goal.look(before, after)
            }
            return true
          },
        },
      })
      const tally = createTally(row.transport, row.house, (bytes) => socket.write(bytes))
      sockets.push(socket)
      tallies.push(tally)
      socket.on('connect', () => socket.write(ask))
      socket.on('error', (error: NodeJS.ErrnoException) => lose(explained(error)))
      socket.on('close', () => lose(new Error('the server has ended a connection')))
    })
  }

  async function close(): Promise<void> {
    closing = true
    for (const goal of goals) goal.reject(new Error('the crowd has gone'))
    await Promise.all(
      sockets.map(async (socket) => {
        if (socket.closed) return
        // No `once` of events, which an error on the way out would make fail.
        const closed = new Promise((resolve) => socket.once('close', resolve))
        // Without a goodbye, after which a socket would keep its port for a minute, and there are 28,000.
        if (socket.connecting) socket.destroy()
        else if (!socket.destroyed) socket.resetAndDestroy()
        await closed
      }),
    )
  }

  let next = 0
  async function openSome(): Promise<void> {
    while (next < size && failure === undefined) {
      signal.throwIfAborted()
      next += 1
      await openOne()
    }
  }
  try {
    const all = Promise.all(Array.from({ length: Math.min(size, atATime) }, openSome))
    await within(all, openMs, () => `only ${sockets.length} of ${size} were open in time`, signal)
    if (failure !== undefined) throw failure
  } catch (error) {
    await close()
    throw error
  }

  return {
    size,
    get messages() {
      return tallies.map(({ messages }) => messages)
    },
    get bytes() {
      return tallies.reduce((sum, { bytes }) => sum + bytes, 0)
    },
    async reach(messages) {
      if (failure !== undefined) throw failure
      const goal = createGoal(
        messages,
        tallies.filter((tally) => tally.messages < messages).length,
        () => heard,
        () => `${wrong(tallies, (count) => count < messages)} instead of ${messages}`,
      )
      const onAbort = () => goal.reject(signal.reason as Error)
      signal.addEventListener('abort', onAbort)
      goals.add(goal)
      if (signal.aborted) onAbort()
      try {
        await goal.done
      } finally {
        goals.delete(goal)
        signal.removeEventListener('abort', onAbort)
      }
    },
    async expect(messages) {
      // What comes too often comes last.
      for (let before = -1; before !== heard; ) {
        before = heard
        await delay(quietMs, undefined, { signal })
        // A timer that is late runs before what has arrived meanwhile is read.
        await setImmediate(undefined, { signal })
      }
      if (failure !== undefined) throw failure
      if (tallies.some((tally) => tally.messages !== messages)) {
        throw new Error(`${wrong(tallies, (count) => count !== messages)} instead of ${messages}`)
      }
    },
    [Symbol.asyncDispose]: close,
  }
}

/** Longest time in which a crowd has to be there. */
const openMs = 60_000

interface Goal {
  readonly done: Promise<void>
  /** One client has heard more. */
  look(before: number, after: number): void
  reject(error: Error): void
}

/** @param missing - how many clients are not there yet. */
function createGoal(messages: number, missing: number, heard: () => number, complaint: () => string): Goal {
  let left = missing
  let resolve: () => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<void>((fulfil, refuse) => {
    resolve = fulfil
    reject = refuse
  })
  if (left === 0) resolve()
  let last = heard()
  const timer = setInterval(() => {
    const now = heard()
    if (now === last) reject(new Error(complaint()))
    last = now
  }, patienceMs)
  return {
    done: promise.finally(() => clearInterval(timer)),
    look(before, after) {
      if (before >= messages || after < messages) return
      left -= 1
      if (left === 0) resolve()
    },
    reject,
  }
}

function wrong(tallies: readonly Tally[], isWrong: (messages: number) => boolean): string {
  const counts = tallies.map(({ messages }) => messages).filter(isWrong)
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  const range = least === most ? least : `${least} to ${most}`
  return `${counts.length} of ${tallies.length} clients heard ${range} messages`
}

/** What a client of this kind says first. */
function requestOf({ transport, house }: CrowdOptions['row'], origin: string, channel: string): string {
  const path = house === 'ours' ? '/ours' : `/bare/${transport}`
  const { host } = new URL(origin)
  const query = new URLSearchParams({ client: 'crowd', channel })
  const lines =
    transport === 'sse'
      ? ['Accept: text/event-stream']
      : [
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
          ...(house === 'ours' ? ['Sec-WebSocket-Protocol: eitherway.v1'] : []),
        ]
  return [`GET ${path}?${query} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n')
}

function explained(error: NodeJS.ErrnoException): Error {
  const { code } = error
  if (code === 'EMFILE' || code === 'ENFILE') {
    return new CrowdLimitError(`so many files may not be open here (${code}); see \`ulimit -n\``, {
      cause: error,
    })
  }
  if (code === 'EADDRNOTAVAIL') {
    return new CrowdLimitError(`no port is left here for so many connections (${code})`, { cause: error })
  }
  return error
}
