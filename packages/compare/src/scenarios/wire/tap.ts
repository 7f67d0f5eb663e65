import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createSplitter, type Framing } from './units.ts'

/** Stands in front of a server for one link, and follows what the server sends on it. */
export interface Tap extends AsyncDisposable {
  readonly origin: string
  /** What came so far from the server, once no unit is under way. */
  settled(): Promise<number>
}

/** Opens a tap on a loopback port of its own. Its second link and all later ones are refused: they would blur the count. */
export async function createTap(port: number, framing: Framing): Promise<Tap> {
  const splitter = createSplitter(framing)
  const sockets = new Set<Socket>()
  let failure: Error | undefined
  let waiting: (() => void)[] = []
  function wake(): void {
    const woken = waiting
    waiting = []
    for (const resolve of woken) resolve()
  }

  const listener = createServer({ noDelay: true }, (client) => {
    listener.close()
    const server = connect({ host: '127.0.0.1', port, noDelay: true })
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        to.destroySoon()
        failure ??= new Error('the link ended')
        wake()
      })
      from.pipe(to)
    }
    // Before the client has them: what the client heard was counted.
    server.prependListener('data', (chunk: Buffer) => {
      try {
        splitter.push(chunk)
      } catch (error) {
        failure ??= error as Error
      }
      wake()
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')

  return {
    origin: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    async settled() {
      while (failure === undefined && splitter.pendingBytes > 0) {
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
      if (failure !== undefined) throw failure
      return splitter.wholeBytes
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      if (!listener.listening) return
      const closed = once(listener, 'close')
      listener.close()
      await closed
    },
  }
}
