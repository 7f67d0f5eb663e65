import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { connect } from '@eitherway/client'
import { describe, expect, test } from 'vitest'
import { bundle } from './bundle.ts'
import { run } from './harness.ts'
import { hear, positioned } from './heard.ts'
import type { FloodSettings } from './programs/flood.ts'

const MiB = 1024 * 1024
/** What the server's process may grow by: a limit of 1 MiB for each of its readers, and room for what nobody has collected yet. */
const boundBytes = 64 * MiB
const totalBytes = 1024 * MiB
const messageBytes = 512 * 1024
const transports = ['sse', 'ws'] as const

/** A socket that asks for the flood, and then never reads unless it is told to. */
async function deafReader(url: URL, transport: 'sse' | 'ws'): Promise<Socket> {
  const socket = connectSocket({ host: url.hostname, port: Number(url.port) })
  socket.on('error', () => {
    // A reset is what a reader that never reads may get.
  })
  await once(socket, 'connect')
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: eitherway.v1',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ]
  const headers = [`Host: ${url.host}`, ...(transport === 'ws' ? upgrade : ['Accept: text/event-stream'])]
  socket.write(`GET ${url.pathname}?channel=flood HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
  return socket
}

/** Reads on until it has seen this. */
async function readUntil(socket: Socket, text: string): Promise<string> {
  // Enough of what was seen, without half a gigabyte of it.
  let seen = ''
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    seen += chunk.toString('latin1').replaceAll(/x{100,}/g, '')
    if (seen.includes(text)) return seen
  }
  throw new Error(`the socket ended before it brought ${text}, after:\n${seen.slice(-500)}`)
}

describe('a gigabyte for readers that never read', () => {
  test.each(['disconnect', 'conflate', 'drop-oldest'] as const)(
    'with %s costs the server a bounded memory, and other peers notice nothing',
    async (slow) => {
      const readers = transports.length
      const settings: FloodSettings = { slow, readers, totalBytes, messageBytes }
      const input = await bundle('flood', settings, 'node')
      await using server = run(process.execPath, ['--expose-gc', '-'], { input })
      const [{ url: given }] = (await server.take(1)) as [{ url: string }]
      const url = new URL(given)
      const others = transports.map((transport) => connect(url, { transport, channels: ['steady'] }))
      const sockets: Socket[] = []
      try {
        const losses: unknown[] = []
        for (const other of others) other.onState((state, close) => losses.push(state, close))
        const heard = others.map((other) => hear(other, ['steady']))
        await Promise.all(others.map(positioned))
        losses.length = 0
        for (const transport of transports) sockets.push(await deafReader(url, transport))

        for (let eighths = 0; eighths < 8; eighths += 1) await server.take(1)
        const [told] = (await server.take(1)) as [
          { baseline: number; growth: number; closes: unknown[]; peers: number },
        ]
        const { baseline, growth, closes, peers } = told
        expect(growth, `bytes over a baseline of ${baseline}`).toBeLessThan(boundBytes)

        const count = totalBytes / messageBytes
        const steady = Array.from({ length: count }, (_, at) => ['steady', at])
        for (const { until } of heard) expect(await until(count)).toEqual(steady)
        expect(losses).toEqual([])

        if (slow === 'disconnect') {
          expect(closes).toEqual(Array(readers).fill({ channel: 'flood', code: 4008 }))
          expect(peers).toBe(others.length)
          return
        }
        expect(closes).toEqual([])
        expect(peers).toBe(others.length + readers)
        for (const socket of sockets) {
          const seen = await readUntil(socket, `{"at":${count - 1},`)
          expect(seen.includes('~gap')).toBe(slow === 'drop-oldest')
        }
      } finally {
        for (const socket of sockets) socket.destroy()
        await Promise.all(others.map((other) => other.close()))
      }
    },
    60_000,
  )
})
