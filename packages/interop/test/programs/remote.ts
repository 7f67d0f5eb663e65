import type { Connection, Frame } from '@eitherway/core'
import { ssePost } from '@eitherway/post/client'
import { sse } from '@eitherway/sse/client'
import { ws } from '@eitherway/ws/client'
import { type Question, read, type Told, tellError, write } from '../remote-words.ts'
import { versionHere } from './version.ts'

const transports = { sse: sse(), ws: ws(), 'sse+post': ssePost() }

interface Link {
  readonly abort: AbortController
  connection?: Connection
  frames?: AsyncIterator<Frame>
}

/** The client of each transport, in the hands of somebody else: does what it is asked, and tells what came of it. */
export async function start({ control }: { control: string }): Promise<void> {
  // Node before 22 has none of its own.
  const WebSocket = globalThis.WebSocket ?? (await import('ws')).WebSocket
  const socket = new WebSocket(control)
  const links = new Map<number, Link>()
  const tell = (told: Told) => socket.send(write(told))
  socket.onopen = () => tell({ version: versionHere() })
  socket.onmessage = ({ data }: { data: unknown }) => {
    for (const question of read<readonly Question[]>(String(data))) void hear(question)
  }

  async function hear(question: Question): Promise<void> {
    const { id } = question
    const link = links.get(question.link) ?? { abort: new AbortController() }
    links.set(question.link, link)
    try {
      tell({ id, value: await answer(question, link, tell) })
    } catch (error) {
      const { signal } = link.abort
      tell({ id, error: tellError(error, signal.aborted && error === signal.reason) })
    }
  }
}

/** Each question reaches the connection before this returns, so in the order in which they were asked. */
function answer(question: Question, link: Link, tell: (told: Told) => void): unknown {
  const { connection } = link
  if (question.ask === 'connect') {
    return connect(question, link, tell)
  }
  if (question.ask === 'abort') {
    link.abort.abort(new Error('aborted from afar'))
    return undefined
  }
  if (connection === undefined) throw new Error(`link ${question.link} is not connected`)
  if (question.ask === 'close') return connection.close(question.close)
  if (question.ask === 'send') {
    if (connection.direction !== 'two-way') throw new Error('a one-way link has no `send`')
    return connection.send(question.message)
  }
  link.frames ??= connection[Symbol.asyncIterator]()
  return question.ask === 'next' ? link.frames.next() : link.frames.return?.()
}

async function connect(
  { transport, url, options, aborted, link: number }: Extract<Question, { ask: 'connect' }>,
  link: Link,
  tell: (told: Told) => void,
): Promise<unknown> {
  const { abort } = link
  if (aborted) abort.abort(new Error('aborted from afar'))
  const connection = await transports[transport].connect(new URL(url), { ...options, signal: abort.signal })
  link.connection = connection
  void connection.closed.then((closed) => tell({ link: number, closed }))
  return { direction: connection.direction, sends: 'send' in connection }
}
