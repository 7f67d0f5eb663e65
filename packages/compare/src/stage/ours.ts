import type { Broker } from '@eitherway/core'
import { createHub, type Hub, memoryBroker, type Peer, serve } from '@eitherway/server'
import type { HouseServer } from './house.ts'
import type { Sockets } from './sockets.ts'
import type { Plant } from './stage.ts'

/** The hub under measurement, with ids, history and limits on, as anybody would have it. */
export function createOurs(sockets: Sockets, heartbeatMs: number): HouseServer {
  const changed = new Set<() => void>()
  let plant: Plant = {}
  let broker = memoryBroker(history)
  let hub: Hub
  let isAway = false
  open()

  function open(): void {
    hub = createHub({
      format: 'text',
      heartbeatMs,
      broker: planted(broker, () => plant),
      // How fast a client can talk is what is measured.
      maxMessagesPerSecond: Number.POSITIVE_INFINITY,
    })
    hub.onConnect((peer) => {
      tell()
      void peer.closed.then(tell)
    })
    hub.onMessage(({ data }, peer) => peer.send('echo', data))
  }
  function tell(): void {
    for (const handler of [...changed]) handler()
  }
  const nameOf = (peer: Peer) => peer.url.searchParams.get('client') ?? ''
  const peersOf = (client?: string) =>
    [...hub.peers].filter((peer) => client === undefined || nameOf(peer) === client)

  return {
    serve: (server) => serve(hub, server, { path: '/ours' }),
    async publish(channel, data) {
      // Another server of the same broker goes on while this one is away.
      if (isAway) await broker.publish(channel, channel, data)
      else await hub.publish(channel, data)
    },
    echo(client, text) {
      for (const peer of peersOf(client)) void peer.send('echo', text)
    },
    get clients() {
      return new Set([...hub.peers].map(nameOf))
    },
    get connected() {
      return hub.peers.size
    },
    onChange(handler) {
      changed.add(handler)
      return () => changed.delete(handler)
    },
    cut: (client) =>
      peersOf(client).filter(({ remote }) => remote !== undefined && sockets.destroy(remote)).length,
    async goodbye() {
      isAway = true
      await hub.close({ code: 1012, reason: 'the server restarts' })
    },
    reset(kept) {
      // One that was killed has no peers left, but it would listen on.
      void hub.close()
      if (kept === 'lost') broker = memoryBroker(history)
      isAway = false
      open()
    },
    plant(next) {
      plant = next
    },
  }
}

/** Room for a minute of the densest stream. */
const history = { messages: 100_000, bytes: 64 * 1024 * 1024 }

/** A broker that does to its hub what it was told to, behind the hub's back. */
function planted(broker: Broker, plant: () => Plant): Broker {
  const counts = new Map<string, number>()
  return {
    ...broker,
    subscribe: (listener) =>
      broker.subscribe((channel, message) => {
        const { loseEvery = 0, doubleEvery = 0 } = plant()
        const count = (counts.get(channel) ?? 0) + 1
        counts.set(channel, count)
        if (loseEvery > 0 && count % loseEvery === 0) return
        listener(channel, message)
        if (doubleEvery > 0 && count % doubleEvery === 0) listener(channel, message)
      }),
  }
}
