import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { originsOf } from '../origins.ts'
import { createBare } from './bare.ts'
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
  const sockets = createSockets()
  const houses = { ours: createOurs(sockets, heartbeatMs), bare: createBare(sockets) }
  const windows = createWindows()
  let control = 0
  const runner = createRunnerAssets({
    folder: new URL(page),
    controlPort: () => control,
    ancestors: allowed,
  })
  let server = await open(0)
  const { port } = server.address() as AddressInfo
  const relay = await createRelay(() => port, host)
  const secure = isSecure ? await createSecure(host, nameOf(host), onOther) : undefined
  if (secure !== undefined) sockets.watch(secure)
  let leaveSecure = serveSecure()

  async function open(at: number): Promise<Server> {
    const made = createServer(onOther)
    sockets.watch(made)
    for (const house of Object.values(houses)) house.serve(made)
    made.listen(at, host)
    await once(made, 'listening')
    return made
  }

  function serveSecure(): () => void {
    const undo = secure && Object.values(houses).map((house) => house.serve(secure))
    return () => {
      for (const leave of undo ?? []) leave()
    }
  }

  /** What is neither house's: what a client of a one-way transport has to say. */
  function onOther(request: IncomingMessage, response: import('node:http').ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stage')
    if (pathname.startsWith('/ours') || pathname.startsWith('/bare/')) return
    if (runner(request, response)) return
    if (pathname !== '/say' || request.method !== 'POST') {
      response.writeHead(404).end()
      return
    }
    let text = ''
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.length > maxSayLength) request.destroy()
    })
    request.on('end', () => {
      const house = searchParams.get('house') === 'bare' ? houses.bare : houses.ours
      house.echo(searchParams.get('client') ?? '', text)
      response.writeHead(204).end()
    })
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
      leaveSecure()
      for (const house of Object.values(houses)) house.reset(history)
      leaveSecure = serveSecure()
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

const maxSayLength = 1024 * 1024

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
