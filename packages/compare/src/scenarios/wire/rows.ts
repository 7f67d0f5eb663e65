import { connect } from '@eitherway/client'
import { sse } from '@eitherway/sse/client'
import { EventSource as EventSourceOfPackage } from 'eventsource'
import { WebSocket as WebSocketOfPackage } from 'ws'
import type { Contender } from '../../contender.ts'
import { bareOf, type Classes } from '../../contenders/bare.ts'
import { unpack } from '../../parcel.ts'
import { fetchOverHttp2 } from './http2.ts'
import { serveBare, serveDeflate, serveGzip, serveOurs, type WireServer } from './servers.ts'
import type { Framing } from './units.ts'

/** How one row is measured. */
export interface Setup {
  readonly framing: Framing
  serve(): Promise<WireServer>
}

/** By the names of the rows. */
export const setups: Readonly<Record<string, Setup>> = {
  sse: { framing: 'chunks', serve: () => serveOurs('1.1') },
  ws: { framing: 'websocket', serve: () => serveOurs('1.1') },
  'sse-h2': { framing: 'http2', serve: () => serveOurs('2') },
  'sse-bare': { framing: 'chunks', serve: () => serveBare('1.1') },
  'ws-bare': { framing: 'websocket', serve: () => serveBare('1.1') },
  'sse-bare-h2': { framing: 'http2', serve: () => serveBare('2') },
  'sse-bare-gzip': { framing: 'chunks', serve: serveGzip },
  'ws-bare-deflate': { framing: 'websocket', serve: () => serveDeflate(true) },
  'ws-bare-deflate-fresh': {
    framing: 'websocket',
    serve: () => serveDeflate({ serverNoContextTakeover: true, clientNoContextTakeover: true }),
  },
}

class EventSourceOverHttp2 extends EventSourceOfPackage {
  constructor(url: string | URL) {
    super(url, { fetch: fetchOverHttp2 as typeof fetch })
  }
}

/** Rows that exist only here: what HTTP/2 and compression change. */
export const ownRows: readonly Contender[] = [
  {
    name: 'sse-h2',
    title: 'SSE over HTTP/2',
    transport: 'sse',
    control: false,
    house: 'ours',
    async open({ origin, channels }, hear) {
      const transport = sse({ fetch: fetchOverHttp2 })
      const client = connect(new URL('/ours', origin), { transport, channels, format: 'text' })
      for (const channel of channels) {
        client.on<string | Uint8Array>(channel, (data) => hear.parcel?.(unpack(data)))
      }
      await new Promise<void>((resolve, reject) => {
        client.onState((state, reason) => {
          if (state === 'open') resolve()
          if (state === 'closed') reject(new Error(`closed before it was open: ${reason?.reason}`))
        })
      })
      return {
        say: sayNothing,
        async close() {
          await client.close()
        },
      }
    },
  },
  bare('sse-bare', 'sse-bare-h2', 'EventSource, bare http2', { EventSource: EventSourceOverHttp2 }),
  bare('sse-bare', 'sse-bare-gzip', 'EventSource, bare http, gzip'),
  bare('ws-bare', 'ws-bare-deflate', 'WebSocket, bare ws, permessage-deflate'),
  bare('ws-bare', 'ws-bare-deflate-fresh', 'WebSocket, bare ws, permessage-deflate without takeover'),
]

/** A control row under another name, with its client as it is: what differs is the server. */
function bare(like: string, name: string, title: string, classes: object = {}): Contender {
  const all = { EventSource: EventSourceOfPackage, WebSocket: WebSocketOfPackage, ...classes }
  const row = bareOf(all as unknown as Classes).find((one) => one.name === like)
  if (row === undefined) throw new Error(`there is no row ${like}`)
  return { ...row, name, title }
}

/** Nobody says anything here: the figures are of what comes down. */
async function sayNothing(): Promise<void> {
  throw new Error('this row is only heard')
}
