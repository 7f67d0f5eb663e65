import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { reachableHost } from '../origins.ts'
import type { Counts, Faults } from './stage.ts'

/** A TCP relay in front of a server: what goes in comes out, byte for byte and counted, but for the faults asked for. */
export interface Relay {
  readonly port: number
  readonly counts: Counts
  /** Counts from 0 again. */
  reset(): void
  setFaults(faults: Faults): void
  /** Where the faults of one link are to differ: by the port at which the server sees it. */
  setFaultsOf(localPort: number, faults: Faults | undefined): void
  /** @param graceMs How long what is under way may take to arrive. @defaultValue 0 */
  close(graceMs?: number): Promise<void>
}

interface Link {
  /** The port at which the server sees this end; it is forgotten by the socket when it closes. */
  localPort: number | undefined
  /** Whether it is half-open for good. */
  lost: boolean
  /** Looks again whether it may pass bytes. */
  wake(): void
  end(): void
}

/** Opens a relay to a server of this machine. @param port - to listen on; 0 for any free one. */
export async function createRelay(target: () => number, host: string, port = 0): Promise<Relay> {
  let faults: Faults = {}
  const own = new Map<number, Faults>()
  const links = new Set<Link>()
  let counts = { links: 0, upBytes: 0, downBytes: 0 }

  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (faults.shut) {
      client.destroy()
      return
    }
    counts.links += 1
    const server = connect({ host: reachableHost(host), port: target(), allowHalfOpen: true, noDelay: true })
    let downBytes = 0
    server.once('connect', () => {
      link.localPort = server.localPort
    })
    const faultsHere = () => (link.lost ? lost : (own.get(link.localPort ?? -1) ?? faults))
    const up = createWay(client, server, faultsHere, (bytes) => {
      counts.upBytes += bytes
    })
    const down = createWay(server, client, faultsHere, (bytes) => {
      counts.downBytes += bytes
      downBytes += bytes
      // The client's side ends behind what is on its way: who comes back for more than the limit would never get on.
      if (downBytes > (faultsHere().cutAfterBytes ?? Number.POSITIVE_INFINITY)) server.destroy()
    })
    const link: Link = {
      localPort: undefined,
      lost: false,
      wake() {
        up.wake()
        down.wake()
      },
      end() {
        client.destroy()
        server.destroy()
      },
    }
    links.add(link)
    let open = 2
    for (const [side, other] of [
      [client, server],
      [server, client],
    ] as const) {
      // A side that breaks takes the other along, but not through a link that is stalled: that is half-open.
      side.on('error', () => {
        if (!faultsHere().stalled) other.resetAndDestroy()
      })
      side.on('close', () => {
        open -= 1
        if (open === 0) {
          links.delete(link)
          if (link.localPort !== undefined) own.delete(link.localPort)
        } else if (!faultsHere().stalled) other.destroySoon()
      })
    }
  })
  listener.listen(port, host)
  await once(listener, 'listening')

  return {
    port: (listener.address() as AddressInfo).port,
    get counts() {
      return counts
    },
    reset() {
      counts = { links: 0, upBytes: 0, downBytes: 0 }
    },
    setFaults(next) {
      const onlyPresent = next.stalled === 'present'
      faults = onlyPresent ? { ...next, stalled: false } : next
      for (const link of links) {
        if (link.lost) link.end()
        link.lost = onlyPresent
        link.wake()
      }
    },
    setFaultsOf(localPort, next) {
      const isReleased = own.get(localPort)?.stalled === true && next?.stalled !== true
      if (next === undefined) own.delete(localPort)
      else own.set(localPort, next)
      for (const link of links) {
        if (link.localPort !== localPort) continue
        // What was swallowed is missing: nothing may come behind it, or nobody would ask for it again.
        if (isReleased) link.end()
        else link.wake()
      }
    },
    async close(graceMs = 0) {
      // It closes once its last link has.
      const closed = once(listener, 'close')
      listener.close()
      const end = () => {
        for (const link of links) link.end()
      }
      const timer = graceMs > 0 ? setTimeout(end, graceMs) : undefined
      if (timer === undefined) end()
      await closed
      clearTimeout(timer)
    },
  }
}

const lost: Faults = { stalled: true }

/** How much of a throttled link passes at a time. */
const sliceMs = 20

/** One direction of a link. */
function createWay(
  from: Socket,
  to: Socket,
  faults: () => Faults,
  count: (bytes: number) => void,
): { wake(): void } {
  const waiting: { readonly chunk: Buffer | undefined; readonly at: number }[] = []
  let timer: ReturnType<typeof setTimeout> | undefined

  from.on('data', (chunk: Buffer) => {
    if (faults().stalled) return
    waiting.push({ chunk, at: performance.now() })
    // What waits here is a network's queue: it has an end.
    if (waiting.length > 64 && isLate()) from.pause()
    pump()
  })
  from.on('end', () => {
    if (faults().stalled) return
    waiting.push({ chunk: undefined, at: performance.now() })
    pump()
  })
  from.on('close', () => to.destroyed && clearTimeout(timer))
  to.on('close', () => clearTimeout(timer))
  to.on('drain', () => {
    if (waiting.length <= 64) from.resume()
  })

  const isLate = () => {
    const { delayMs, bytesPerSecond, held } = faults()
    return delayMs !== undefined || bytesPerSecond !== undefined || held === true
  }

  function pump(): void {
    if (timer !== undefined || to.destroyed) return
    const { delayMs = 0, bytesPerSecond, held = false } = faults()
    if (held) return
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const waitMs = next.at + delayMs - performance.now()
      if (waitMs > 0) {
        later(waitMs)
        return
      }
      const { chunk } = next
      if (chunk === undefined) {
        waiting.shift()
        to.end()
        continue
      }
      const room =
        bytesPerSecond === undefined
          ? chunk.length
          : Math.max(1, Math.floor((bytesPerSecond * sliceMs) / 1000))
      if (chunk.length <= room) waiting.shift()
      else waiting[0] = { chunk: chunk.subarray(room), at: next.at }
      const slice = chunk.subarray(0, room)
      count(slice.length)
      if (!to.write(slice)) from.pause()
      if (bytesPerSecond !== undefined) {
        later((slice.length * 1000) / bytesPerSecond)
        return
      }
    }
    if (!to.writableNeedDrain) from.resume()
  }
  function later(ms: number): void {
    timer = setTimeout(() => {
      timer = undefined
      pump()
    }, ms)
  }
  return {
    wake() {
      clearTimeout(timer)
      timer = undefined
      if (faults().stalled) waiting.length = 0
      pump()
    },
  }
}
