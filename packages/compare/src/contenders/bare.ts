import type { Contender } from '../contender.ts'
import { echoMark, unpack } from '../parcel.ts'
import { post } from './ours.ts'

/** The platform's classes, or those of the packages `eventsource` and `ws` where it has none. */
export interface Classes {
  readonly EventSource: typeof EventSource
  readonly WebSocket: typeof WebSocket
}

/** Control rows: what a browser has by itself, against a server of a few lines, without a line of ours. */
export function bareOf({ EventSource, WebSocket }: Classes): readonly Contender[] {
  return [
    {
      name: 'sse-bare',
      title: 'EventSource, bare http',
      transport: 'sse',
      control: true,
      house: 'bare',
      async open({ origin, client, channels }, hear) {
        const source = new EventSource(urlOf('/bare/sse', origin, client, channels))
        source.addEventListener('message', ({ data }) => hear.parcel?.(unpack(data)))
        source.addEventListener('binary', ({ data }) => hear.parcel?.(unpack(fromBase64(data))))
        source.addEventListener('echo', ({ data }) => hear.echo?.(data))
        await new Promise<void>((resolve, reject) => {
          source.addEventListener('open', () => {
            resolve()
            hear.state?.('open')
          })
          source.addEventListener('error', () => {
            const isOver = source.readyState === EventSource.CLOSED
            if (isOver) reject(new Error('EventSource gave up'))
            hear.state?.(isOver ? 'closed' : 'away')
          })
        })
        return {
          say: (text) => post(origin, client, 'bare', text),
          async close() {
            source.close()
          },
        }
      },
    },
    {
      name: 'ws-bare',
      title: 'WebSocket, bare ws',
      transport: 'ws',
      control: true,
      house: 'bare',
      async open({ origin, client, channels }, hear) {
        const url = urlOf('/bare/ws', origin, client, channels)
        url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
        const socket = new WebSocket(url)
        socket.binaryType = 'arraybuffer'
        socket.addEventListener('message', ({ data }) => {
          if (typeof data !== 'string') hear.parcel?.(unpack(new Uint8Array(data)))
          else if (data.startsWith(echoMark)) hear.echo?.(data.slice(echoMark.length))
          else hear.parcel?.(unpack(data))
        })
        // `close` tells the same. But `ws` throws an error that nobody listens to.
        socket.addEventListener('error', () => undefined)
        await new Promise<void>((resolve, reject) => {
          socket.addEventListener('open', () => {
            resolve()
            hear.state?.('open')
          })
          // It does not come back by itself: that is what a control row is for.
          socket.addEventListener('close', ({ code }) => {
            reject(new Error(`WebSocket closed with ${code}`))
            hear.state?.('closed')
          })
        })
        return {
          async say(text) {
            socket.send(text)
          },
          async close() {
            if (socket.readyState === WebSocket.CLOSED) return
            const closed = new Promise((resolve) => socket.addEventListener('close', resolve))
            socket.close()
            await closed
          },
        }
      },
    },
  ]
}

function urlOf(path: string, origin: string, client: string, channels: readonly string[]): URL {
  const url = new URL(path, origin)
  url.searchParams.set('client', client)
  for (const channel of channels) url.searchParams.append('channel', channel)
  return url
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
