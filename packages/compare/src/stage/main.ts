import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { authorityOf, requestUrl } from '@eitherway/core'
import { refuseUpgrade } from '@eitherway/ws/server'
import { textOf } from '../body.ts'
import { type Refused, refusalOf, standBefore } from '../guard.ts'
import { originsOf } from '../origins.ts'
import { barePaths, createBare } from './bare.ts'
import { machineMs } from './clock.ts'
import { createControl, type Handlers } from './control.ts'
import type { HouseServer } from './house.ts'
import { createOurs } from './ours.ts'
import { publishAll } from './publisher.ts'
import { createRelay } from './relay.ts'
import { createRunnerAssets } from './runner-assets.ts'
import { createSecure } from './secure.ts'
import { createSockets } from './sockets.ts'
import { nameOf, type Ready, type StageSettings } from './spawn.ts'
import { createWindows } from './windows.ts'

// The process of a stage. Its parent gives the settings, and is told where it listens; it ends with its parent.

process.once('message', (settings: StageSettings) => void start(settings))
process.once('disconnect', () => process.exit(0))

async function start({
  host,
  token,
  allowed,
  secure: isSecure,
  heartbeatMs,
  page,
}: StageSettings): Promise<void> {
  const sockets = createSockets(maxPeers)
  const houses = { ours: createOurs(sockets, heartbeatMs), bare: createBare(sockets) }
  const windows = createWindows()
  let control = 0
  const runner = createRunnerAssets({
    folder: new URL(page),
    controlPort: () => control,
    ancestors: allowed,
  })
  // Never listens: what reaches it has passed the guard.
  const app = createServer(onOther).on('upgrade', onOtherUpgrade)
  let leave = serveHouses()
  let server = await open(0)
  const { port } = server.address() as AddressInfo
  const relay = await createRelay(() => port, host)
  const secure = isSecure ? await createSecure(host, nameOf(host), prepare) : undefined

  async function open(at: number): Promise<Server> {
    const made = createServer()
    prepare(made)
    made.listen(at, host)
    await once(made, 'listening')
    return made
  }

  function prepare(made: Server): void {
    sockets.watch(made)
    standBefore(app, made, refuse)
  }

  function refuse(request: IncomingMessage): Refused | undefined {
    const reason = refusalOf(request, host, allowed)
    if (reason !== undefined) return { status: 403, reason }
    const url = requestUrl(request.url, authorityOf(request.headers))
    if (url === undefined) return { status: 400, reason: 'the request names no valid URL' }
    // By HTTP/2, many are on one socket.
    if (isStream(url) && houses.ours.connected + houses.bare.connected >= maxPeers) {
      return { status: 503, reason: 'there are too many here' }
    }
    return undefined
  }

  function serveHouses(): () => void {
    const undo = Object.values(houses).map((house) => house.serve(app))
    return () => {
      for (const leaveOne of undo) leaveOne()
    }
  }

  function onOtherUpgrade(request: IncomingMessage, socket: Duplex): void {
    if (requestUrl(request.url, authorityOf(request.headers))?.pathname === '/bare/ws') return
    refuseUpgrade(socket, { status: 404, reason: 'there is nothing at this path' })
  }

  /** What is neither house's: what a client of a one-way transport has to say. */
  function onOther(request: IncomingMessage, response: ServerResponse): void {
    const url = requestUrl(request.url, authorityOf(request.headers))
    if (url !== undefined && barePaths.includes(url.pathname)) return
    if (runner(request, response)) return
    if (url?.pathname !== '/say' || request.method !== 'POST') {
      response.writeHead(404).end()
      return
    }
    say(url.searchParams, request, response).catch(() => response.destroy())
  }

  async function say(
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const text = await textOf(request, response, maxSayBytes)
    const house = query.get('house') === 'bare' ? houses.bare : houses.ours
    house.echo(query.get('client') ?? '', text)
    response.writeHead(204).end()
  }

  const handlers: Handlers = {
    async publish(publishing) {
      const { house, whenThere } = publishing
      const one = houses[house]
      if (whenThere !== undefined) await settled(one, () => one.clients.has(whenThere), 10_000)
      return publishAll(one, publishing, windows)
    },
    taken({ channel, seq }) {
      windows.taken(channel, seq)
      return {}
    },
    async wait({ house, count, client, withinMs = 10_000 }) {
      const one = houses[house]
      const now = () => (client === undefined ? one.connected : Number(one.clients.has(client)))
      await settled(one, () => now() === count, withinMs)
      return { connected: now() }
    },
    cost({ collect = false }) {
      if (collect) for (let time = 0; time < 2; time += 1) globalThis.gc?.()
      const { user, system } = process.cpuUsage()
      const { rss, heapUsed, external } = process.memoryUsage()
      return {
        cpuMs: (user + system) / 1000,
        rssBytes: rss,
        heapBytes: heapUsed,
        externalBytes: external,
        pid: process.pid,
      }
    },
    cut: ({ client }) => ({ cut: houses.ours.cut(client) + houses.bare.cut(client), at: machineMs() }),
    async restart({ downMs, history, how }) {
      const closed = once(server, 'close')
      server.close()
      if (how === 'goodbye') await Promise.all(Object.values(houses).map((house) => house.goodbye()))
      sockets.destroyAll()
      const downAt = machineMs()
      await closed
      await delay(downMs)
      leave()
      for (const house of Object.values(houses)) house.reset(history)
      leave = serveHouses()
      server = await open(port)
      return { downAt, upAt: machineMs() }
    },
    relay(faults) {
      relay.setFaults(faults)
      return { at: machineMs() }
    },
    count({ reset = false }) {
      const counts = { ...relay.counts }
      if (reset) relay.reset()
      return counts
    },
    plant(plant) {
      for (const house of Object.values(houses)) house.plant(plant)
      return {}
    },
    owed: ({ port: of }) => sockets.owedTo(of),
    clock: () => ({ now: machineMs() }),
  }
  const securePort = (secure?.address() as AddressInfo | undefined)?.port
  const own = [...originsOf(host, port), ...originsOf(host, relay.port)]
  if (securePort !== undefined) own.push(`https://${nameOf(host)}:${securePort}`)
  control = await createControl(handlers, { host, token, allowed: [...allowed, ...own] })
  const ready: Ready = { direct: port, relay: relay.port, control, secure: securePort }
  process.send?.(ready)
}

/** More than any scenario says at once. */
const maxSayBytes = 64 * 1024
/** More than any scenario brings. */
const maxPeers = 25_000

const isStream = ({ pathname }: URL): boolean => pathname === '/ours' || barePaths.includes(pathname)

/** Fulfils once it holds, looked at whenever somebody comes or goes. */
async function settled(house: HouseServer, holds: () => boolean, withinMs: number): Promise<void> {
  let off: () => void = () => undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const look = () => holds() && resolve()
      off = house.onChange(look)
      timer = setTimeout(
        () => reject(new Error(`${house.connected} were connected after ${withinMs} ms`)),
        withinMs,
      )
      look()
    })
  } finally {
    clearTimeout(timer)
    off()
  }
}
