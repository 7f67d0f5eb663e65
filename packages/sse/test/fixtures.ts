import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import type { Frame, Message } from '@eitherway/core'
import { onTestFinished } from 'vitest'

/** Listens on a free port until the test is over, and then ends what is left of its connections. */
export async function listen(server: Server): Promise<URL> {
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  })
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

/** A URL at which nobody listens. */
export async function nowhere(): Promise<URL> {
  const { createServer } = await import('node:net')
  const server = createServer()
  const url = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return url
}

/** The next message; signs of life are passed over. The iteration goes on. */
export async function nextMessage(frames: AsyncIterator<Frame>): Promise<Message | undefined> {
  for (;;) {
    const { done, value } = await frames.next()
    if (done === true) return undefined
    if (value.type === 'message') return value.message
  }
}

/** All frames up to the end. */
export async function all(frames: AsyncIterable<Frame>): Promise<Frame[]> {
  const read: Frame[] = []
  for await (const frame of frames) read.push(frame)
  return read
}

/** The data of all messages up to the end. */
export async function allData(frames: AsyncIterable<Frame>): Promise<(string | Uint8Array)[]> {
  return (await all(frames)).flatMap((frame) => (frame.type === 'message' ? [frame.message.data] : []))
}

/** One turn of the event loop: whatever could happen at once has happened. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
