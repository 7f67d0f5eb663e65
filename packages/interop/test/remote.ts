import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Close, Connection, ConnectOptions, Direction, Frame, Message, Transport } from '@eitherway/core'
import { within } from '@eitherway/core/testing'
import { type WebSocket, WebSocketServer } from 'ws'
import { errorOf, type Question, read, type Told, type TransportName, write } from './remote-words.ts'

/** The clients of another runtime, in our hands. */
export interface Remote extends AsyncDisposable {
  /** Where the program `remote` is to connect to. */
  readonly control: string
  /** The version of its runtime. Waits until the program is there. */
  version(): Promise<string>
  /** Its client of a transport, as if it were here. */
  transport<D extends Direction>(name: TransportName, direction: D): Transport<D>
}

type Sent = Question extends infer Each ? (Each extends Question ? Omit<Each, 'id'> : never) : never

interface Waiting {
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** What is known of a connection over there. */
interface Opened {
  readonly direction: Direction
  readonly sends: boolean
}

/** Longest wait for the program. */
const maxStartMs = 20_000

/** Stands for the reason of a signal, which does not cross. */
const aborted = new Error('aborted')

/** Listens for the program. */
export async function createRemote(): Promise<Remote> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const waiting = new Map<number, Waiting>()
  const ends = new Map<number, (close: Close) => void>()
  let socket: WebSocket | undefined
  let turn: Question[] = []
  let asked = 0
  let links = 0
  let arrived: (version: string) => void = () => {}
  const version = new Promise<string>((resolve) => {
    arrived = resolve
  })

  server.on('connection', (connected) => {
    socket = connected
    connected.on('message', (data) => hear(read<Told>(data.toString())))
    connected.on('close', () => {
      for (const { reject } of waiting.values()) reject(new Error('the program is gone'))
      waiting.clear()
    })
  })

  function hear(told: Told): void {
    if ('version' in told) arrived(told.version)
    else if ('closed' in told) ends.get(told.link)?.(told.closed)
    else {
      const { resolve, reject } = waiting.get(told.id)!
      waiting.delete(told.id)
      if ('error' in told) reject(told.error.aborted ? aborted : errorOf(told.error))
      else resolve(told.value)
    }
  }

  /** What was asked in one turn is done in one turn: an abort right behind its `connect`, say. */
  function send(): void {
    socket!.send(write(turn))
    turn = []
  }

  function ask(question: Sent): Promise<unknown> {
    asked += 1
    const id = asked
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
      if (turn.push({ ...question, id } as Question) === 1) queueMicrotask(send)
    })
  }

  async function connect(
    transport: TransportName,
    url: URL,
    { signal, ...options }: ConnectOptions,
  ): Promise<Connection> {
    links += 1
    const link = links
    const closed = new Promise<Close>((resolve) => ends.set(link, resolve))
    signal.addEventListener('abort', () => {
      // A program that is gone is told of by whatever is waited for.
      ask({ ask: 'abort', link }).catch(() => undefined)
    })
    const question = { ask: 'connect', link, transport, url: url.href, options } as const
    const opened = await ask({ ...question, aborted: signal.aborted }).catch((error: unknown) => {
      throw error === aborted ? signal.reason : error
    })
    return connectionOf(link, closed, ask, opened as Opened)
  }

  return {
    control: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    version: () => within(version, 'the program in the other runtime', maxStartMs),
    transport: <D extends Direction>(name: TransportName, direction: D): Transport<D> => ({
      name,
      direction,
      connect: (url, options) => connect(name, url, options) as Promise<Connection<D>>,
    }),
    async [Symbol.asyncDispose]() {
      socket?.terminate()
      server.close()
      await once(server, 'close')
    },
  }
}

function connectionOf(
  link: number,
  closed: Promise<Close>,
  ask: (question: Sent) => Promise<unknown>,
  { direction, sends }: Opened,
): Connection {
  const iterator: AsyncIterator<Frame> = {
    next: () => ask({ ask: 'next', link }) as Promise<IteratorResult<Frame>>,
    return: () => ask({ ask: 'return', link }) as Promise<IteratorResult<Frame>>,
  }
  return {
    direction,
    closed,
    // What it throws over there is a rejection here, for whoever looks.
    close(close?: Close) {
      const closing = ask({ ask: 'close', link, ...(close && { close }) })
      closing.catch(() => undefined)
      return closing
    },
    [Symbol.asyncIterator]: () => iterator,
    ...(sends && { send: (message: Message) => ask({ ask: 'send', link, message }) }),
  } as Connection
}
