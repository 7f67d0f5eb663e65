import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { seeded } from '@eitherway/core/testing'

/** What befalls a link on its way from the server to the client. */
export type Fault =
  /** Ends both sides after exactly so many bytes from the server. */
  | { readonly type: 'cut'; readonly after: number }
  /** Swallows every byte, both ways, from the first one on. */
  | { readonly type: 'stall' }
  /** Passes on 1 to 100 bytes at a time, each in a turn of its own. */
  | { readonly type: 'trickle' }

/**
 * A TCP cable in front of a server: what goes in comes out, byte for byte, until a fault is asked for.
 *
 * Where chance has a say, it follows from the seed.
 */
export interface Cable extends AsyncDisposable {
  /** The server's origin as it is seen through the cable: `http://127.0.0.1:<port>` */
  readonly origin: string
  /** Links that were made so far. */
  readonly made: number
  /** Bytes that came from the server so far, over all links. */
  readonly bytes: number
  /** What befalls the next link, and no other. */
  next(fault: Fault): void
  /** Ends every link with a TCP RST. */
  reset(): void
  /** Swallows every byte of today's links, both ways, and tells nobody: they are half-open. */
  stall(): void
  /**
   * Ends every link one way only: the server says no more, but it is not told that nobody hears it.
   *
   * @returns what tells the server in the end.
   */
  halfClose(): () => void
}

interface Link {
  readonly client: Socket
  readonly server: Socket
}

/** Lays a cable to the server at this origin. */
export async function layCable(origin: string, seed = 1): Promise<Cable> {
  const { hostname, port } = new URL(origin)
  const random = seeded(seed)
  const links = new Set<Link>()
  /** Those whose sides are not to learn of each other's end. */
  const parted = new Set<Link>()
  const faults: Fault[] = []
  let made = 0
  let bytes = 0

  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    made += 1
    const server = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true })
    const link = { client, server }
    links.add(link)
    for (const socket of [client, server]) {
      socket.on('error', () => {
        // An end like any other; `close` follows.
      })
      socket.on('close', () => {
        if (parted.has(link)) return
        links.delete(link)
        client.destroy()
        server.destroy()
      })
    }
    server.on('data', (chunk) => {
      bytes += chunk.length
    })
    const fault = faults.shift()
    if (fault?.type === 'stall') {
      swallow(link)
      return
    }
    client.pipe(server)
    if (fault === undefined) server.pipe(client)
    else if (fault.type === 'cut') passUntil(link, fault.after)
    else void trickle(link)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')

  function swallow(link: Link): void {
    const { client, server } = link
    parted.add(link)
    client.unpipe(server).resume()
    server.unpipe(client).resume()
  }

  function passUntil({ client, server }: Link, after: number): void {
    let left = after
    const cut = () => {
      server.destroy()
      // Not before its last bytes have left.
      client.end(() => client.destroy())
    }
    if (left === 0) cut()
    server.on('data', (chunk) => {
      if (left === 0) return
      const passed = chunk.subarray(0, left)
      left -= passed.length
      client.write(passed)
      if (left === 0) cut()
    })
    server.on('end', () => client.end())
  }

  async function trickle({ client, server }: Link): Promise<void> {
    try {
      for await (const chunk of server as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; ) {
          const size = 1 + Math.floor(random() * 100)
          client.write(chunk.subarray(at, at + size))
          at += size
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      client.end()
    } catch {
      // The server's side broke: `close` ends the client's.
    }
  }

  return {
    origin: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    get made() {
      return made
    },
    get bytes() {
      return bytes
    },
    next(fault) {
      faults.push(fault)
    },
    reset() {
      for (const { client, server } of links) {
        client.resetAndDestroy()
        server.resetAndDestroy()
      }
    },
    stall() {
      for (const link of links) swallow(link)
    },
    halfClose() {
      const halves = [...links]
      for (const link of halves) {
        swallow(link)
        link.client.end()
      }
      return () => {
        for (const { server } of halves) server.end()
      }
    },
    async [Symbol.asyncDispose]() {
      const closed = once(listener, 'close')
      listener.close()
      for (const { client, server } of links) {
        client.destroy()
        server.destroy()
      }
      await closed
    },
  }
}
